"""# Housekeeping: what nobody should have to think of.

Extends workspace leases that run out, cancels jobs whose task has ended, and replays metrics that
no task has replayed. Each task's log ends with a table of what it did.
"""

from airflow.sdk import CronTriggerTimetable, dag, task

from stages import DEFAULTS


@dag(
    schedule=CronTriggerTimetable("0 * * * *", timezone="UTC"),
    default_args=DEFAULTS,
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["yieldloop"],
)
def housekeeping():
    """Sweep all runs on all clusters, every hour."""

    @task
    def extend_leases() -> list[dict[str, str]]:
        from operators.housekeeping import extend_leases, known_runs

        return extend_leases(known_runs())

    @task
    def cancel_orphans(ti=None) -> list[dict[str, str]]:
        from operators.housekeeping import cancel_orphans, known_runs, state_by_airflow

        return cancel_orphans(known_runs(), state_by_airflow(ti.get_task_states))

    @task
    def replay_metrics() -> list[dict[str, str]]:
        from operators.housekeeping import known_runs, replay_spools

        return replay_spools(known_runs())

    extend_leases()
    cancel_orphans()
    replay_metrics()


housekeeping()
