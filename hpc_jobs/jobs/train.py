"""Train one of the campaign's networks, the TASK_INDEX-th, and publish it as NAME-<network>.

Started once it trains alone; started by torchrun, srun or mpiexec the processes share the batches.
"""

import argparse
import math
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch

from hpc_jobs.contract.errors import ConfigurationError, HandedOver
from hpc_jobs.jobs import element
from hpc_jobs.jobs.element import Element
from hpc_jobs.jobs.ranks import joined, launch_on, rank_of
from hpc_jobs.learning.models.inverse_model import CARD, METRICS
from hpc_jobs.learning.training.experiment import Trained, train_network
from hpc_jobs.learning.training.interruption import StopFlag, stop_on_signals
from hpc_jobs.learning.training.team import Team
from hpc_jobs.tracking.spool import Spool

STARTED_S = time.monotonic()
HAND_OVER_S = 120.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """--name NAME: first part of the model's name."""
    parser.add_argument("--name", required=True, help="the model is called NAME-<network>")


def work(team: Team, stop: StopFlag, element: Element) -> dict[str, Any]:
    """Train, and say in the spool what MLflow should remember."""
    stop.no_later_than(_deadline_s(element))
    campaign, networks = element.campaign, element.campaign.training.networks
    if element.index >= len(networks):
        raise ConfigurationError(
            f"element {element.index}: training.networks has {len(networks)} networks; "
            f"choose 0 to {len(networks) - 1}"
        )
    spec = networks[element.index]
    name = f"{element.arguments.name}-{spec.name}"
    torch.set_num_threads(campaign.execution.resources_for("train").cpus)
    with _spool(element, name, spec.kind, team) as spool:
        try:
            trained = train_network(
                element.run,
                campaign,
                spec,
                name,
                spool=spool,
                progress=element.progress if team.leads else _quiet,
                stop=stop,
                team=team,
            )
        except HandedOver:
            raise  # the run goes on, in another job
        except Exception:
            spool.end("FAILED")
            raise
        if trained is None:
            return {}
        _tell(spool, element, name, trained)
    return _facts(trained)


def _deadline_s(element: Element) -> float:
    """When to hand over, by the monotonic clock: in time to write a checkpoint. By hand never."""
    if element.folder is None:
        return math.inf
    walltime_s = element.campaign.execution.resources_for("train").walltime_s
    return STARTED_S + walltime_s - min(HAND_OVER_S, 0.1 * walltime_s)


def _spool(element: Element, name: str, kind: str, team: Team) -> Spool:
    """Open the spool; what ranks other than the leader say is not kept."""
    tags = {
        "stage": "train",
        "network": kind,
        "campaign": element.campaign.name,
        "run_id": element.frozen.run_id,
        "code_sha256": element.frozen.code_sha256,
        "job_id": element.job_id,
        "ranks": str(team.share.world),
    }
    path = element.spool / f"{name}.jsonl" if team.leads else Path(os.devnull)
    return Spool(path, name=name, tags=tags)


def _quiet(done: int, total: int, unit: str) -> None:
    """Leave progress to the leader."""


def _tell(spool: Spool, element: Element, name: str, trained: Trained) -> None:
    card, report = trained.card, trained.report
    metrics = {f"test_{t.lower()}/mse": e.mse for t, e in report.network.targets.items()}
    metrics |= {f"test_{t.lower()}/mae": e.mae for t, e in report.network.targets.items()}
    metrics |= {f"test_{t.lower()}/r2": e.r2 for t, e in report.network.targets.items()}
    metrics |= {f"baseline/{name}": errors.sum_mse for name, errors in report.baselines.items()}
    metrics |= {"test/sum_mse": report.network.sum_mse, "test/mean_mse": report.network.mean_mse}
    spool.metrics(metrics, card.best_epoch)
    spool.tags(
        {
            "dataset_sha256": card.dataset_sha256,
            "loses_to": ", ".join(report.loses_to) or "no baseline",
        }
    )
    folder = element.run.model(name)
    for figure in sorted((folder / "figures").glob("*.png")):
        spool.artifact(figure.relative_to(element.run.root).as_posix(), "figures")
    for file in (CARD, METRICS):
        spool.artifact((folder / file).relative_to(element.run.root).as_posix(), "model")
    spool.end("FINISHED")


def _facts(trained: Trained) -> dict[str, Any]:
    card, report = trained.card, trained.report
    return {
        "model": card.name,
        "network": card.network.name,
        "test_sum_mse": report.network.sum_mse,
        "test_mse": {target: errors.mse for target, errors in report.network.targets.items()},
        "baselines": {name: errors.sum_mse for name, errors in report.baselines.items()},
        "loses_to": list(report.loses_to),
        "validation_loss": card.validation_loss,
        "best_epoch": card.best_epoch,
    }


if __name__ == "__main__":
    rank = rank_of(os.environ)
    if command := launch_on(torch.cuda.device_count(), rank, "hpc_jobs.jobs.train", sys.argv[1:]):
        os.execv(command[0], command)
    # A rank that has done its part takes seconds to end. A signal must not end it: the launcher
    # would end the leader too, which may be publishing.
    with stop_on_signals(last=True) as stop, joined(rank) as team:
        element.main(partial(work, team, stop), arguments, team)
