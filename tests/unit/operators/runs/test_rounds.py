"""Rounds: what is planned follows the budget and the measured rate; MLflow hears of each once."""

from pathlib import Path

import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.facts import DesignFacts, ShardFacts
from hpc_jobs.contract.layout import manifest_of
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.records import Manifest
from hpc_jobs.contract.report import RoundPlan
from operators.runs.rounds import first_round, log_round, next_round, round_metrics, shards_of
from operators.runs.run import folder_of
from tests.harness.reports import array_report

CHECKOUT = Path(__file__).parents[4]
SOLVED = array_report("solve_shard", ShardFacts(records=1200, by_status={"ok": 1190, "necked": 10}))


@pytest.fixture
def run(bench):
    return bench.open()


def test_the_first_round_is_the_campaigns_design(bench, run):
    planned = first_round(run, bench.connect)
    design = load(Campaign, CHECKOUT / "dags/campaigns/demo.yaml").design
    assert planned.train_records == design.train_records
    assert planned.records == design.train_records + design.test_records
    assert planned.shards == -(-planned.records // design.records_per_shard)


def test_a_round_is_logged_once_with_its_rate(bench, run):
    planned = first_round(run, bench.connect)
    first = log_round(run, planned, SOLVED, bench.mlflow)
    assert log_round(run, planned, SOLVED, bench.mlflow) == first
    logged = bench.mlflow.client.get_run(first)
    assert logged.data.metrics["round/status/necked"] == 10
    assert logged.data.metrics["round/records_per_core_hour"] == pytest.approx(240_000)
    assert logged.data.tags["mlflow.parentRunId"] == run.mlflow_run_id
    history = bench.mlflow.client.get_metric_history(first, "round/records")
    assert [metric.value for metric in history] == [1200]


def designed(bench, run, number: int, shards: int, solved: int) -> None:
    """Publish the manifests of a round of which so many shards were solved."""
    folder = folder_of(run.run_id, run.sites["cpu"])
    facts = {"round": number, "records": 10 * shards, "shards": shards, "rejected": 0}
    manifest = Manifest(kind="design", files=(), facts=facts).model_dump_json().encode()
    with bench.connect("cpu") as hook:
        hook.write(str(manifest_of(folder.design(number))), manifest)
        for index in range(solved):
            hook.write(str(manifest_of(folder.shard(number, index))), b"")


def test_an_unfinished_round_is_finished_before_another_is_begun(bench, run):
    log_round(run, first_round(run, bench.connect), SOLVED, bench.mlflow)
    designed(bench, run, 0, shards=3, solved=3)
    designed(bench, run, 1, shards=4, solved=1)
    planned = next_round(run, bench.mlflow, bench.connect)
    size = load(Campaign, CHECKOUT / "dags/campaigns/demo.yaml").design.records_per_shard
    assert (planned.round, planned.shards, planned.resumed) == (1, 4, True)
    assert planned.records == 3 * size  # those that are missing
    assert planned.expected_core_hours == pytest.approx(3 * size / 240_000)
    designed(bench, run, 1, shards=4, solved=4)
    further = next_round(run, bench.mlflow, bench.connect)
    assert (further.round, further.resumed) == (2, False)


def test_a_round_that_is_not_worth_its_price_has_no_shards():
    plan = RoundPlan(round=3, train_records=100, records=100, shards=2)
    chosen = DesignFacts(round=3, records=100, shards=2, rejected=0)
    assert shards_of(plan, array_report("choose_points", chosen)) == 2
    stopped = DesignFacts(round=3, records=0, shards=0, rejected=0, stopped="too dear")
    assert shards_of(plan, array_report("choose_points", stopped)) == 0
    nothing = array_report("solve_shard").model_copy(update={"elements": 0, "facts": {}})
    assert round_metrics(plan, nothing)["round/records"] == 0


def test_the_next_round_buys_what_the_budget_allows(bench, run):
    designed(bench, run, 0, shards=1, solved=1)
    log_round(run, first_round(run, bench.connect), SOLVED, bench.mlflow)
    planned = next_round(run, bench.mlflow, bench.connect)
    demo = load(Campaign, CHECKOUT / "dags/campaigns/demo.yaml")
    assert planned.round == 1
    assert planned.records == int(240_000 * demo.execution.nightly_core_hours)
    assert planned.shards == -(-planned.records // demo.design.records_per_shard)


def test_without_a_measured_rate_one_shard_is_planned(bench, run):
    designed(bench, run, 2, shards=1, solved=1)
    planned = next_round(run, bench.mlflow, bench.connect)
    size = load(Campaign, CHECKOUT / "dags/campaigns/demo.yaml").design.records_per_shard
    assert planned == RoundPlan(
        round=3,
        train_records=size,
        records=size,
        shards=1,
        budget_core_hours=demo_hours(),
    )


def demo_hours() -> float:
    return load(Campaign, CHECKOUT / "dags/campaigns/demo.yaml").execution.nightly_core_hours


def test_a_round_that_cost_nothing_has_no_rate():
    plan = RoundPlan(round=3, train_records=1200, records=1200, shards=3)
    metrics = round_metrics(plan, SOLVED.model_copy(update={"cpu_hours": 0.0}))
    assert "round/records_per_core_hour" not in metrics
    assert metrics["round/records"] == 1200


def test_the_rate_of_a_finished_round_is_that_of_what_had_been_left():
    """Hours of a third of the records must not be taken for those of all."""
    plan = RoundPlan(round=3, train_records=400, records=400, shards=3, resumed=True)
    metrics = round_metrics(plan, SOLVED)
    assert metrics["round/records"] == 1200
    assert metrics["round/records_per_core_hour"] == pytest.approx(400 / SOLVED.cpu_hours)
    good = 1190 / 3
    assert metrics["cost/core_hours_per_good_record"] == pytest.approx(SOLVED.cpu_hours / good)
