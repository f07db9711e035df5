"""Identify measurement number TASK_INDEX by the FEM itself, if the refinement withheld it."""

import argparse

from hpc_jobs.contract.facts import OutsideFacts
from hpc_jobs.contract.records import publish_model, read_model
from hpc_jobs.contract.validation import Estimates
from hpc_jobs.identification.by_family import FamilyIdentifier
from hpc_jobs.identification.by_fem import answer_by_fem
from hpc_jobs.identification.mesh_bias import read_mesh_bias
from hpc_jobs.measurement.file import read_for
from hpc_jobs.runtime import element


def work(job: element.Element) -> OutsideFacts:
    """Write validation/<name>/outside/<measurement>.json, or nothing where there is an answer."""
    campaign, name = job.campaign, job.arguments.validation
    estimates = read_model(Estimates, job.run.estimates(name))
    refined = estimates.refined[job.index : job.index + 1]
    if not refined or not refined[0].outside:
        job.progress(1, 1, "measurements")
        return OutsideFacts(asked=0, answered=0, simulations=0)
    measurement = read_for(campaign, job.run.measurement(refined[0].measurement))
    start = None
    if not campaign.family.is_single_sheet:
        start = FamilyIdentifier.of(job.run).start(measurement)
    answer = answer_by_fem(campaign, measurement, read_mesh_bias(job.run, campaign), start)
    publish_model(job.run.outside(name, measurement.name), answer)
    job.progress(1, 1, "measurements")
    estimate = answer.estimate
    return OutsideFacts(
        asked=1, answered=int(not estimate.outside), simulations=estimate.simulations
    )


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which validation."""
    parser.add_argument("--validation", required=True, help="name of the validation")


if __name__ == "__main__":
    element.main(work, arguments)
