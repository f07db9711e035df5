"""# Retraining: a new challenger from all records there are.

Runs every week, when the dataset has grown, and when the champion fails its validation.
"""

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag

from yieldloop_dags.forms import campaign_field, run_field
from yieldloop_dags.stages import (
    DATASET,
    DEFAULTS,
    FAILED_VALIDATION,
    announce_champion,
    continue_run,
    gate,
    report_retraining,
    train,
    validate,
)


@dag(
    dag_display_name="Retraining",
    description="A new challenger from all records there are.",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 4 * * 0", timezone="UTC"),
        assets=DATASET | FAILED_VALIDATION,
    ),
    params=campaign_field() | run_field(),
    default_args=DEFAULTS,
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["yieldloop"],
)
def retraining():
    """Train, validate and judge on the campaign's latest run."""
    run = continue_run()
    challenger, _ = train(run)
    verdict = validate(run, challenger["model"])
    decision = gate(run, challenger, verdict)
    announce_champion(run, decision)
    report_retraining(run, challenger, verdict, decision)


retraining()
