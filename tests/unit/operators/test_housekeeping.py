"""Housekeeping on a real login node and queue: orphans go, everything else stays."""

import json
from typing import Any

import pytest

from hpc_jobs.contract.run import RunHandle
from operators import housekeeping
from operators.array_job import HpcArrayJobOperator
from operators.housekeeping import cancel_orphans, extend_leases, markdown, state_by_airflow
from tests.unit.operators.conftest import Cluster, wait_until


@pytest.fixture
def live(cluster: Cluster, context: dict[str, Any]) -> RunHandle:
    """A run with one array that works for a long time, its task gone to the triggerer."""
    from airflow.sdk.exceptions import TaskDeferred

    cluster.describe(inline_wait_s=0)
    operator = HpcArrayJobOperator(
        task_id="solve_shard",
        job="solve_shard",
        elements=1,
        run=cluster.handle(),
        arguments=["--sleep", "60"],
    )
    with pytest.raises(TaskDeferred):
        operator.execute(context)
    return RunHandle.model_validate(cluster.handle())


def states(cluster: Cluster) -> set[str]:
    return {each["state"] for job in cluster.queue.jobs() for each in job["elements"]}


@pytest.mark.parametrize("state", ["deferred", "running", "up_for_retry", None])
def test_a_job_whose_task_waits_is_left_alone(cluster: Cluster, live: RunHandle, state) -> None:
    rows = cancel_orphans([live], lambda intent: state)
    assert [row["action"] for row in rows] == ["nothing to do"]
    assert states(cluster) <= {"PENDING", "RUNNING"}


@pytest.mark.parametrize("state", ["failed", "success", "gone"])
def test_a_job_whose_task_has_ended_is_cancelled(cluster: Cluster, live: RunHandle, state) -> None:
    asked: list[Any] = []
    rows = cancel_orphans([live], lambda intent: asked.append(intent) or state)
    assert [row["action"] for row in rows] == ["cancelled"]
    assert asked[0]["task_id"] == "simulate.solve_shard" and asked[0]["map_index"] == -1
    wait_until(lambda: states(cluster) == {"CANCELLED"})


def test_jobs_of_others_are_not_touched(cluster: Cluster, live: RunHandle) -> None:
    job = cluster.run.job(next(iter(cluster.queue.jobs()))["name"].rpartition(".")[0])
    job.intent.unlink()
    assert cancel_orphans([live], lambda intent: "gone") == []
    assert states(cluster) <= {"PENDING", "RUNNING"}


def test_a_dead_login_node_is_a_row(cluster: Cluster, live: RunHandle) -> None:
    cluster.login.stop()
    rows = cancel_orphans([live], lambda intent: "gone")
    assert rows[0]["action"].startswith("FAILED")


def test_a_workspace_in_a_folder_never_expires(cluster: Cluster) -> None:
    rows = extend_leases([RunHandle.model_validate(cluster.handle())])
    assert [row["remaining"] for row in rows] == ["does not expire"]


def test_the_state_of_a_task_as_airflow_tells_it() -> None:
    def get_task_states(**asked: Any) -> dict[str, dict[str, Any]]:
        assert asked == {"dag_id": "d", "task_ids": ["t"], "run_ids": ["r"]}
        return answer

    state_of, intent = (
        state_by_airflow(get_task_states),
        {"dag_id": "d", "task_id": "t", "run_id": "r"},
    )
    answer: dict[str, dict[str, Any]] = {"r": {"t": "deferred"}}
    assert state_of(intent) == "deferred"
    answer = {"r": {"t": None}}
    assert state_of(intent) is None
    answer = {}
    assert state_of(intent) == "gone"


def test_rows_make_a_table() -> None:
    table = markdown([{"a": "1"}, {"a": "2", "b": "3"}]).splitlines()
    assert table == ["| a | b |", "|---|---|", "| 1 |  |", "| 2 | 3 |"]
    assert json.dumps(table) and housekeeping.NONE
