"""Choose a round's points: a Sobol sequence in the box, and what later rounds aim at."""

import argparse

from hpc_jobs.contract.facts import DesignFacts
from hpc_jobs.runtime import element


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the job's own options."""
    parser.add_argument("--round", type=int, default=0, help="number of the round")
    parser.add_argument("--records", type=int, help="training records of a later round")


def work(task: element.Element) -> DesignFacts:
    """Publish design/round-NNN.npz; facts are its manifest's."""
    from hpc_jobs.design.rounds import Targets, choose_round

    options, rules = task.arguments, task.campaign.design.later_rounds

    def aims() -> Targets:
        if not rules.shares and not rules.skip_within:
            return Targets()
        from hpc_jobs.identification.aims import targets_of

        return targets_of(task.run, task.campaign)

    manifest = choose_round(task.run, task.campaign, options.round, options.records, aims)
    return DesignFacts.of(manifest)


if __name__ == "__main__":
    element.main(work, arguments)
