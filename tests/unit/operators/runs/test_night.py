"""What a night's report says, however the night ended."""

import json
from pathlib import Path

import pytest

from hpc_jobs.contract.facts import DesignFacts, LearningCurve, PackedFacts, ShardFacts
from hpc_jobs.contract.report import NightReport, RoundPlan
from operators.runs.night import curve_svg, log_night, night_page, night_report
from tests.harness.reports import array_report

PLAN = RoundPlan(
    round=4,
    train_records=900,
    records=900,
    shards=2,
    budget_core_hours=0.01,
    expected_core_hours=0.009,
)
CURVE = LearningCurve(
    records=(100, 200, 400),
    error=(1.5, 1.2, 1.1),
    further=900,
    gain=0.004,
    gain_low=0.001,
    gain_high=0.008,
)
AIMED = DesignFacts(
    round=4,
    records=900,
    shards=2,
    rejected=10,
    by_aim={"space_filling": 500, "posteriors": 400},
    skipped=70,
    audited=9,
    audit=0.31,
    notes={"edges": "no record has failed"},
    curve=CURVE,
)
POINTS = array_report("choose_points", AIMED)
SOLVED = array_report("solve_shard", ShardFacts(records=900, by_status={"ok": 890, "necked": 10}))
PACKED = array_report(
    "publish_dataset",
    PackedFacts(
        generation=2,
        train=1790,
        test=100,
        by_status={"ok": 1890},
        missing_shards=0,
        sha256="a" * 64,
    ),
)


@pytest.fixture
def run(bench):
    return bench.open()


def test_a_good_night_accounts_for_what_it_spent(run):
    report = night_report(run, PLAN, POINTS, SOLVED, PACKED)
    assert report.grown and "890 good records" in report.sentence
    assert "0.009 were expected" in report.sentence and "1790 training" in report.sentence
    assert report.core_hours_per_good_record == pytest.approx(SOLVED.cpu_hours / 890)
    page = night_page(report)
    assert "400 points" in page and "no record has failed" in page
    assert "as an audit" in page and "0.31 noise units" in page
    assert "0.4% (0.1% to 0.8%)" in page and page.count("data:image/svg+xml") == 1
    assert "expected of this round" in curve_svg(CURVE)


def test_a_night_that_finishes_an_earlier_ones_round_tells_its_own_share(run):
    plan = PLAN.model_copy(update={"resumed": True, "records": 90})
    report = night_report(run, plan, POINTS, SOLVED, PACKED)
    assert "added 89 good records" in report.sentence and "left unfinished" in report.sentence
    assert report.core_hours_per_good_record == pytest.approx(SOLVED.cpu_hours / 89)


def test_a_curve_whose_interval_misses_its_own_middle_is_drawn():
    assert "<svg" in curve_svg(CURVE.model_copy(update={"gain_low": 0.005}))


def test_a_failed_night_says_that_nothing_changed_and_what_to_do(run):
    report = night_report(run, PLAN, POINTS, None, None, ["simulate.solve_shards"])
    assert not report.grown
    assert "dataset and champion are as they were" in report.sentence
    assert "clear the failed task" in report.sentence
    early = night_report(run, PLAN, None, None, None, ["simulate.choose_points"])
    assert early.design is None and night_page(early)


def test_a_night_that_is_not_worth_it_keeps_its_budget(run, bench):
    stopped = AIMED.model_copy(update={"stopped": f"{CURVE.sentence}; 1.0% is asked for"})
    nothing = SOLVED.model_copy(update={"elements": 0, "facts": {}, "cpu_hours": 0.0})
    report = night_report(run, PLAN, array_report("choose_points", stopped), nothing, PACKED)
    assert not report.grown and report.sentence.startswith("no simulation tonight: 900 further")
    log_night(report, run, bench.mlflow)
    log_night(report, run, bench.mlflow)
    client = bench.mlflow.client
    kept = client.download_artifacts(run.mlflow_run_id, "night/round-004.json")
    assert NightReport.model_validate(json.loads(Path(kept).read_text())) == report
