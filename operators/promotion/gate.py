"""The gate: whether a challenger becomes champion; a pure function of what was measured."""

import math

from hpc_jobs.contract.frozen import Frozen
from hpc_jobs.contract.solver import Provenance
from hpc_jobs.contract.validation import Gate, Verdict


class Score(Frozen):
    """How well a model does on the off-grid test set that it was never tuned on."""

    error: float
    """sum over the targets of the mean squared error, in units of the frozen target ranges"""
    mean_baseline: float
    """the same of a predictor that always answers the mean of the training set"""
    test_set: str
    """identity of the test set and of the target ranges: only equal ones can be compared"""
    provenance: Provenance = "simulation"
    """of the records that it learned from"""

    @property
    def beats_mean(self) -> bool:
        """Whether it has learned anything; false if its error is no number."""
        return self.error < self.mean_baseline


class Decision(Frozen):
    """What the gate decided, and why."""

    promoted: bool
    reason: str


def decide(
    challenger: Score, champion: Score | None, gate: Gate, verdict: Verdict | None
) -> Decision:
    """Judge a challenger; deterministic, so that a retry decides the same.

    A network that learned from a rehearsal knows no sheet: it is refused whatever it says.
    It must learn something (beat the mean), pass the inverse validation where the campaign says so,
    and be better than the champion by the campaign's share. Errors on different test sets are not
    compared: then only a validated challenger may take over.
    """
    if challenger.provenance != "simulation":
        return _refused(
            "its records are a rehearsal's, no simulations; run the campaign with a real solver"
        )
    if not challenger.beats_mean:
        return _refused(
            f"its test error {challenger.error:.4g} is not below that of always answering the "
            f"mean, {challenger.mean_baseline:.4g}"
        )
    if gate.require_validation and verdict is None:
        return _refused("it has not been validated, which gate.require_validation asks for")
    if gate.require_validation and verdict is not None and not verdict.passed:
        return _refused(f"it failed the inverse validation: {failures(verdict)}")
    if champion is None:
        return _promoted(
            f"there is no champion, and its test error {challenger.error:.4g} is below that of "
            f"always answering the mean, {challenger.mean_baseline:.4g}"
        )
    if champion.test_set != challenger.test_set:
        return _by_validation(verdict)
    return _by_error(challenger, champion, gate)


def failures(verdict: Verdict) -> str:
    """Name what failed, and the first reason of each."""
    failed = [
        f"{name} ({judgement.reasons[0]})" if judgement.reasons else name
        for name, judgement in verdict.measurements.items()
        if judgement.verdict == "fail"
    ]
    return "; ".join(failed) or "no measurement could be judged"


def _by_validation(verdict: Verdict | None) -> Decision:
    unlike = "the champion was tested on another test set, so their errors cannot be compared"
    if verdict is not None and verdict.passed:
        return _promoted(f"{unlike}; it passed the inverse validation")
    return _refused(f"{unlike}, and no inverse validation speaks for it")


def _by_error(challenger: Score, champion: Score, gate: Gate) -> Decision:
    if not math.isfinite(champion.error) or champion.error <= 0:
        return _refused(f"the champion's test error is {champion.error:.4g}")
    improvement = 1 - challenger.error / champion.error
    figures = (
        f"its test error {challenger.error:.4g} is {abs(improvement):.1%} "
        f"{'below' if improvement >= 0 else 'above'} the champion's {champion.error:.4g}"
    )
    if improvement >= gate.minimum_improvement:
        return _promoted(figures)
    return _refused(f"{figures}; gate.minimum_improvement asks for {gate.minimum_improvement:.1%}")


def _promoted(reason: str) -> Decision:
    return Decision(promoted=True, reason=f"promoted: {reason}")


def _refused(reason: str) -> Decision:
    return Decision(promoted=False, reason=f"not promoted: {reason}")
