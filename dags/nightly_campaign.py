"""# Nightly campaign: spend tonight's core-hours on further records.

Continues the Sobol sequence of the champion's run by as many points as the budget
(`execution.nightly_core_hours`) buys at the rate measured so far. The grown dataset then starts a
retraining.
"""

from airflow.sdk import CronTriggerTimetable, dag

from yieldloop_dags.forms import campaign_field, run_field
from yieldloop_dags.stages import DEFAULTS, announce_growth, continue_run, next_round, simulate


@dag(
    dag_display_name="Nightly campaign",
    description="Spend tonight's core-hours on further records.",
    schedule=CronTriggerTimetable("0 22 * * *", timezone="UTC"),
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
    dataset, _ = simulate(run, planned)
    announce_growth(run, dataset)


nightly_campaign()
