"""# Inverse validation: whether the champion still identifies real sheets.

Runs every morning, so that new measurements are met within a day, and on every new champion:
identifies all measurements, simulates them again with the answer and compares. A failure starts a
retraining; a drift of production, on control charts over the days, a night around those sheets.
"""

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag

from yieldloop_dags.forms import campaign_field
from yieldloop_dags.handles import unwired
from yieldloop_dags.stages.closing import close_after_all
from yieldloop_dags.stages.opening import continue_run, find_champion
from yieldloop_dags.stages.settings import DEFAULTS, VALIDATION
from yieldloop_dags.stages.telling import CHAMPION, announce_failure, watch_production
from yieldloop_dags.stages.validating import validate


@dag(
    dag_display_name="Inverse validation",
    description="Whether the champion still identifies real sheets.",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 6 * * *", timezone="UTC"), assets=CHAMPION
    ),
    params=campaign_field(),
    default_args=DEFAULTS,
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["yieldloop"],
)
def inverse_validation():
    """Validate the champion in the run that it came from."""
    champion = find_champion()
    run = continue_run(champion["run_id"], own=f"inverse-validation-{VALIDATION}")
    verdict = validate(run, unwired(champion["model"]), after=run)
    announce_failure(run, verdict)
    watch_production(run, verdict)
    close_after_all(run)


inverse_validation()
