"""Whether an identified material is right, and whether a validation passes.

A network must answer within the range that it was trained for, and must not beyond it. Between
the two lies an edge as wide as the tolerances, where either is accepted.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from hpc_jobs.contract.design import MechanicalBox
from hpc_jobs.contract.measurement import Quantity, Truth
from hpc_jobs.contract.validation import Estimate, Judgement, Limits

QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)

ERROR_LIMITS = {
    "strain_rms": "strain_rms_tolerance",
    "force": "force_tolerance",
    "r_curve": "r_value_tolerance",
    "stress_curve": "stress_ratio_tolerance",
    "yield_locus": "yield_locus_tolerance",
}
"""Error of a comparison -> the field of Limits that bounds it."""

Position = Literal["inside", "edge", "outside"]


def beyond(
    quantities: Mapping[Quantity, float], box: MechanicalBox, limits: Limits | None = None
) -> list[str]:
    """Name the quantities outside the box, or farther outside than the limits tolerate."""
    named = []
    for quantity, value in quantities.items():
        low, high = getattr(box, quantity)
        margin = limits.tolerance(quantity) if limits else 0.0
        if not low - margin <= value <= high + margin:
            named.append(f"{quantity} {value:.3f} lies outside the trained {low:g} to {high:g}")
    return named


def position(truth: Truth, box: MechanicalBox, limits: Limits) -> Position:
    """Where a known material lies with respect to what was trained."""
    if beyond(truth.quantities, box, limits):
        return "outside"
    return "edge" if beyond(truth.quantities, box) else "inside"


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
