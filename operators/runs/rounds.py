"""Rounds of simulations: how large the next one is, and what the last one cost."""

import logging
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.facts import DesignFacts, ShardFacts
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.packing import packing_elements
from hpc_jobs.contract.records import Manifest
from hpc_jobs.contract.report import ArrayReport, RoundPlan
from hpc_jobs.contract.run import RunHandle
from operators.hooks.hpc import Connect, Session, open_session
from operators.hooks.mlflow import MlflowHook, find_or_create_run, literal
from operators.runs.run import folder_of, read_frozen

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

ROUND = "round.id"
"""Tag of a round's run in MLflow: <run id>/<number>."""
RATE = "round/records_per_core_hour"
COST = "cost/core_hours_per_good_record"


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
    run: RunHandle,
    mlflow: MlflowHook | None = None,
    connect: Connect = open_session,
    aims: Literal["campaign", "drift"] = "campaign",
) -> RoundPlan:
    """Plan as many further records as tonight's core-hours buy, at the rate measured so far.

    A round that an earlier night left unfinished is finished first: its points are chosen, and
    what was solved of it is not solved again. At least one shard's worth, so that a rate too low
    for the budget shows in the records.
    """
    site = run.sites["cpu"]
    folder = folder_of(run.run_id, site)
    with connect(site.cluster) as session:
        campaign = read_frozen(session, folder).campaign
        number = _last_round(session, folder)
        left = _unfinished(session, folder, number, campaign.execution.allowed_loss)
    rate = _measured_rate(run, mlflow or MlflowHook())
    budget = campaign.execution.nightly_core_hours
    size = campaign.design.records_per_shard
    if left is not None:
        log.info("round %d: %d of %d shards are missing; it is finished", number, *left)
        records, shards = left[0] * size, left[1]
    else:
        number, records = number + 1, max(_affordable(rate, budget), size)
        shards = campaign.design.shards(records)
        log.info(
            "round %d: %d records for %g core-hours at %.0f an hour", number, records, budget, rate
        )
    return RoundPlan(
        round=number,
        train_records=records,
        records=records,
        shards=shards,
        packing_elements=packing_elements(campaign, records),
        resumed=left is not None,
        aims=aims,
        budget_core_hours=budget,
        expected_core_hours=records / rate if rate > 0 else None,
    )


def shards_of(plan: RoundPlan, points: ArrayReport) -> int:
    """Return how many shards the chosen points are: none where the round is not worth its price."""
    chosen = points.read(DesignFacts)
    if chosen.stopped:
        log.info("round %d: %s", plan.round, chosen.stopped)
    return chosen.shards


def _last_round(session: Session, folder: RunFolder[PurePosixPath]) -> int:
    """Return the number of the last designed round; -1 before the first."""
    names = session.list(str(folder.design(0).parent))
    found = [re.fullmatch(r"round-(\d+)\.json", name) for name in names]
    return max((int(each[1]) for each in found if each), default=-1)


def _unfinished(
    session: Session, folder: RunFolder[PurePosixPath], number: int, allowed_loss: float
) -> tuple[int, int] | None:
    """Missing and all shards of a round that lacks more than may be lost; None for a whole one."""
    if number < 0:
        return None
    path = manifest_of(folder.design(number))
    manifest = Manifest.model_validate_json(session.read(str(path)))
    shards = DesignFacts.of(manifest).shards
    try:
        names = session.list(str(folder.shards(number)))
    except FileNotFoundError:
        names = []
    there = sum(re.fullmatch(r"shard-\d+\.json", name) is not None for name in names)
    missing = shards - there
    return (missing, shards) if missing > allowed_loss * shards else None


def log_round(
    run: RunHandle, planned: RoundPlan, solved: ArrayReport, mlflow: MlflowHook | None = None
) -> str:
    """Describe a solved round in MLflow, as a child of its campaign; returns its run's id.

    `solved` is what the array job of `solve_shard` returned. May be repeated.
    """
    from mlflow.entities import Metric, Param

    client = (mlflow or MlflowHook()).require()
    child = _child(client, run, planned)
    metrics = round_metrics(planned, solved)
    if planned.expected_core_hours is not None:
        metrics["round/expected_core_hours"] = planned.expected_core_hours
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


def round_metrics(planned: RoundPlan, solved: ArrayReport) -> dict[str, float]:
    """Numbers of one round: records by status, cost, rate.

    The hours of a round that an earlier night began are those of what that night left.
    """
    # A round that was left out, as not worth its price, has no elements to say anything
    facts = solved.read(ShardFacts) if solved.elements else ShardFacts(records=0, by_status={})
    hours, new = solved.cpu_hours, newly_solved(planned, facts.records)
    metrics = {
        "round/records": float(facts.records),
        "round/cpu_hours": hours,
        "round/wall_s": solved.wall_s,
        "round/lost_shards": float(solved.failed),
    }
    if hours > 0:
        metrics[RATE] = facts.records * new / hours
    good = facts.by_status.get("ok", 0)
    if good:
        metrics[COST] = hours / (good * new)
    return metrics | {
        f"round/status/{status}": float(count) for status, count in facts.by_status.items()
    }


def newly_solved(planned: RoundPlan, records: int) -> float:
    """Share of a round's records that this night had to solve: all, but of one that was begun."""
    return min(1.0, planned.records / records) if planned.resumed and records else 1.0


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
