"""What a stack works on right now: its queues' jobs, and the DAG runs that have not ended."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx

from quickstart.batchq.store import Store
from quickstart.stack.airflow_api import AirflowApi
from quickstart.stack.layout import NODES, Layout

LIVE = ("queued", "running")
SHOWN_JOBS = 8  # of a queue; the others are counted


def queue_lines(layout: Layout) -> Iterator[str]:
    """Say what each node's queue has to do, one job a line; reads files, needs no daemon."""
    for node in NODES:
        state = layout.node_queue(node)
        jobs = Store(state).live_jobs() if state.exists() else []
        if not jobs:
            yield f"queue {node}: empty"
            continue
        reports = [job.report() for job in jobs]
        yield f"queue {node}: {_states(e for r in reports for e in r['elements'])}"
        for report in reports[:SHOWN_JOBS]:
            yield f"  {report['id']:>5}  {_states(report['elements'])}  {report['name']}"
        if len(reports) > SHOWN_JOBS:
            yield f"         and {len(reports) - SHOWN_JOBS} jobs more"


def run_lines(api: AirflowApi, now: datetime | None = None) -> Iterator[str]:
    """Say which DAG runs go on, and for how long; one line where Airflow does not answer."""
    try:
        found = api.get("dags/~/dagRuns", state=list(LIVE), limit=100)
    except httpx.HTTPError as error:
        yield f"runs: Airflow does not answer: {error}"
        return
    runs = found["dag_runs"]
    if not runs:
        yield "runs: none under way"
    for run in sorted(runs, key=lambda run: (run["start_date"] or "", run["dag_run_id"])):
        yield f"run {run['dag_id']}: {run['state']}{_since(run, now)}  {run['dag_run_id']}"
    if found["total_entries"] > len(runs):
        yield f"and {found['total_entries'] - len(runs)} runs more"


def _states(elements: Any) -> str:
    counts = Counter(str(element["state"]).lower() for element in elements)
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))


def _since(run: dict[str, Any], now: datetime | None) -> str:
    if not run["start_date"]:
        return ""
    began = datetime.fromisoformat(run["start_date"])
    seconds = ((now or datetime.now(UTC)) - began).total_seconds()
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    return f" for {minutes} min {rest:02d} s"
