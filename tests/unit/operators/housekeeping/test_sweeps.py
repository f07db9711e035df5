"""Housekeeping on a real login node and queue: orphans go, everything else stays."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from hpc_jobs.contract.run import RunHandle
from operators.array.operator import HpcArrayJobOperator
from operators.housekeeping import sweeps as housekeeping
from operators.housekeeping.leftovers import remove_leftovers
from operators.housekeeping.sweeps import (
    cancel_orphans,
    extend_leases,
    markdown,
    one_table,
    state_by_airflow,
)
from operators.runs.accounting import usage_rows
from tests.harness.waiting import wait_until
from tests.unit.operators.conftest import Cluster


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


def aged(path: Path, days: float = 9) -> Path:
    """A file or folder as old as if nobody had touched it for days."""
    then = time.time() - days * 86400
    os.utime(path, (then, then))
    return path


def planted(cluster: Cluster, path: str, days: float = 9) -> Path:
    file = cluster.run.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("half")
    return aged(file, days)


def test_leftovers_go_and_everything_else_stays(cluster: Cluster) -> None:
    job = "jobs/solve-0123456789"
    planted(cluster, f"{job}/finished.json")
    for element in (0, 1):
        planted(cluster, f"{job}/locks/{element}/owner.json")
    planted(cluster, f"{job}/results/0.json")
    planted(cluster, "jobs/alive-0123456789/locks/3/owner.json")
    shards = "rounds/000/shards"
    for name in ("shard-00000.json", ".shard-00000.parts/0.npz", ".shard-00001.parts/0.npz"):
        planted(cluster, f"{shards}/{name}")
    aged(cluster.run.root / shards / ".shard-00000.parts")
    aged(cluster.run.root / shards / ".shard-00001.parts")
    planted(cluster, f"{shards}/.shard-00002.h5.k3j2")
    planted(cluster, f"{job}/locks/.lock-abc/owner.json")
    aged(cluster.run.root / job / "locks/.lock-abc")
    planted(cluster, f"{shards}/.shard-00003.h5.young", days=1)
    upload = cluster.workspace / "code" / ".upload-abc.zip"
    upload.write_text("half")
    aged(upload)
    before = {path for path in cluster.workspace.rglob("*") if path.is_file()}
    runs = [RunHandle.model_validate(cluster.handle())]
    [row] = remove_leftovers(runs)
    assert row == {
        "run": "demo-1",
        "cluster": "cpu",
        "action": "removed 3 drafts, 1 locks, 1 parts",
    }
    gone = before - {path for path in cluster.workspace.rglob("*") if path.is_file()}
    root = cluster.run.root
    assert {str(path.relative_to(root)) for path in gone if root in path.parents} == {
        *(f"{job}/locks/1/owner.json", f"{job}/locks/.lock-abc/owner.json"),
        *(f"{shards}/.shard-00002.h5.k3j2", f"{shards}/.shard-00000.parts/0.npz"),
    }
    assert gone - {path for path in gone if root in path.parents} == {upload}
    assert [row["action"] for row in remove_leftovers(runs)] == [housekeeping.NONE]
    cluster.login.stop()
    assert remove_leftovers(runs)[0]["action"].startswith("FAILED")


def test_one_table_of_everything_names_what_needs_a_person() -> None:
    table, failed = one_table(
        {
            "leases": [{"cluster": "cpu", "action": "FAILED: no more\nextensions | sorry"}],
            "orphans": [{"job": "7", "action": "cancelled"}, {"job": "8", "action": "nothing"}],
            "metrics": None,
            "leftovers": [],
        }
    )
    assert failed == 2
    assert table.splitlines()[2:] == [
        "| leases | cluster cpu | FAILED: no more extensions \\| sorry |",
        "| orphans | job 7 | cancelled |",
        "| orphans | job 8 | nothing |",
        "| metrics |  | FAILED: see the log of metrics |",
    ]
    assert one_table({"leases": []}) == (housekeeping.NONE, 0)


def test_a_lease_that_cannot_be_extended_is_said_and_the_next_one_is(
    cluster: Cluster, tmp_path: Path
) -> None:
    """The workspace tools are stand-ins that answer as the recorded ones do."""
    lease = "id: {0}\n  workspace directory : {1}/{0}\n  remaining time : {2} days 2 hours\n"
    folders = cluster.login.home / "ws"
    for name in "ab":
        (folders / name).mkdir(parents=True)
    before, after = (
        "".join(
            lease.format(name, folders, days) + "  available extensions : 1\n"
            for name, days in zip("ab", ("1", later), strict=True)
        )
        for later in ("1", "29")
    )
    tools = tmp_path / "tools"
    tools.mkdir()
    (tmp_path / "before").write_text(before)
    (tmp_path / "after").write_text(after)
    (tools / "ws_list").write_text(
        f"#!/bin/sh\n[ -e {tmp_path}/extended ] && cat {tmp_path}/after || cat {tmp_path}/before\n"
    )
    refusal = "echo 'Error: no more extensions.' >&2; exit 255"
    (tools / "ws_extend").write_text(
        f"#!/bin/sh\n[ $1 = b ] || {{ {refusal}; }}\ntouch {tmp_path}/extended\n"
    )
    for tool in tools.iterdir():
        tool.chmod(0o755)
    file = cluster.dags / "clusters" / "cpu.yaml"
    text = file.read_text().replace(
        '{kind: directory, root: "work spaces"}', "{kind: hpc_workspace}"
    )
    file.write_text(text)
    cluster.login.stop()
    path = cluster.login.environment["PATH"]
    cluster.login.environment = {**cluster.login.environment, "PATH": f"{tools}:{path}"}
    cluster.login.start()
    sites = [{"cpu": {"cluster": "cpu", "workspace": f"{folders}/{name}"}} for name in "ab"]
    runs = [RunHandle.model_validate(cluster.handle(sites=site)) for site in sites]
    rows = extend_leases(runs)
    assert [row["remaining"] for row in rows] == ["1.1 days"] * 2
    assert rows[0]["action"].startswith("FAILED: the workspace tools refused: Error: no more ext")
    assert "before it expires" in rows[0]["action"]
    assert rows[1]["action"] == "extended to 29.1 days"


def test_a_cluster_that_nobody_describes_any_more_stops_nothing(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [RunHandle.model_validate(cluster.handle())]
    (cluster.dags / "clusters" / "cpu.yaml").unlink()
    assert extend_leases(runs)[0]["action"].startswith("FAILED: cpu.yaml: no such file")
    monkeypatch.delenv("AIRFLOW_CONN_CPU")
    for sweep in (remove_leftovers, usage_rows):
        [row] = sweep(runs)
        assert row["action"].startswith("FAILED"), sweep


def test_rows_make_a_table() -> None:
    table = markdown([{"a": "1"}, {"a": "2", "b": "3"}]).splitlines()
    assert table == ["| a | b |", "|---|---|", "| 1 |  |", "| 2 | 3 |"]
    assert json.dumps(table) and housekeeping.NONE
