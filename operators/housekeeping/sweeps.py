"""What nobody should have to think of: leases, jobs without a task, metrics not yet replayed.

Each function does its work for every run that MLflow knows of, says what it did, and returns it as
rows for a table. A cluster that does not answer is a row, too, and never stops the others.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from airflow.sdk.exceptions import AirflowNotFoundException

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.run import RunHandle
from hpc_jobs.job_folder.folder import JobFolder
from operators.array.lease import lengthen
from operators.array.task_memory import ENDED
from operators.cluster.errors import ClusterError, WorkspaceRefused
from operators.cluster.workspaces.workspace_tool import Lease
from operators.hooks.hpc import Session, open_session
from operators.hooks.mlflow import MlflowHook
from operators.runs.run import HANDLE, folder_of
from operators.tracking.replay_sensor import replay_everything

log = logging.getLogger(__name__)

EXTEND_BELOW_S = 5 * 86400.0
EXTEND_BY_DAYS = 30
RUNS = 200
NONE = "nothing to do"
FAILED = "FAILED"
HISTORY = "history"
AWAY = (ClusterError, ConfigurationError, AirflowNotFoundException)
"""What one cluster, or its description, may fail with; the others are gone on with."""

Row = dict[str, str]
TaskState = Callable[[Mapping[str, Any]], str | None]
"""An intent -> the state of its task instance, "gone" where Airflow has no such task."""


def state_by_airflow(states: Callable[..., Mapping[str, Mapping[str, Any]]]) -> TaskState:
    """Ask Airflow, by a task instance's `get_task_states`, for the task that an intent names."""

    def state_of(intent: Mapping[str, Any]) -> str | None:
        found = states(
            dag_id=intent["dag_id"], task_ids=[intent["task_id"]], run_ids=[intent["run_id"]]
        ).get(intent["run_id"])
        if not found:
            return "gone"
        state = next(iter(found.values()))
        return None if state is None else str(state)

    return state_of


def known_runs(mlflow: MlflowHook | None = None) -> list[RunHandle]:
    """Return the handles of all campaigns' runs, the most recent first."""
    client = (mlflow or MlflowHook()).require()
    experiments = [each.experiment_id for each in client.search_experiments()]
    found = client.search_runs(
        experiments,
        f"tags.{HANDLE} != ''",
        order_by=["attributes.start_time DESC"],
        max_results=RUNS,
    )
    return [RunHandle.model_validate_json(run.data.tags[HANDLE]) for run in found]


def extend_leases(runs: Iterable[RunHandle]) -> list[Row]:
    """Extend every workspace in use that expires soon; fail loudly in the row if it cannot be."""
    used: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        for site in run.sites.values():
            used[site.cluster].add(site.workspace)
    rows = []
    for cluster, paths in sorted(used.items()):
        rows += on_cluster(cluster, partial(_extend, paths=paths))
    return log_rows("leases", rows)


def cancel_orphans(runs: Iterable[RunHandle], state_of: TaskState) -> list[Row]:
    """Cancel live jobs whose task has ended: nobody waits for them any more."""
    folders: dict[str, list[RunFolder[PurePosixPath]]] = defaultdict(list)
    for run in runs:
        for site in run.sites.values():
            folders[site.cluster].append(folder_of(run.run_id, site))
    rows = []
    for cluster, places in sorted(folders.items()):
        rows += on_cluster(cluster, partial(_cancel, folders=places, state_of=state_of))
    return log_rows("orphaned jobs", rows)


def replay_spools(runs: Iterable[RunHandle]) -> list[Row]:
    """Replay what jobs have spooled and no task has replayed."""
    rows = []
    for run in runs:
        row = {"run": run.run_id}
        try:
            counts = replay_everything(run)
        except AWAY as error:
            rows.append(row | {"action": f"{FAILED}: {error}"})
        else:
            rows.append(row | {name: str(count) for name, count in counts.items()})
    return log_rows("tracking spools", rows)


