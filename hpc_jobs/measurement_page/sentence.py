"""The answer in one sentence that a materials engineer would sign or refuse, and the verdict."""

from collections.abc import Mapping

from hpc_jobs.contract.examination import Examination
from hpc_jobs.contract.identified import IdentifiedSheet, Value
from hpc_jobs.contract.measurement import QUANTITY_LABELS, Quantity
from hpc_jobs.contract.validation import Judgement

TOLD: tuple[Quantity, ...] = (
    "r_value_0",
    "r_value_45",
    "r_value_90",
    "stress_ratio_45",
    "stress_ratio_90",
    "stress_ratio_biaxial",
)
ERRORS = {
    "strain_rms": "strains, re-simulated against measured",
    "force": "forces, re-simulated against measured",
    "r_curve": "r(θ), largest error",
    "stress_curve": "σ(θ)/σ(0°), largest error",
    "yield_locus": "yield locus, largest radial error",
}


def number(value: float | None, digits: int = 3) -> str:
    """Write a number, with a true minus sign."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def with_interval(value: Value, digits: int = 3) -> str:
    """Write a number and half its interval."""
    half = value.half_width
    return number(value.value, digits) + ("" if half is None else f" ± {number(half, digits)}")


def answer(
    sheet: IdentifiedSheet, judgement: Judgement, examination: Examination | None = None
) -> str:
    """Say what the sheet is, how surely, and how well it explains the test: one sentence.

    What was taken out of the answer belongs to it: nobody should sign without knowing.
    """
    parts = [
        f"{QUANTITY_LABELS[q].replace(' ', '')} = {with_interval(sheet.quantities[q])}"
        for q in TOLD
        if q in sheet.quantities
    ]
    values = f"{sheet.measurement} has {', '.join(parts)}"
    level = (
        f"each with {100 * sheet.interval_level:.0f} % confidence"
        if _sure(sheet.quantities)
        else ""
    )
    undone = examination.undone if examination else ()
    corrected = f"; the test was taken {' and '.join(undone)}" if undone else ""
    said = f"{values}{', ' + level if level else ''}{_curve(sheet)}"
    return f"{said}{corrected}; {_explained(judgement)}."


def refusal(name: str, judgements: Mapping[str, Judgement]) -> str:
    """Say that a measurement was not answered, and the first reason of each who was asked."""
    reasons = [judgement.reasons[0] for judgement in judgements.values() if judgement.reasons]
    return f"{name} is not answered: {'; '.join(reasons)}."


def verdict_in_words(judgement: Judgement) -> str:
    """Say what a verdict means for whoever wants to use the answer."""
    match judgement.verdict:
        case "pass":
            return (
                "Passed: this sheet is known by other means, and the answer agrees with it within "
                "the campaign's tolerances."
            )
        case "fail":
            return "Failed: do not use this answer."
        case "answered":
            return (
                "Answered: nothing contradicts the answer. No truth is known to compare with, so "
                "this is not a proof; the interval says what the measurement's own noise and known "
                "inaccuracies leave open."
            )
        case "reservations":
            return "Answered with reservations: read them before the answer is used."
        case "outside":
            return "Not answered."


def suspects_in_words(examination: Examination | None) -> list[str]:
    """List what may be wrong with the measurement, the likeliest first."""
    if examination is None:
        return []
    return [
        f"{one.words[:1].upper()}{one.words[1:]} ({one.sigmas:.1f} σ, probability "
        f"{_percent(one.probability)})."
        for one in examination.suspects
    ]


def fit_in_words(examination: Examination | None, unexamined: str = "") -> str:
    """Say how well everything together explains the measurement, or that nobody looked, and why."""
    if examination is None:
        why = f" ({unexamined})" if unexamined else ""
        return f"Not examined for inaccuracies of the test{why}: intervals hold noise alone."
    low, high = examination.rms_limits
    left = (
        f"With everything fitted that was not measured exactly, {examination.rms:.2f} times the "
        f"noise is left of {examination.values} values; chance explains {low:.2f} to {high:.2f}."
    )
    match examination.finding:
        case "fits":
            return f"{left} The test is explained."
        case "misfit":
            return (
                f"{left} More is left than noise, and intervals are wider for it, by a factor of "
                f"{examination.widened:.2g}."
            )
        case "too_good":
            return f"{left} Far less is left than noise: the stated noise is not this test's."


def _percent(probability: float) -> str:
    return "below 1 %" if probability < 0.01 else f"{100 * probability:.0f} %"


def _sure(quantities: Mapping[Quantity, Value]) -> bool:
    return any(one.half_width is not None for one in quantities.values())


def _curve(sheet: IdentifiedSheet) -> str:
    if sheet.hardening == "given" or not sheet.stresses:
        return ", with the hardening curve that the campaign gives"
    strain, stress = sheet.stresses[-1]
    return (
        f", and hardens to {with_interval(stress, 0)} MPa at a plastic strain of {strain:g} "
        f"(known up to {sheet.strain_reached:.3f})"
    )


def _explained(judgement: Judgement) -> str:
    errors = judgement.errors
    if "strain_rms" not in errors:
        return "it could not be simulated again"
    forces = f" and forces to {100 * errors['force']:.1f} %" if "force" in errors else ""
    return f"simulated again, it shows the strains to {errors['strain_rms']:.2f} × noise{forces}"
