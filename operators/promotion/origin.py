"""Which run a night, a retraining or a search goes on with: the champion's, unless one is named.

The latest run is never taken by being the latest: it may be somebody's trial with fifty records.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.report import RunOrigin
from hpc_jobs.contract.run import RunHandle
from operators.hooks.hpc import Connect, open_session
from operators.hooks.mlflow import MlflowHook
from operators.promotion.registry import champion
from operators.runs.run import completed_runs, find_handle
from operators.runs.turns import DagRun, live_by_airflow, take_turn

log = logging.getLogger(__name__)
NAMED = 5
"""Runs that a message names."""


def origin_of(
    campaign: str, chosen: str | None = None, mlflow: MlflowHook | None = None
) -> tuple[RunOrigin, RunHandle]:
    """Return the run to go on with, and why it is that one.

    Raises AirflowFailException for a chosen run that the campaign does not have, and
    AirflowSkipException where none is chosen and there is no champion.
    """
    if chosen:
        known = find_handle(chosen, campaign, mlflow)
        if known is None:
            raise AirflowFailException(
                f"campaign '{campaign}' has no run '{chosen}'; {choices(campaign, mlflow)}"
            )
        return RunOrigin(run_id=chosen, why="chosen"), known
    best = champion(campaign, mlflow)
    if best is None:
        raise AirflowSkipException(
            f"campaign '{campaign}' has no champion, whose run would be gone on with; "
            f"{choices(campaign, mlflow)}"
        )
    known = find_handle(best.run_id, campaign, mlflow)
    if known is None:
        raise AirflowFailException(
            f"the champion of campaign '{campaign}', version {best.version}, is of run "
            f"'{best.run_id}', which MLflow does not have any more; {choices(campaign, mlflow)}"
        )
    return RunOrigin(run_id=best.run_id, why="champion"), known


def choices(campaign: str, mlflow: MlflowHook | None = None, without: str = "") -> str:
    """Say which runs, but for one, may be named instead, with the times at which they began."""
    runs = completed_runs(campaign, mlflow, NAMED)
    runs = [(run, when) for run, when in runs if run.run_id != without]
    if not runs and without:
        return "There is no other completed run"
    if not runs:
        return "it has no completed run either: trigger hybrid_campaign first"
    listed = ", ".join(f"{run.run_id} ({when:%Y-%m-%d %H:%M} UTC)" for run, when in runs)
    return f"name the run to go on with in the trigger form's field 'run': {listed}"


def _whose(origin: RunOrigin) -> str:
    return "the champion's" if origin.why == "champion" else "the one that was chosen"


def announced_run(campaign: str, events: Mapping[Any, Iterable[Any]] | None) -> str | None:
    """Name the run that triggered a DAG run by growing, or by failing its validation, if one did.

    events: of a task's context, lists by asset. What is told of another campaign is left out.
    """
    told = [event for each in (events or {}).values() for event in each]
    told.sort(key=lambda event: event.timestamp)
    named = [
        str(event.extra["run_id"])
        for event in told
        if event.extra.get("campaign") == campaign and event.extra.get("run_id")
    ]
    return named[-1] if named else None


def take_turn_task(
    campaign: str,
    chosen: str | None,
    ti: Any,
    connect: Connect = open_session,
    mlflow: MlflowHook | None = None,
) -> RunOrigin | None:
    """Take the current DAG run's turn on the run to go on with; None if it is not its turn yet.

    Raises AirflowFailException where that run's folder is gone, and says which runs there are else.
    """
    origin, run = origin_of(campaign, chosen, mlflow)
    is_live = live_by_airflow(ti.get_dr_count)
    try:
        holder = take_turn(run, DagRun(ti.dag_id, ti.run_id), is_live, connect)
    except CorruptFile as error:
        raise AirflowFailException(
            f"run '{run.run_id}' of campaign '{campaign}', {_whose(origin)}, cannot be gone on "
            f"with: {error}. {choices(campaign, mlflow, without=run.run_id)}"
        ) from error
    if holder is None:
        log.info("goes on with run %s, %s", run.run_id, _whose(origin))
        return origin
    log.info("run %s: waits for %s, which is at work on it", run.run_id, holder)
    return None


def take_first_turn(run: RunHandle, ti: Any, connect: Connect = open_session) -> RunHandle:
    """Take the turn on a run that this DAG run opened, so that others queue behind it.

    Raises AirflowFailException where another is at work on it already: the opening task was
    cleared long after.
    """
    holder = take_turn(run, DagRun(ti.dag_id, ti.run_id), live_by_airflow(ti.get_dr_count), connect)
    if holder is not None:
        raise AirflowFailException(
            f"run {run.run_id} is being worked on by {holder}; clear this task when that has ended"
        )
    return run
