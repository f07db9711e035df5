"""Books, budget and usage, on a real login node and queue."""

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from hpc_jobs.contract.run import RunHandle
from operators.array.operator import HpcArrayJobOperator
from operators.cluster.errors import TransportError
from operators.cluster.job import Resources
from operators.cluster.reply import Reply
from operators.cluster.usage import Usage, seconds
from operators.hooks.hpc import open_session
from operators.hooks.mlflow import MlflowHook
from operators.runs.accounting import (
    log_usage,
    most_core_hours,
    read_books,
    sum_books,
    usage_rows,
)
from operators.runs.run import folder_of
from tests.unit.operators.conftest import Cluster


def operator(cluster: Cluster, elements: int, *arguments: str, **handle: Any) -> Any:
    return HpcArrayJobOperator(
        task_id="solve_shard",
        job="solve_shard",
        elements=elements,
        run=cluster.handle(**handle),
        arguments=arguments,
    )


def books(cluster: Cluster) -> Any:
    run = RunHandle.model_validate(cluster.handle())
    with open_session("cpu") as session:
        return read_books(session, folder_of(run.run_id, run.sites["cpu"]))


def test_a_job_says_what_it_took_and_the_books_keep_it(
    cluster: Cluster, context: dict[str, Any]
) -> None:
    report = operator(cluster, 3, "--sleep", "0.5").execute(context)
    usage = report["usage"]
    assert usage["tries"] == 3 and usage["gpu_hours"] == 0
    assert 3 * 0.5 / 3600 <= usage["core_hours"] == pytest.approx(usage["run_s"] / 3600, abs=1e-6)
    assert 0 <= usage["efficiency"] < 0.9, "sleeping uses no processor"
    found = books(cluster)
    assert (found.jobs, found.reserved_core_hours) == (1, 0)
    assert found.usage == Usage.read(usage)
    assert len(json.dumps(usage)) < 300


def test_what_is_not_over_counts_with_its_whole_walltime(
    cluster: Cluster, context: dict[str, Any]
) -> None:
    cluster.describe(inline_wait_s=0)
    with pytest.raises(TaskDeferred):
        operator(cluster, 6, "--sleep", "60").execute(context)
    found = books(cluster)  # two arrays, of 4 and 2 elements, 60 s each
    assert (found.jobs, found.reserved_core_hours) == (0, pytest.approx(6 * 60 / 3600))


def test_a_budget_stops_a_job_before_it_is_submitted(
    cluster: Cluster, context: dict[str, Any]
) -> None:
    enough, short = 6 * 60 / 3600, 6 * 60 / 3600 - 0.001
    with pytest.raises(AirflowFailException) as stopped:
        operator(cluster, 6, budget_core_hours=short).execute(context)
    words = str(stopped.value)
    assert "run demo-1 may use 0.099 core-hours (execution.budget_core_hours)" in words
    assert "0 are used" in words and "may take up to 0.1;" in words and "walltime_s" in words
    assert cluster.queue.jobs() == []
    assert books(cluster).reserved_core_hours == 0, "no intent is left"
    report = operator(cluster, 6, budget_core_hours=enough).execute(context)
    assert report["done"] == 6


def test_a_budget_counts_what_was_used(cluster: Cluster, context: dict[str, Any]) -> None:
    one = 60 / 3600
    assert operator(cluster, 1, "--sleep", "1", budget_core_hours=one).execute(context)["done"]
    context["ti"].task_id = "another"
    with pytest.raises(AirflowFailException, match="core-hours"):
        operator(cluster, 1, budget_core_hours=one).execute(context)
    assert operator(cluster, 1, budget_core_hours=2 * one).execute(context)["done"] == 1


def test_usage_reaches_mlflow_and_a_table(
    cluster: Cluster, context: dict[str, Any], mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = MlflowHook(mlflow_server)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    run_id = mlflow.client.create_run(mlflow.experiment("accounting")).info.run_id
    handle = cluster.handle(mlflow_run_id=run_id, budget_core_hours=5)
    report = operator(cluster, 2).execute(context)
    for _ in range(2):  # may be repeated
        log_usage(RunHandle.model_validate(handle), mlflow)
    data = mlflow.client.get_run(run_id).data
    assert data.metrics["usage/core_hours"] == report["usage"]["core_hours"]
    assert data.metrics["usage/tries"] == 2 and data.metrics["usage/jobs"] == 1
    assert data.tags["usage.budget_core_hours"] == "5"
    cluster.login.stop()
    [row] = usage_rows([RunHandle.model_validate(handle)])
    assert row["run"] == "demo-1" and row["action"].startswith("FAILED")


def test_cut_books_are_no_books() -> None:
    with pytest.raises(TransportError, match="cut short"):
        sum_books(Reply(0, '{"outcome": "done"', ""))
    assert sum_books(Reply(0, ".\n", "")).usage == Usage()


def test_cores_are_those_of_all_nodes() -> None:
    wanted = Resources(nodes=2, tasks_per_node=4, cpus=3, walltime_s=1800)
    assert most_core_hours(10, wanted) == 10 * 24 * 0.5


@pytest.mark.parametrize(
    ("clock", "value"), [("00:01.5", 1.5), ("02:03:04", 7384), ("1-00:00:01", 86401)]
)
def test_clocks(clock: str, value: float) -> None:
    assert seconds(clock) == value
