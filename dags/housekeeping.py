"""# Housekeeping: what nobody should have to think of.

Extends workspace leases that run out, cancels jobs whose task has ended, replays metrics that no
task has replayed, removes what killed processes left, and brings every run's account up to date.
The last task draws one table of what was done, and fails where a person is needed.
"""

from airflow.sdk import CronTriggerTimetable, dag, task
from airflow.sdk.exceptions import AirflowFailException

from hpc_jobs.contract.report import SweepReport
from yieldloop_dags.models import takes_models
from yieldloop_dags.stages.settings import DEFAULTS


@dag(
    dag_display_name="Housekeeping",
    description="Leases, orphaned jobs, metrics, leftovers, accounts; every hour.",
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
    @takes_models
    def extend_leases() -> SweepReport:
        from operators.housekeeping.sweeps import extend_leases, known_runs

        return SweepReport(rows=extend_leases(known_runs()))

    @task
    @takes_models
    def cancel_orphans(ti=None) -> SweepReport:
        from operators.housekeeping.sweeps import cancel_orphans, known_runs, state_by_airflow

        rows = cancel_orphans(known_runs(), state_by_airflow(ti.get_task_states))
        return SweepReport(rows=rows)

    @task
    @takes_models
    def replay_metrics() -> SweepReport:
        from operators.housekeeping.sweeps import known_runs, replay_spools

        return SweepReport(rows=replay_spools(known_runs()))

    @task
    @takes_models
    def remove_leftovers() -> SweepReport:
        from operators.housekeeping.leftovers import remove_leftovers
        from operators.housekeeping.sweeps import known_runs

        return SweepReport(rows=remove_leftovers(known_runs()))

    @task
    @takes_models
    def account() -> SweepReport:
        from operators.housekeeping.sweeps import known_runs, log_rows
        from operators.runs.accounting import usage_rows

        return SweepReport(rows=log_rows("accounts", usage_rows(known_runs())))

    @task(trigger_rule="all_done", retries=0)
    @takes_models
    def table(
        leases: SweepReport | None = None,
        orphans: SweepReport | None = None,
        metrics: SweepReport | None = None,
        leftovers: SweepReport | None = None,
        accounts: SweepReport | None = None,
    ) -> str:
        from operators.housekeeping.sweeps import one_table

        sweeps = {
            "leases": leases,
            "orphans": orphans,
            "metrics": metrics,
            "leftovers": leftovers,
            "accounts": accounts,
        }
        drawn, failed = one_table({name: sweep and sweep.rows for name, sweep in sweeps.items()})
        print(drawn)
        if failed:
            raise AirflowFailException(f"{failed} rows need a person:\n{drawn}")
        return drawn

    orphans = cancel_orphans()
    leftovers = remove_leftovers()
    orphans >> leftovers
    table(extend_leases(), orphans, replay_metrics(), leftovers, account())


housekeeping()
