"""Rounds of simulations: how large the next one is, and what the last one cost."""

import logging
import re
from typing import TYPE_CHECKING

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.facts import ShardFacts
from hpc_jobs.contract.packing import packing_elements
from hpc_jobs.contract.report import ArrayReport, RoundPlan
from hpc_jobs.contract.run import RunHandle
from operators.hooks.hpc import Connect, open_session
from operators.hooks.mlflow import MlflowHook, find_or_create_run, literal
from operators.runs.run import folder_of, read_frozen

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

ROUND = "round.id"
"""Tag of a round's run in MLflow: <run id>/<number>."""
RATE = "round/records_per_core_hour"


def first_round(run: RunHandle, connect: Connect = open_session) -> RoundPlan:
    """Plan the campaign's own round: all its training and test points."""
    campaign = _campaign(run, connect)
    design = campaign.design
    return RoundPlan(
        round=0,
        train_records=design.train_records,
        records=design.records,
        shards=design.shards(),
        packing_elements=packing_elements(campaign, design.records),
    )


def next_round(
    run: RunHandle, mlflow: MlflowHook | None = None, connect: Connect = open_session
) -> RoundPlan:
    """Plan as many further records as tonight's core-hours buy, at the rate measured so far.

    At least one shard's worth, so that a rate too low for the budget shows in the records.
    """
    site = run.sites["cpu"]
    folder = folder_of(run.run_id, site)
    with connect(site.cluster) as session:
        campaign = read_frozen(session, folder).campaign
        names = session.list(str(folder.design(0).parent))
    numbers = [
        int(found[1]) for name in names if (found := re.fullmatch(r"round-(\d+)\.json", name))
    ]
    rate = _measured_rate(run, mlflow or MlflowHook())
    budget = campaign.execution.nightly_core_hours
    records = max(_affordable(rate, budget), campaign.design.records_per_shard)
    number = max(numbers, default=-1) + 1
    log.info(
        "round %d: %d records for %g core-hours at %.0f records per core-hour",
        number,
        records,
        budget,
        rate,
    )
    return RoundPlan(
        round=number,
        train_records=records,
        records=records,
        shards=campaign.design.shards(records),
        packing_elements=packing_elements(campaign, records),
    )


def log_round(
    run: RunHandle, planned: RoundPlan, solved: ArrayReport, mlflow: MlflowHook | None = None
) -> str:
    """Describe a solved round in MLflow, as a child of its campaign; returns its run's id.

    `solved` is what the array job of `solve_shard` returned. May be repeated.
    """
    from mlflow.entities import Metric, Param

    client = (mlflow or MlflowHook()).require()
    child = _child(client, run, planned)
    metrics = round_metrics(solved)
    client.log_batch(
        child,
        metrics=[Metric(key, value, 0, 0) for key, value in metrics.items()],
        params=[
            Param("round", str(planned.round)),
            Param("records", str(planned.records)),
            Param("shards", str(planned.shards)),
            Param("job", solved.token),
        ],
    )
    client.set_terminated(child, "FINISHED")
    return child


def round_metrics(solved: ArrayReport) -> dict[str, float]:
    """Numbers of one round: records by status, cost, rate."""
    facts, hours = solved.read(ShardFacts), solved.cpu_hours
    metrics = {
        "round/records": float(facts.records),
        "round/cpu_hours": hours,
        "round/wall_s": solved.wall_s,
        "round/lost_shards": float(solved.failed),
    }
    if hours > 0:
        metrics[RATE] = facts.records / hours
    return metrics | {
        f"round/status/{status}": float(count) for status, count in facts.by_status.items()
    }


def _affordable(rate: float, core_hours: float) -> int:
    return int(rate * core_hours)


def _measured_rate(run: RunHandle, mlflow: MlflowHook) -> float:
    """Return records per core-hour of the run's most recent round; 0 if none was logged."""
    client = mlflow.require()
    found = client.search_runs(
        [mlflow.experiment(run.mlflow_experiment)],
        f"tags.mlflow.parentRunId = '{literal(run.mlflow_run_id)}' and metrics.`{RATE}` > 0",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    return float(found[0].data.metrics[RATE]) if found else 0.0


def _campaign(run: RunHandle, connect: Connect) -> Campaign:
    site = run.sites["cpu"]
    with connect(site.cluster) as session:
        return read_frozen(session, folder_of(run.run_id, site)).campaign


def _child(client: "MlflowClient", run: RunHandle, planned: RoundPlan) -> str:
    parent = client.get_run(run.mlflow_run_id)
    mark = f"{run.run_id}/{planned.round}"
    name, below = f"round-{planned.round:03d}", run.mlflow_run_id
    experiment = parent.info.experiment_id
    child = find_or_create_run(client, experiment, ROUND, mark, name=name, parent=below)
    return str(child.info.run_id)
