"""Choose a round's points: a Sobol sequence in the box, and what later rounds aim at."""

import argparse

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.facts import DesignFacts
from hpc_jobs.runtime import element

DRIFT_SHARE = 0.5
"""Of a round's points, around the measured sheets, when production has drifted."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the job's own options."""
    parser.add_argument("--round", type=int, default=0, help="number of the round")
    parser.add_argument(
        "--aims",
        choices=("campaign", "drift"),
        default="campaign",
        help="what a later round aims at: as the campaign says, or half of it at measured sheets",
    )
    parser.add_argument("--records", type=int, help="training records of a later round")


def aimed_at_sheets(campaign: Campaign) -> Campaign:
    """Let later rounds aim at measured sheets alone, and never be left out: production waits."""
    rules = campaign.design.later_rounds
    share = max(rules.posteriors, DRIFT_SHARE)
    alone = {"disagreement": 0.0, "calibration": 0.0, "edges": 0.0, "least_gain": 0.0}
    changed = rules.model_copy(update=alone | {"posteriors": share})
    design = campaign.design.model_copy(update={"later_rounds": changed})
    return campaign.model_copy(update={"design": design})


def work(task: element.Element) -> DesignFacts:
    """Publish design/round-NNN.npz; facts are its manifest's."""
    from hpc_jobs.design.rounds import Targets, choose_round

    options, campaign = task.arguments, task.campaign
    if options.aims == "drift":
        campaign = aimed_at_sheets(campaign)
    rules = campaign.design.later_rounds

    def aims() -> Targets:
        if not rules.looks:
            return Targets()
        from hpc_jobs.identification.aims import targets_of

        return targets_of(task.run, campaign, options.records or 0)

    manifest = choose_round(task.run, campaign, options.round, options.records, aims)
    return DesignFacts.of(manifest)


if __name__ == "__main__":
    element.main(work, arguments)
