"""Choose the parameter points of a round: a scrambled Sobol sequence in the mechanical box."""

import argparse

from hpc_jobs.contract.facts import DesignFacts
from hpc_jobs.runtime import element


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the job's own options."""
    parser.add_argument("--round", type=int, default=0, help="number of the round")
    parser.add_argument("--records", type=int, help="training records of a later round")


def work(task: element.Element) -> DesignFacts:
    """Publish design/round-NNN.npz; facts are its manifest's."""
    from hpc_jobs.design.rounds import choose_round

    options = task.arguments
    manifest = choose_round(task.run, task.campaign, options.round, options.records)
    return DesignFacts.of(manifest)


if __name__ == "__main__":
    element.main(work, arguments)
