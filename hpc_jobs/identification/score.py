"""How well an identified material explains a measurement, and how close it is to the truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.validation import Estimates, Judgement, Verdict
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.identification.anisotropy import by_parameter, material_errors
from hpc_jobs.identification.field import Field
from hpc_jobs.identification.judgement import judge, passes
from hpc_jobs.identification.uncertainty import draw_sheets, quantity_intervals
from hpc_jobs.measurement.file import Measurement


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One measurement with everything that is known and was found out about it."""

    measurement: Measurement
    field: Field
    identified: Sheet | None  # None if the network did not answer
    judgement: Judgement
    draws: tuple[Sheet, ...] = ()  # of an estimate with a covariance
    refined: bool = False  # by the forward surrogate; otherwise the network's


def score(
    campaign: Campaign, measurement: Measurement, field: Field, *, refined: bool = False
) -> Case:
    """Compare one measurement with its re-simulation, and the material with the truth if known."""
    estimate, truth = field.estimate, measurement.header.truth
    identified = None
    errors: dict[str, float] = {}
    if estimate.parameters is not None:
        identified = Sheet.of(by_parameter(campaign, estimate.parameters), campaign.material)
        if field.status == "ok":
            errors |= field_errors(measurement, field)
        if truth:
            errors |= material_errors(identified, truth, campaign.material)
    judgement = judge(
        estimate,
        identified.quantities() if identified else None,
        truth,
        errors,
        field.failure,
        campaign.design.box,
        campaign.validation.limits,
    )
    draws = draw_sheets(campaign, estimate)
    return Case(
        measurement=measurement,
        field=field,
        identified=identified,
        judgement=judgement.model_copy(update={"intervals": quantity_intervals(draws)}),
        draws=draws,
        refined=refined,
    )


def field_errors(measurement: Measurement, field: Field) -> dict[str, float]:
    """strain_rms in units of the measurement's noise, force as rms relative deviation.

    A perfect identification leaves the noise itself: strain_rms 1 and force the force's noise.
    """
    noise = measurement.header.noise.strain
    errors = {"strain_rms": _rms((field.strains - measurement.strains) / noise)}
    if measurement.forces is not None:
        errors["force"] = _rms(field.forces / measurement.forces - 1)
    return errors


def verdict(
    campaign: Campaign,
    estimates: Estimates,
    cases: Sequence[Case],
    refined: Sequence[Case] = (),
) -> Verdict:
    """Sum up; the notes say in one sentence each what a person would ask first."""
    judgements = {case.measurement.name: case.judgement for case in cases}
    return Verdict(
        validation=estimates.validation,
        model=estimates.model,
        limits=campaign.validation.limits,
        measurements=judgements,
        refined={case.measurement.name: case.judgement for case in refined},
        passed=passes(judgements),
        notes={name: _note(judgement) for name, judgement in judgements.items()},
    )


def _note(judgement: Judgement) -> str:
    if judgement.verdict == "pass":
        rms = judgement.errors["strain_rms"]
        return f"identified; its re-simulated strains differ by {rms:.2f} noise (1 is perfect)"
    if judgement.verdict == "outside":
        return f"not answered: {judgement.reasons[0]}"
    return "; ".join(judgement.reasons)


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2)))
