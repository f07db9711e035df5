"""The verdict: how well a sheet explains a measurement, and how close it is to the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.design import MechanicalBox
from hpc_jobs.contract.measurement import Quantity, Truth
from hpc_jobs.contract.validation import Estimate, Estimates, Judgement, Limits, Verdict
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.identification.anisotropy import by_parameter, material_errors
from hpc_jobs.identification.intervals import draw_sheets, quantity_intervals
from hpc_jobs.identification.resimulated import Field
from hpc_jobs.identification.validity import beyond, position
from hpc_jobs.measurement.file import Measurement

QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)

ERROR_LIMITS = {
    "strain_rms": "strain_rms_tolerance",
    "force": "force_tolerance",
    "r_curve": "r_value_tolerance",
    "stress_curve": "stress_ratio_tolerance",
    "yield_locus": "yield_locus_tolerance",
}
"""Error of a comparison -> the field of Limits that bounds it."""


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


def judge(
    estimate: Estimate,
    identified: Mapping[Quantity, float] | None,
    truth: Truth | None,
    errors: Mapping[str, float],
    failure: str | None,
    box: MechanicalBox,
    limits: Limits,
) -> Judgement:
    """Judge one measurement.

    `identified` is None for an estimate that is outside; `failure` says why the re-simulation
    has no result. What is not known is not judged.
    """
    known = truth.quantities if truth else {}
    found = identified or {}
    verdict: Literal["pass", "fail", "outside"]
    if estimate.outside:
        verdict, reasons = _judge_silence(estimate, truth, box, limits)
    else:
        reasons = _answer_mistakes(found, truth, errors, failure, box, limits)
        verdict = "fail" if reasons else "pass"
    return Judgement(
        verdict=verdict,
        reasons=tuple(reasons),
        quantities={q: (found.get(q), known.get(q)) for q in QUANTITIES},
        errors=dict(errors),
        novelty=estimate.novelty,
        novelty_limit=estimate.novelty_limit,
    )


def passes(judgements: Mapping[str, Judgement]) -> bool:
    """Nothing failed, and at least one material was identified: silence proves nothing."""
    verdicts = [judgement.verdict for judgement in judgements.values()]
    return "fail" not in verdicts and "pass" in verdicts


def _judge_silence(
    estimate: Estimate, truth: Truth | None, box: MechanicalBox, limits: Limits
) -> tuple[Literal["fail", "outside"], list[str]]:
    if truth is None or position(truth, box, limits) != "inside":
        return "outside", list(estimate.outside)
    return "fail", [
        "not answered, though the true material lies in the trained range",
        *estimate.outside,
    ]


def _answer_mistakes(
    found: Mapping[Quantity, float],
    truth: Truth | None,
    errors: Mapping[str, float],
    failure: str | None,
    box: MechanicalBox,
    limits: Limits,
) -> list[str]:
    mistakes = [failure] if failure else []
    if truth and position(truth, box, limits) == "outside":
        outside = "; ".join(beyond(truth.quantities, box, limits))
        mistakes.append(f"answered, though the true {outside}")
    for quantity, value in (truth.quantities if truth else {}).items():
        off, limit = abs(found[quantity] - value), limits.tolerance(quantity)
        if off > limit:
            mistakes.append(
                f"{quantity} is {found[quantity]:.3f}, true {value:.3f}: off by {off:.3f}, more "
                f"than {limit:g}"
            )
    for name, error in errors.items():
        limit = getattr(limits, ERROR_LIMITS[name])
        if error > limit:
            mistakes.append(
                f"{name} error is {error:.3g}, more than {ERROR_LIMITS[name]} {limit:g}"
            )
    return mistakes
