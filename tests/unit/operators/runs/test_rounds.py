"""Rounds: what is planned follows the budget and the measured rate; MLflow hears of each once."""

from pathlib import Path

import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.facts import ShardFacts
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.report import RoundPlan
from operators.runs.rounds import first_round, log_round, next_round, round_metrics
from operators.runs.run import folder_of
from tests.harness.reports import array_report

CHECKOUT = Path(__file__).parents[4]
SOLVED = array_report("solve_shard", ShardFacts(records=1200, by_status={"ok": 1190, "necked": 10}))


@pytest.fixture
def run(bench):
    return bench.open()


def test_the_first_round_is_the_campaigns_design(bench, run):
    planned = first_round(run, bench.connect)
    design = load(Campaign, CHECKOUT / "dags/campaigns/single_sheet.yaml").design
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


def test_the_next_round_buys_what_the_budget_allows(bench, run):
    with bench.connect("cpu") as hook:
        hook.write(str(folder_of(run.run_id, run.sites["cpu"]).design(0).with_suffix(".json")), b"")
    log_round(run, first_round(run, bench.connect), SOLVED, bench.mlflow)
    planned = next_round(run, bench.mlflow, bench.connect)
    demo = load(Campaign, CHECKOUT / "dags/campaigns/single_sheet.yaml")
    assert planned.round == 1
    assert planned.records == int(240_000 * demo.execution.nightly_core_hours)
    assert planned.shards == -(-planned.records // demo.design.records_per_shard)


def test_without_a_measured_rate_one_shard_is_planned(bench, run):
    with bench.connect("cpu") as hook:
        hook.write(str(folder_of(run.run_id, run.sites["cpu"]).design(2).with_suffix(".json")), b"")
    planned = next_round(run, bench.mlflow, bench.connect)
    size = load(Campaign, CHECKOUT / "dags/campaigns/single_sheet.yaml").design.records_per_shard
    assert planned == RoundPlan(round=3, train_records=size, records=size, shards=1)


def test_a_round_that_cost_nothing_has_no_rate():
    metrics = round_metrics(SOLVED.model_copy(update={"cpu_hours": 0.0}))
    assert "round/records_per_core_hour" not in metrics
    assert metrics["round/records"] == 1200
