"""Assemble the campaign's TASK_INDEX-th committee of its trained members, NAME-<network>-0, ..."""

import argparse

import torch

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.facts import TrainedFacts
from hpc_jobs.identification.rival import kept_rivals
from hpc_jobs.learning.training.assembly import assemble_committee
from hpc_jobs.runtime import element
from hpc_jobs.runtime.element import Element
from hpc_jobs.runtime.model_spool import facts_of, log_model, open_spool


def arguments(parser: argparse.ArgumentParser) -> None:
    """--name NAME: first part of the models' names."""
    parser.add_argument("--name", required=True, help="the committee is called NAME-<network>")


def work(job: Element) -> TrainedFacts:
    """Assemble, judge, publish; and say in the spool what MLflow should remember."""
    committees = job.campaign.training.committees
    if job.index >= len(committees):
        raise ConfigurationError(
            f"element {job.index}: training.networks has {len(committees)} networks of several "
            "members; one element each"
        )
    spec, training = committees[job.index], job.arguments.name
    torch.set_num_threads(job.campaign.execution.resources_for("assemble").cpus)
    name = f"{training}-{spec.name}"
    with open_spool(job, name, spec, stage="assemble", leads=True) as spool, spool.ended():
        spool.params(spec.model_dump(mode="json", exclude_none=True))
        trained = assemble_committee(job.run, job.campaign, spec, training, kept_rivals(job.run))
        log_model(spool, job, trained)
    job.progress(spec.members, spec.members, "members")
    return facts_of(trained)


if __name__ == "__main__":
    element.main(work, arguments)
