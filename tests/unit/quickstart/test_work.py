"""`status`: what the queues have to do and which runs go on."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from quickstart.batchq.store import Request, Store
from quickstart.processes import identify
from quickstart.stack.layout import Layout
from quickstart.stack.work import SHOWN_JOBS, queue_lines, run_lines

NOW = datetime(2026, 11, 20, 12, 2, 5, tzinfo=UTC)


def submit(store: Store, name: str, elements: int) -> str:
    request = Request(
        name=name, indices=tuple(range(elements)), cpus=1, memory_mib=1, walltime_s=1,
        log_dir="/", work_dir="/",
    )  # fmt: skip
    return store.submit(request, b"#!/bin/sh\n")


def test_a_queue_tells_its_live_jobs_and_counts_the_rest(tmp_path: Path) -> None:
    layout = Layout(root=tmp_path, checkout=tmp_path)
    assert list(queue_lines(layout)) == ["queue cpu: empty", "queue ai: empty"]
    layout.make()
    store = Store(layout.node_queue("cpu"))
    job = store.job(submit(store, "simulate-solve-shards-0123456789", 3))
    assert job is not None
    myself = identify(os.getpid())
    assert myself and job.element(1).start(myself)
    for number in range(SHOWN_JOBS + 1):
        submit(store, f"later-{number}", 1)
    lines = list(queue_lines(layout))
    assert lines[0] == "queue cpu: 11 pending, 1 running"
    assert lines[1] == "      1  2 pending, 1 running  simulate-solve-shards-0123456789"
    assert lines[-2] == "         and 2 jobs more" and lines[-1] == "queue ai: empty"


class Runs:
    """The API of an Airflow with these runs under way."""

    def __init__(self, *runs: dict[str, Any]) -> None:
        self.runs = runs

    def get(self, path: str, **parameters: Any) -> Any:
        assert path == "dags/~/dagRuns" and set(parameters["state"]) == {"queued", "running"}
        return {"dag_runs": list(self.runs), "total_entries": len(self.runs)}


def test_a_run_is_told_with_its_duration() -> None:
    common = {"dag_id": "hybrid_campaign", "state": "running"}
    began = common | {"dag_run_id": "campaign__1", "start_date": "2026-11-20T12:00:00Z"}
    waits = common | {"dag_run_id": "campaign__2", "state": "queued", "start_date": None}
    assert list(run_lines(Runs(began, waits), NOW)) == [  # type: ignore[arg-type]
        "run hybrid_campaign: queued  campaign__2",
        "run hybrid_campaign: running for 2 min 05 s  campaign__1",
    ]
    assert list(run_lines(Runs(), NOW)) == ["runs: none under way"]  # type: ignore[arg-type]


def test_an_airflow_that_is_down_is_said_to_be() -> None:
    class Down:
        def get(self, path: str, **parameters: Any) -> Any:
            raise httpx.ConnectError("connection refused")

    [line] = run_lines(Down())  # type: ignore[arg-type]
    assert line == "runs: Airflow does not answer: connection refused"
