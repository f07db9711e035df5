"""How a DAG run ends: its report, its night, the run in MLflow."""

from typing import Any

from airflow.sdk import task

from hpc_jobs.contract.report import ArrayReport, CampaignReport, Challenger, GateReport, RoundPlan
from hpc_jobs.contract.run import RunHandle
from operators.links import REPORT
from yieldloop_dags.handles import unwired
from yieldloop_dags.models import takes_models


def close_night(run: Any, planned: Any, points: Any, solved: Any, dataset: Any) -> None:
    """Report the night once everything is over, however it ended; a teardown as close_run is."""
    told = map(unwired, (planned, points, solved, dataset))
    closing = report_night(run, *told).as_teardown()
    tasks = closing.operator.dag.tasks
    last = [each for each in tasks if not each.downstream_task_ids and each != closing.operator]
    last >> closing


@task
@takes_models
def report_night(
    run: RunHandle | None,
    planned: RoundPlan | None,
    points: ArrayReport | None,
    solved: ArrayReport | None,
    dataset: ArrayReport | None,
    ti: Any = None,
) -> str:
    """Say what was planned, done, spent and left out, and what to do where it failed."""
    from operators.runs.closing import failed_tasks
    from operators.runs.night import log_night, night_report

    if run is None or planned is None:
        return "nothing was planned"
    report = night_report(run, planned, points, solved, dataset, failed_tasks(ti))
    log_night(report, run)
    return report.sentence


@task
@takes_models
def report(
    run: RunHandle,
    dataset: ArrayReport,
    challenger: Challenger,
    scored: ArrayReport,
    decision: GateReport,
    solved: ArrayReport,
    trained: ArrayReport,
    ti: Any = None,
) -> CampaignReport:
    """Put the result together, as a page too."""
    from operators.pages.campaign_report import campaign_report, publish_report
    from operators.pages.money import costs_of, log_costs
    from operators.runs.accounting import try_to_log_usage

    usage = try_to_log_usage(run)
    result = campaign_report(run, dataset, challenger, scored, decision, solved, trained)
    result = result.model_copy(update={"usage": usage})
    result = result.model_copy(update={"costs": costs_of(result)})
    log_costs(run, result.costs)
    result, address = publish_report(run, result)
    ti.xcom_push(REPORT, address)
    return result


@task(task_id="report")
@takes_models
def report_retraining(
    run: RunHandle,
    challenger: Challenger,
    scored: ArrayReport,
    decision: GateReport,
    ti: Any = None,
) -> CampaignReport:
    """Put the result of a retraining together, as a page of its own run in MLflow."""
    from operators.pages.campaign_report import publish_report, retraining_report

    result, address = publish_report(run, retraining_report(run, challenger, scored, decision))
    ti.xcom_push(REPORT, address)
    return result


def close_after_all(run: Any) -> None:
    """Close the run in MLflow once everything that the DAG has so far is over, however it ended.

    A teardown: Airflow leaves it out when it decides the colour of the DAG run.
    """
    closing = close_run(run).as_teardown()
    tasks = closing.operator.dag.tasks
    last = [each for each in tasks if not each.downstream_task_ids and each != closing.operator]
    last >> closing


@task
@takes_models
def close_run(run: RunHandle | None, ti: Any = None) -> str:
    """Say in MLflow how it ended; clearing what failed, and what comes after it, says it anew."""
    from operators.runs.accounting import try_to_log_usage
    from operators.runs.closing import failed_tasks
    from operators.runs.run import finish_run

    if run is None:
        return "the run was never opened"
    failed = failed_tasks(ti)
    if failed:
        try_to_log_usage(run)
    finish_run(run, ok=not failed)
    return f"failed: {', '.join(failed)}" if failed else "finished"
