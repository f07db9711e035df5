"""# Retraining: a new challenger from all records there are.

Runs every week, when the dataset has grown, and when the champion fails its validation.
"""

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag

from yieldloop_dags.forms import campaign_field, run_field
from yieldloop_dags.handles import unwired
from yieldloop_dags.stages.closing import close_after_all, report_retraining
from yieldloop_dags.stages.judging import gate
from yieldloop_dags.stages.opening import continue_run
from yieldloop_dags.stages.settings import DEFAULTS, TRAINING
from yieldloop_dags.stages.telling import DATASET, FAILED_VALIDATION, announce_champion
from yieldloop_dags.stages.training import train
from yieldloop_dags.stages.validating import validate


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
    """Train, validate and judge on the champion's run, or another."""
    run = continue_run(own=f"retraining-{TRAINING}")
    challenger, _ = train(run)
    verdict = validate(run, challenger["model"])
    decision = gate(run, challenger, verdict)
    announce_champion(run, decision)
    report_retraining(run, *map(unwired, (challenger, verdict)), decision)
    close_after_all(run)


retraining()
