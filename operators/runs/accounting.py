"""What a campaign's run has taken, and whether a further job fits its budget.

The books are the job folders themselves: what has ended says what it took (finished.json), what has
not is counted as if every element took its whole walltime. So the budget holds for any number of
tasks at once, after any crash, and cannot be passed unnoticed.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from airflow.sdk.exceptions import AirflowNotFoundException

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.report import UsageReport
from hpc_jobs.contract.run import RunHandle, SiteHandle
from hpc_jobs.job_folder.probes import books_command, parse_books
from operators.cluster.errors import BudgetExceeded, ClusterError
from operators.cluster.job import Resources, expand
from operators.cluster.reply import Reply, parsed
from operators.cluster.usage import HOUR_S, Usage
from operators.hooks.hpc import Connect, Session, open_session
from operators.hooks.mlflow import MlflowHook
from operators.runs.run import folder_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Books:
    """A run's account."""

    usage: Usage
    jobs: int
    """that have ended"""
    reserved_core_hours: float
    """at most, by jobs that have not"""


def read_books(session: Session, folder: RunFolder[PurePosixPath]) -> Books:
    """Add up all jobs of a run, whichever cluster ran them: both see the folder."""
    return sum_books(session.run(books_command(folder.root), timeout_s=300))


def sum_books(reply: Reply) -> Books:
    """Sum ends and records; raises TransportError when the answer is not whole."""
    usage, jobs, reserved = Usage(), 0, 0.0
    for document in parsed(parse_books, reply):
        if "outcome" in document:
            usage += Usage.read(document["usage"]) if "usage" in document else Usage()
            jobs += 1
        else:
            elements = len(expand(document["elements"]))
            reserved += most_core_hours(elements, Resources(**document["resources"]))
    return Books(usage, jobs, reserved)


def most_core_hours(elements: int, resources: Resources) -> float:
    """Return what an array takes if every element takes its whole walltime."""
    return elements * resources.cores * resources.walltime_s / HOUR_S


def require_budget(
    session: Session, run: RunHandle, site: SiteHandle, elements: int, resources: Resources
) -> None:
    """Raise BudgetExceeded if what is reserved, and so many further elements, might not fit."""
    budget = run.budget_core_hours
    if budget is None:
        return
    books = read_books(session, folder_of(run.run_id, site))
    reserved = books.reserved_core_hours + most_core_hours(elements, resources)
    if books.usage.core_hours + reserved > budget:
        raise BudgetExceeded(
            f"run {run.run_id} may use {budget:g} core-hours (execution.budget_core_hours): "
            f"{books.usage.core_hours:.4g} are used, and this job with all that is not over may "
            f"take up to {reserved:.4g}; give a run with a larger budget, fewer records, or less "
            "walltime_s (execution.resources)"
        )


def log_usage(
    run: RunHandle, mlflow: MlflowHook | None = None, connect: Connect = open_session
) -> Usage:
    """Write what a run has taken so far into its MLflow run: metrics usage/..., tags usage.*.

    Raises TrackingUnavailable, ClusterError. May be repeated.
    """
    from mlflow.entities import Metric, RunTag

    site = run.sites["cpu"]
    with connect(site.cluster) as session:
        books = read_books(session, folder_of(run.run_id, site))
    values = books.usage.document() | {"jobs": books.jobs}
    tags = {"usage.core_hours": f"{books.usage.core_hours:.4g}"}
    if run.budget_core_hours is not None:
        tags["usage.budget_core_hours"] = f"{run.budget_core_hours:g}"
    (mlflow or MlflowHook()).require().log_batch(
        run.mlflow_run_id,
        metrics=[Metric(f"usage/{key}", float(value), 0, 0) for key, value in values.items()],
        tags=[RunTag(*tag) for tag in tags.items()],
    )
    return books.usage


def try_to_log_usage(run: RunHandle) -> UsageReport | None:
    """Log it if everybody answers: a report does not fail for its account; housekeeping repeats."""
    try:
        return UsageReport(**log_usage(run).document())
    except (ClusterError, ConfigurationError, AirflowNotFoundException) as error:
        log.warning("the account of run %s stays open: %s", run.run_id, error)
        return None


def usage_rows(runs: Iterable[RunHandle]) -> list[dict[str, str]]:
    """Log what runs have taken; a row each, and one that says so where nobody answers."""
    rows = []
    for run in runs:
        row: dict[str, str] = defaultdict(str, run=run.run_id)
        try:
            usage = log_usage(run)
        except (ClusterError, ConfigurationError, AirflowNotFoundException) as error:
            row["action"] = f"FAILED: {error}"
        else:
            row["core-hours"] = f"{usage.core_hours:.4g}"
            row["GPU-hours"] = f"{usage.gpu_hours:.4g}"
            row["efficiency"] = f"{usage.efficiency:.0%}"
            row["mean wait"] = f"{usage.mean_queue_wait_s:.0f} s"
        rows.append(dict(row))
    return rows