def markdown(rows: Iterable[Row]) -> str:
    """Draw rows as a table."""
    rows = list(rows)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(row.get(key, "")) for key in columns) + " |" for row in rows]
    return "\n".join(lines)


def one_table(sweeps: Mapping[str, Iterable[Row] | None]) -> tuple[str, int]:
    """Draw what all tasks did, and count what failed; None is a task that did not end."""
    rows = []
    for sweep, done in sweeps.items():
        for row in [{"action": f"{FAILED}: see the log of {sweep}"}] if done is None else done:
            what = ", ".join(f"{k} {v}" for k, v in row.items() if k != "action")
            rows.append({"sweep": sweep, "what": what, "action": row.get("action", "")})
    failed = sum(row["action"].startswith(FAILED) for row in rows)
    return (markdown(rows) if rows else NONE), failed


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _extend(session: Session, paths: set[str]) -> list[Row]:
    rows = []
    for lease in session.workspaces.list():
        if lease.path not in paths:
            continue
        row = {
            "cluster": session.cluster,
            "workspace": lease.name,
            "remaining": _days(lease.remaining_s),
        }
        if lease.remaining_s is None or lease.remaining_s > EXTEND_BELOW_S:
            rows.append(row | {"action": NONE})
        else:
            rows.append(row | {"action": _extended(session, lease)})
    return rows


def _extended(session: Session, lease: Lease) -> str:
    """Extend one lease; that it cannot be must not keep the others from it.

    What it has now is told, not what was asked for: a filesystem may cap it.
    """
    words = "copy what you need to another workspace before it expires"
    try:
        after = lengthen(session, lease, EXTEND_BY_DAYS)
    except WorkspaceRefused as error:
        return f"{FAILED}: {error}; {words}"
    if (after.remaining_s or 0.0) < (lease.remaining_s or 0.0) + 3600:
        return f"{FAILED}: the filesystem caps it at {_days(after.remaining_s)}; {words}"
    return f"extended to {_days(after.remaining_s)}"


def _cancel(
    session: Session, folders: list[RunFolder[PurePosixPath]], state_of: TaskState
) -> list[Row]:
    rows = []
    for job_id, name in sorted(session.queue().items()):
        token = name.rpartition(".")[0]  # behind it, which submission
        job = _folder(session, folders, token) if token else None
        if job is None:
            continue  # not one of ours
        intent = json.loads(session.read(str(job.intent)))
        state = HISTORY if _is_history(session, job, name) else state_of(intent)
        row = {"cluster": session.cluster, "job": job_id, "token": token, "task": str(state)}
        if state in ENDED or state in ("gone", HISTORY):
            session.cancel([job_id])
            rows.append(row | {"action": "cancelled"})
        else:
            rows.append(row | {"action": NONE})
    return rows


def _is_history(session: Session, job: JobFolder[PurePosixPath], name: str) -> bool:
    """Whether a live job's books are closed, or name another job in its place."""
    if session.exists(str(job.finished)):
        return True
    number = name.rpartition(".")[2].partition("-")[0]
    try:
        record = json.loads(session.read(str(job.submission(int(number)))))
    except (FileNotFoundError, ValueError):
        return False
    return bool(record.get("name") != name)


def _folder(
    session: Session, folders: list[RunFolder[PurePosixPath]], token: str
) -> JobFolder[PurePosixPath] | None:
    for folder in folders:
        job = folder.job(token)
        if session.exists(str(job.intent)):
            return job
    return None


def on_cluster(cluster: str, work: Callable[[Session], list[Row]]) -> list[Row]:
    """Work on one cluster; one that does not answer is a row."""
    try:
        with open_session(cluster) as session:
            return work(session)
    except AWAY as error:
        return [{"cluster": cluster, "action": f"{FAILED}: {error}"}]


def log_rows(title: str, rows: list[Row]) -> list[Row]:
    """Say it in the log, and pass it on."""
    log.info("%s\n%s", title, markdown(rows) if rows else NONE)
    return rows


def _days(seconds: float | None) -> str:
    return "does not expire" if seconds is None else f"{seconds / 86400:.1f} days"
