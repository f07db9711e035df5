"""Identify what was measured, simulate it again, compare."""

from typing import Any

from airflow.sdk import task_group

from operators.array.operator import HpcArrayJobOperator
from operators.tracking.replay_sensor import ReplaySensor
from yieldloop_dags.stages.settings import REPLAY_S, VALIDATION


@task_group
def validate(run: Any, model: Any, after: Any = None) -> Any:
    """Identify the measured alloys, simulate them again with the answer, compare.

    after: what must have ended first, where that is not what names the model.
    """
    identified = HpcArrayJobOperator(
        task_id="identify",
        job="identify",
        site="gpu",
        run=run,
        arguments=["--model", model, "--validation", VALIDATION],
    )
    outside = HpcArrayJobOperator(
        task_id="identify_outside",
        job="identify_outside",
        run=run,
        elements=run["outside"],
        arguments=["--validation", VALIDATION],
    )
    simulated = HpcArrayJobOperator(
        task_id="resimulate",
        job="resimulate",
        run=run,
        elements=run["measurements"],
        arguments=["--validation", VALIDATION],
    )
    scored = HpcArrayJobOperator(
        task_id="score", job="score", run=run, arguments=["--validation", VALIDATION]
    )
    followed = ReplaySensor(task_id="follow_score", run=run, of=scored, poke_interval=REPLAY_S)
    if after is not None:
        after >> identified
    identified >> outside >> simulated >> [scored, followed]
    return scored.output
