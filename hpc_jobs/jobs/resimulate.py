"""Simulate one measurement, number TASK_INDEX, again with the parameters that were identified.

With the network's, and with the refinement's where there is one.
"""

import argparse

from hpc_jobs.contract.facts import ResimulatedFacts
from hpc_jobs.contract.records import read_model
from hpc_jobs.contract.validation import Estimates
from hpc_jobs.identification.by_fem import answered
from hpc_jobs.identification.mesh_bias import read_mesh_bias
from hpc_jobs.identification.resimulated import resimulate, write_field
from hpc_jobs.measurement.file import read_for
from hpc_jobs.runtime import element


def work(job: element.Element) -> ResimulatedFacts:
    """Write validation/<name>/fields/<measurement>.h5 and refined/fields/, with manifests."""
    campaign, name = job.campaign, job.arguments.validation
    estimates = read_model(Estimates, job.run.estimates(name))
    estimate = estimates.estimates[job.index]
    bias = read_mesh_bias(job.run, campaign)
    measured = None
    if not campaign.family.is_single_sheet:
        path = job.run.measurement(estimate.measurement)
        measured = read_for(campaign, path).header.specimens
    field = resimulate(campaign, estimate, bias, measured)
    write_field(job.run.field(name, estimate.measurement), field)
    for refined in answered(job.run, estimates)[job.index : job.index + 1]:
        path = job.run.refined_field(name, refined.measurement)
        write_field(path, resimulate(campaign, refined, bias, measured))
    job.progress(1, 1, "re-simulations")
    return ResimulatedFacts(
        measurement=estimate.measurement,
        skipped=bool(estimate.outside),
        status=field.status,
        reason=field.reason,
    )


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which validation."""
    parser.add_argument("--validation", required=True, help="name of the validation")


if __name__ == "__main__":
    element.main(work, arguments)
