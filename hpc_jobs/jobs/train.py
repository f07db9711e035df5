"""Train one of the campaign's networks, the TASK_INDEX-th, and publish it as NAME-<network>.

Each member of a committee is a network here; hpc_jobs.jobs.assemble puts them together.

Started once it trains alone; started by torchrun, srun or mpiexec the processes share the batches.
"""

import argparse
import os
import secrets
import sys
from functools import partial

import torch

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.facts import TrainedFacts
from hpc_jobs.identification.rival import kept_rivals
from hpc_jobs.learning.training.experiment import train_network
from hpc_jobs.learning.training.interruption import StopFlag, stop_on_signals
from hpc_jobs.learning.training.team import Team
from hpc_jobs.runtime import element
from hpc_jobs.runtime.element import Element
from hpc_jobs.runtime.model_spool import facts_of, log_model, open_spool
from hpc_jobs.runtime.ranks import joined, launch_on, rank_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """--name NAME: first part of the model's name."""
    parser.add_argument("--name", required=True, help="the model is called NAME-<network>")


def work(team: Team, stop: StopFlag, element: Element) -> TrainedFacts | None:
    """Train, and say in the spool what MLflow should remember."""
    asked = element.campaign.execution.resources_for("train")
    stop.no_later_than(element.deadline_s(asked.walltime_s))
    campaign, trainings = element.campaign, element.campaign.training.trainings
    if element.index >= len(trainings):
        raise ConfigurationError(
            f"element {element.index}: training.networks has {len(trainings)} networks, members "
            f"counted; choose 0 to {len(trainings) - 1}"
        )
    spec = trainings[element.index]
    element.name, name = spec.name, f"{element.arguments.name}-{spec.name}"
    torch.set_num_threads(asked.cpus)
    ranks, leads = team.share.world, team.leads
    spool = open_spool(element, name, spec, stage="train", ranks=ranks, leads=leads)
    with spool, spool.ended():
        trained = train_network(
            element.run,
            campaign,
            spec,
            name,
            spool=spool,
            progress=element.progress if team.leads else _quiet,
            stop=stop,
            team=team,
            rivals=kept_rivals(element.run),
        )
        if trained is None:  # the leader publishes
            return None
        log_model(spool, element, trained)
    return facts_of(trained)


def _quiet(done: int, total: int, unit: str) -> None:
    """Leave progress to the leader."""


if __name__ == "__main__":
    rank = rank_of(os.environ)
    if command := launch_on(torch.cuda.device_count(), rank, "hpc_jobs.jobs.train", sys.argv[1:]):
        os.environ.setdefault("HPC_MEETING", secrets.token_hex(16))
        os.execv(command[0], command)
    # A rank that has done its part takes seconds to end. A signal must not end it: the launcher
    # would end the leader too, which may be publishing.
    with stop_on_signals(last=True) as stop, joined(rank) as team:
        element.main(partial(work, team, stop), arguments, team)
