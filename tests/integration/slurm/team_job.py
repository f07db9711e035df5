"""An element of several processes, which agree on every step until it is enough or time is up."""

import argparse
import os
import time
from functools import partial
from pathlib import Path

import torch

from hpc_jobs.contract.errors import HandedOver
from hpc_jobs.contract.facts import Facts
from hpc_jobs.learning.training.interruption import StopFlag, stop_on_signals
from hpc_jobs.learning.training.team import Team
from hpc_jobs.runtime import element
from hpc_jobs.runtime.ranks import joined, rank_of


class TeamFacts(Facts):
    ranks: int
    sum: float


def work(team: Team, stop: StopFlag, this: element.Element) -> TeamFacts:
    """Add up the ranks' numbers, from 1, over and over."""
    (this.run.root / f"rank-{team.share.rank}").write_text(str(os.getpid()))
    while not team.any(Path(this.arguments.gate).exists()):
        if team.any(stop()):
            raise HandedOver(f"rank {team.share.rank} was told to stop")
        time.sleep(0.1)
    total = team.total(torch.tensor(team.share.rank + 1.0))
    return TeamFacts(ranks=team.share.world, sum=float(total))


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gate", required=True, help="a file to wait for")


if __name__ == "__main__":
    with stop_on_signals(last=True) as stop, joined(rank_of(os.environ)) as team:
        element.main(partial(work, team, stop), arguments, team)
