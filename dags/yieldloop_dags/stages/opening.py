"""Whose run a DAG run works on: a new one, the champion's, or the one that is named."""

from typing import Any

from airflow.sdk import PokeReturnValue, task

from hpc_jobs.contract.report import Champion, RunOrigin
from hpc_jobs.contract.run import RunHandle
from yieldloop_dags.handles import unwired
from yieldloop_dags.models import takes_models

TURN_POLL_S, TURN_PATIENCE_S = 30.0, 7 * 86400.0


@task(multiple_outputs=True)
@takes_models
def open_run(params: dict[str, Any], ti: Any = None) -> RunHandle:
    """Validate the campaign; then workspace, code, measurements, MLflow run, the first turn."""
    from operators.promotion.origin import take_first_turn
    from operators.runs.run import open_run_task
    from yieldloop_dags.forms import overrides

    return take_first_turn(open_run_task(params["campaign"], overrides(params)), ti)


@task.sensor(poke_interval=TURN_POLL_S, timeout=TURN_PATIENCE_S, mode="reschedule")
def await_turn(
    origin: str | None = None, params: dict[str, Any] | None = None, ti: Any = None
) -> PokeReturnValue:
    """Wait until no other DAG run works on that run, or on the champion's; returns its id and why.

    Skips where none is named and the campaign has no champion yet.
    """
    from airflow.sdk import get_current_context

    from operators.promotion.origin import announced_run, take_turn_task

    campaign = params["campaign"]
    told = announced_run(campaign, get_current_context().get("triggering_asset_events"))
    found = take_turn_task(campaign, origin or params.get("run") or told, ti)
    return PokeReturnValue(is_done=found is not None, xcom_value=found and found.model_dump())


@task(multiple_outputs=True)
@takes_models
def reopen_run(origin: RunOrigin, params: dict[str, Any], own: str = "") -> RunHandle:
    """Go on with the run of that id, with the code as it is now.

    own: name of a run in MLflow for what is added to it.
    """
    from operators.runs.run import continue_run_task

    return continue_run_task(params["campaign"], origin.run_id, own)


def continue_run(origin: Any = None, own: str = "") -> Any:
    """Go on with the run of that id, or the champion's, once it is this DAG run's turn.

    own: name of a run in MLflow for what is added, so that nothing there is written over.
    """
    return unwired(reopen_run(await_turn(origin), own=own))


@task(multiple_outputs=True)
@takes_models
def find_champion(params: dict[str, Any]) -> Champion:
    """Look up the campaign's champion, and the run that it came from; skips where none is."""
    from operators.promotion.registry import find_champion_task

    return find_champion_task(params["campaign"])
