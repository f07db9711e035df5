"""A round: which points, their records on the CPU cluster, the data set of them."""

from typing import Any

from airflow.sdk import task, task_group

from hpc_jobs.contract.report import ArrayReport, RoundPlan
from hpc_jobs.contract.run import RunHandle
from operators.array.operator import HpcArrayJobOperator
from yieldloop_dags.handles import unwired
from yieldloop_dags.models import takes_models


@task(multiple_outputs=True)
@takes_models
def first_round(run: RunHandle) -> RoundPlan:
    """Plan the campaign's own points."""
    from operators.runs.rounds import first_round

    return first_round(run)


@task(multiple_outputs=True)
@takes_models
def next_round(run: RunHandle) -> RoundPlan:
    """Plan what tonight's core-hours buy; after an alarm of drift, around the measured sheets."""
    from airflow.sdk import get_current_context

    from operators.promotion.origin import announced_run
    from operators.runs.rounds import next_round

    events = get_current_context().get("triggering_asset_events")
    alarmed = announced_run(run.campaign, events) is not None
    return next_round(run, aims="drift" if alarmed else "campaign")


@task_group
def simulate(run: Any, planned: Any) -> Any:
    """Choose points, solve them on the CPU cluster, pack what was solved.

    Records of a large round are dealt and packed by arrays; those of a small one, for which these
    have no elements, by `publish_dataset` itself.

    Returns what `publish_dataset`, `solve_shard` and `choose_points` returned.
    """
    plan = unwired(planned)
    number = ["--round", plan["round"]]
    warm = HpcArrayJobOperator(task_id="warm_kernels", job="warm_kernels", run=run)
    points = HpcArrayJobOperator(
        task_id="choose_points",
        job="choose_points",
        run=run,
        arguments=[
            *(*number, "--records", plan["train_records"]),
            *("--aims", plan["aims"]),
        ],
    )
    solved = HpcArrayJobOperator(
        task_id="solve_shards",
        job="solve_shard",
        run=run,
        elements=size_round(plan, points.output),
        arguments=number,
        work=plan["records"],
        unit="records",
    )
    elements = plan["packing_elements"]
    among = ["--elements", elements]
    dealt = HpcArrayJobOperator(
        task_id="deal_records", job="deal_records", run=run, elements=elements, arguments=among
    )
    packed = HpcArrayJobOperator(
        task_id="pack_records", job="pack_records", run=run, elements=elements, arguments=among
    )
    dataset = HpcArrayJobOperator(task_id="publish_dataset", job="publish_dataset", run=run)
    plan >> [warm, points]
    [warm, points] >> solved >> dealt >> packed >> dataset
    log_round(run, plan, solved.output)
    return dataset.output, solved.output, points.output


@task
@takes_models
def size_round(planned: RoundPlan, points: ArrayReport) -> int:
    """Say how many shards the round has: none where it was found not to be worth its price."""
    from operators.runs.rounds import shards_of

    return shards_of(planned, points)


@task
@takes_models
def log_round(run: RunHandle, planned: RoundPlan, solved: ArrayReport) -> str:
    """Describe the round in MLflow: records by status, core-hours, rate."""
    from operators.runs.rounds import log_round

    return log_round(run, planned, solved)
