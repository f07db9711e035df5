"""Ask a trained network for the parameters behind every measurement, and refine its answers."""

import argparse
from functools import cache, partial
from pathlib import Path

import numpy as np

from hpc_jobs.contract.answers import derived_names
from hpc_jobs.contract.errors import BadInput, ConfigurationError
from hpc_jobs.contract.facts import IdentifiedFacts
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import publish_model
from hpc_jobs.contract.validation import Estimate, Estimates
from hpc_jobs.forward.records import training_records
from hpc_jobs.identification.by_family import FamilyIdentifier
from hpc_jobs.identification.by_fem import sharpened
from hpc_jobs.identification.by_network import identify
from hpc_jobs.identification.by_surrogate import Identifier
from hpc_jobs.identification.imputation import RecordsLaw
from hpc_jobs.identification.mesh_bias import publish_mesh_bias
from hpc_jobs.identification.nuisances.answer import with_examination
from hpc_jobs.identification.timing import (
    Refinement,
    time_network,
    time_refinement,
    timed_engine,
)
from hpc_jobs.learning.models.trained_model import load_model
from hpc_jobs.measurement.file import Measurement, read_for
from hpc_jobs.runtime import element


def work(job: element.Element) -> IdentifiedFacts:
    """Write validation/<name>/estimates.json."""
    campaign, name = job.campaign, job.arguments.validation
    measurements = [
        read_for(campaign, job.run.measurement(measurement))
        for measurement in campaign.validation.measurements
    ]
    network = load_model(job.run.model(job.arguments.model))
    asked = (*campaign.targets, *derived_names(campaign))
    if network.targets != asked:
        raise ConfigurationError(
            f"model '{job.arguments.model}' answers {', '.join(network.targets)}, the campaign's "
            f"targets are {', '.join(asked)}; train a network of this campaign"
        )
    bias = publish_mesh_bias(job.run, campaign)
    law = cache(lambda: _law(job.run))
    answers = identify(campaign, network, measurements, bias, law)
    lookups = time_network(campaign, network, measurements[0], bias)
    refined: tuple[Estimate, ...] = ()
    if campaign.validation.refine:
        identifier: Refinement
        if campaign.family.is_single_sheet:
            identifier = Identifier.of(job.run, bias)
        else:
            identifier = FamilyIdentifier.of(job.run)
        pairs = list(zip(measurements, answers, strict=True))
        limit = campaign.validation.strain_rms_tolerance
        refined = tuple(_refined(identifier, limit, *pair) for pair in pairs)
        sound = [pair for pair, one in zip(pairs, refined, strict=True) if one.parameters]
        lookups = time_refinement(lookups, identifier, *sound[0]) if sound else lookups
        biases = [bias] * len(measurements)
        if not campaign.family.is_single_sheet:
            both = zip(measurements, refined, strict=True)
            engine = partial(sharpened, campaign, bias=bias)
            sharper, lookups = timed_engine(lookups, engine, both)
            refined, biases = tuple(one.estimate for one in sharper), [one.bias for one in sharper]
        if campaign.validation.examine:
            each = zip(measurements, refined, biases, strict=True)
            refined = tuple(with_examination(campaign, *one) for one in each)
    estimates = Estimates(
        validation=name,
        model=job.arguments.model,
        model_sha256=network.sha256,
        estimates=answers,
        refined=refined,
        lookups=lookups,
    )
    publish_model(job.run.estimates(name), estimates)
    job.progress(len(measurements), len(measurements), "measurements")
    outside = tuple(estimate.measurement for estimate in answers if estimate.outside)
    return IdentifiedFacts(measurements=len(measurements), outside=outside)


def _refined(
    identifier: Refinement, limit: float, measurement: Measurement, answer: Estimate
) -> Estimate:
    """Refine one answer; a measurement that cannot be refined spoils no other.

    limit: of a refinement's novelty.
    """
    try:
        return identifier.refine(measurement, answer)
    except (BadInput, np.linalg.LinAlgError) as error:
        return Estimate(
            measurement=measurement.name,
            parameters=None,
            outside=(f"the refinement cannot take it: {error}",),
            novelty=0.0,
            novelty_limit=limit,
            method="surrogate",
        )


def _law(run: RunFolder[Path]) -> RecordsLaw:
    """Take the law of the run's simulated records."""
    _, records = training_records(run)
    return RecordsLaw.of(records.strains, records.forces)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which network, and what to call its validation."""
    parser.add_argument("--model", required=True, help="its folder below models/")
    parser.add_argument("--validation", required=True, help="name of the validation")


if __name__ == "__main__":
    element.main(work, arguments)
