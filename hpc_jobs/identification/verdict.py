"""The verdict: how well a sheet explains a measurement, and how close it is to the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.answers import STRESS, stress_name
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.design import MechanicalBox
from hpc_jobs.contract.measurement import Quantity, Truth
from hpc_jobs.contract.validation import (
    Answer,
    Estimate,
    Estimates,
    Found,
    Judgement,
    Limits,
    Verdict,
)
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.identification.anisotropy import by_parameter, material_errors
from hpc_jobs.identification.family_answer import material_of
from hpc_jobs.identification.given import given_values
from hpc_jobs.identification.intervals import draw_sheets, quantity_intervals
from hpc_jobs.identification.quantities import log_stresses
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
    refined: bool = False  # by surrogate or engine (Estimate.method); otherwise the network's


def score(
    campaign: Campaign, measurement: Measurement, field: Field, *, refined: bool = False
) -> Case:
    """Compare one measurement with its re-simulation, and the material with the truth if known.

    A specimen is simulated again as drawn. A real one is not as drawn: once examined, without a
    truth, what is left beside all that was undone is judged instead.
    """
    estimate, truth = field.estimate, measurement.header.truth
    identified = None
    errors: dict[str, float] = {}
    if estimate.parameters is not None:
        material = material_of(campaign, estimate)
        identified = Sheet.of(by_parameter(campaign, estimate.parameters), material)
        if field.status == "ok":
            errors |= field_errors(measurement, field)
            if estimate.examination and not truth:
                errors = {"strain_rms": estimate.examination.rms}
        if truth:
            errors |= material_errors(identified, truth, truth.material or material)
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
        judgement=judgement.model_copy(
            update={
                "intervals": _intervals(estimate) or quantity_intervals(draws),
                "found": _beside_the_truth(estimate, truth),
                "method": estimate.method,
                "simulations": estimate.simulations,
                "given": given_values(campaign, measurement.header),
            }
        ),
        draws=draws,
        refined=refined,
    )


def _intervals(estimate: Estimate) -> dict[Quantity, tuple[float, float]]:
    """Return calibrated intervals of the mechanical values, where the estimate has them."""
    found = estimate.found
    return {q: (found[q].low, found[q].high) for q in QUANTITIES if q in found}


def _beside_the_truth(estimate: Estimate, truth: Truth | None) -> dict[str, Found]:
    """Return what was found of a family's sheet, each with the true value where it is known."""
    if truth is None:
        return estimate.found
    known: dict[str, float] = {str(name): value for name, value in truth.quantities.items()}
    known |= truth.coordinates
    if truth.material is not None:
        known["exponent"] = truth.material.exponent
        known["youngs_modulus_mpa"] = truth.material.youngs_modulus_mpa
        strains = [float(name[len(STRESS) :]) for name in estimate.found if name.startswith(STRESS)]
        logs = log_stresses(truth.material.hardening, strains)
        known |= {stress_name(p): float(np.exp(one)) for p, one in zip(strains, logs, strict=True)}
    return {
        name: one.model_copy(update={"true": known.get(name)})
        for name, one in estimate.found.items()
    }


def field_errors(measurement: Measurement, field: Field) -> dict[str, float]:
    """strain_rms in units of the measurement's noise, force as rms relative deviation.

    A perfect identification leaves the noise itself: strain_rms 1 and force the force's noise.
    """
    seen = measurement.mask
    missed = (field.strains - measurement.strains) / measurement.deviation
    errors = {"strain_rms": _rms(missed[seen])}
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
    silent = {one.measurement: one.outside for one in estimates.estimates if one.outside}
    return Verdict(
        validation=estimates.validation,
        model=estimates.model,
        limits=campaign.validation.limits,
        measurements=judgements,
        refined={
            name: _beside_silence(one, silent.get(name, ()))
            for name, one in ((case.measurement.name, case.judgement) for case in refined)
        },
        passed=passes(judgements),
        notes={name: _note(judgement) for name, judgement in judgements.items()},
    )


def _note(judgement: Judgement) -> str:
    if judgement.verdict == "pass":
        rms = judgement.errors["strain_rms"]
        return f"identified; its re-simulated strains differ by {rms:.2f} noise (1 is perfect)"
    if judgement.verdict == "outside":
        return f"not answered: {judgement.reasons[0]}"
    if judgement.verdict == "answered":
        rms = judgement.errors["strain_rms"]
        return f"answered, with no truth to compare with; strains differ by {rms:.2f} noise"
    if judgement.verdict == "reservations":
        return f"answered with reservations: {'; '.join(judgement.reasons)}"
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
    verdict: Answer
    if estimate.outside:
        verdict, reasons = _judge_silence(estimate, truth, box, limits)
    else:
        reasons = _answer_mistakes(found, truth, errors, failure, box, limits, estimate.method)
        verdict = "fail" if reasons else "pass" if truth else "answered"
        doubts = estimate.examination.reservations if estimate.examination else ()
        if estimate.unsharpened:
            doubts += (f"the engine could not sharpen this answer: {estimate.unsharpened}",)
        if estimate.unexamined:
            doubts += (
                f"what may be wrong with the test was not examined ({estimate.unexamined}): the "
                "intervals hold noise alone",
            )
        if estimate.imputed:
            doubts += (
                f"{estimate.imputed} strains were not measured; the network was given what the "
                "simulated records make of the others, and its intervals are as much wider",
            )
        if verdict == "answered" and doubts:
            verdict = "reservations"
        reasons += doubts
    return Judgement(
        verdict=verdict,
        reasons=tuple(reasons),
        quantities={q: (found.get(q), known.get(q)) for q in QUANTITIES},
        errors=dict(errors),
        novelty=estimate.novelty,
        novelty_limit=estimate.novelty_limit,
    )


def _beside_silence(judgement: Judgement, outside: tuple[str, ...]) -> Judgement:
    """Say where a network did not answer what the refinement does: neither stands alone."""
    if not outside or judgement.verdict in ("fail", "outside"):
        return judgement
    word = f"the network does not answer this measurement: {outside[0]}"
    verdict: Answer = "pass" if judgement.verdict == "pass" else "reservations"
    return judgement.model_copy(update={"verdict": verdict, "reasons": (*judgement.reasons, word)})


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
    method: str,
) -> list[str]:
    mistakes = [failure] if failure else []
    outside_box = truth and position(truth, box, limits) == "outside"
    if truth and outside_box and method != "fem":  # the engine may be asked anywhere
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
