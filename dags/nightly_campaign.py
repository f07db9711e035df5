"""# Nightly campaign: spend tonight's core-hours on further records.

Adds a round to the champion's run, of as many points as the budget
(`execution.nightly_core_hours`) buys at the rate measured so far; what they aim at stands in
`design.later_rounds`. A round that an earlier night left unfinished is finished first. The grown
dataset then starts a retraining; a night that would not be worth its price keeps its budget. An
alarm of production's control charts starts one too, half of it around the measured sheets.
"""

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag

from yieldloop_dags.forms import campaign_field, run_field
from yieldloop_dags.handles import unwired
from yieldloop_dags.stages.closing import close_night
from yieldloop_dags.stages.opening import continue_run
from yieldloop_dags.stages.settings import DEFAULTS
from yieldloop_dags.stages.simulating import next_round, simulate
from yieldloop_dags.stages.telling import DRIFT, announce_growth


@dag(
    dag_display_name="Nightly campaign",
    description="Spend tonight's core-hours on further records.",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 22 * * *", timezone="UTC"), assets=DRIFT
    ),
    params=campaign_field() | run_field(),
    default_args=DEFAULTS,
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["yieldloop"],
)
def nightly_campaign():
    """Add one round to the champion's run, or another."""
    run = continue_run()
    planned = next_round(run)
    run >> planned
    dataset, solved, points = simulate(run, planned)
    announce_growth(run, dataset, unwired(solved))
    close_night(run, *map(unwired, (planned, points, solved, dataset)))


nightly_campaign()
