"""The gate: whether a challenger becomes champion; a pure function of what was measured.

Each question is a check of its own, and one that fails refuses: what cannot be compared is refused,
too. Superiority must be shown; inferiority anywhere else must be ruled out up to a margin.
"""

import math
from collections.abc import Iterator

from hpc_jobs.contract.gate import Check, Comparison, Contestant, Decision, Gate, PersonsWord
from hpc_jobs.contract.validation import Verdict
from operators.promotion.bootstrap import difference, improvement

MOSTLY = 0.5
"""Share of draws withheld above which a network does not answer a sheet."""
EXPIRED = (
    "the champion's run is not here any more: MLflow's copy of its network was asked, and that it "
    "never saw the sealed records could not be looked at; if it had, it would be the harder to beat"
)
SHEET_LEVEL = 0.95
"""Of the interval at a measured sheet: central, so 2.5 % to each side."""


def decide(comparison: Comparison, gate: Gate, verdict: Verdict | None) -> Decision:
    """Judge a challenger; deterministic, so that a retry decides the same."""
    checks = tuple(_checks(comparison, gate, verdict))
    failed = [check.sentence for check in checks if not check.passed]
    if failed:
        return Decision(promoted=False, reason=f"not promoted: {failed[0]}", checks=checks)
    # What stands first is why it may, the rest that nothing speaks against it
    return Decision(promoted=True, reason=f"promoted: {checks[0].sentence}", checks=checks)


def with_word(decision: Decision, word: PersonsWord | None) -> Decision:
    """Let a person's word count where the rules let a challenger pass; silence never promotes."""
    if word is None or not decision.promoted:
        return decision
    who = word.by or "nobody"
    update: dict[str, object] = {"word": word, "decided_by": who}
    if word.answer == "promote":
        update["reason"] = f"{decision.reason}; {who} agreed: {word.reason or 'no reason given'}"
    elif word.answer == "reject":
        because = word.reason or "no reason was given"
        update |= {"promoted": False, "reason": f"not promoted: {who} rejected it: {because}"}
    else:
        update |= {
            "promoted": False,
            "decided_by": "rules",
            "reason": "not promoted: nobody approved it in time; clear the task ask_person to be "
            "asked again",
        }
    return decision.model_copy(update=update)


def failures(verdict: Verdict) -> str:
    """Name what failed, and the first reason of each."""
    failed = [
        f"{name} ({judgement.reasons[0]})" if judgement.reasons else name
        for name, judgement in verdict.measurements.items()
        if judgement.verdict == "fail"
    ]
    return "; ".join(failed) or "no measurement could be judged"


def _checks(comparison: Comparison, gate: Gate, verdict: Verdict | None) -> Iterator[Check]:
    challenger, champion = comparison.challenger, comparison.champion
    if comparison.provenance != "simulation":
        # It knows no sheet, whatever it says
        sentence = (
            "its records are a rehearsal's, no simulations; run the campaign with a real solver"
        )
        yield Check(name="simulated", passed=False, sentence=sentence)
    if comparison.not_comparable:
        sentence = (
            f"it cannot be compared with the champion: {comparison.not_comparable}; bring the "
            "champion's run back, or remove the alias champion in MLflow"
        )
        yield Check(name="comparable", passed=False, sentence=sentence)
    elif champion is not None:
        yield _better(challenger, champion, gate, comparison.sealed.draws)
        if comparison.champion_expired:
            yield Check(name="expired", passed=True, sentence=EXPIRED)
    yield _learned(comparison, first=champion is None)
    yield _validated(gate, verdict)
    if champion is not None:
        for name in sorted(challenger.sheets):
            yield _no_worse_at(name, challenger, champion, gate)
        yield _quick(challenger, champion, gate)
    yield from _covers(comparison, gate)
    yield _admissible(challenger, champion, gate)


def _learned(comparison: Comparison, *, first: bool) -> Check:
    error, mean = comparison.challenger.loss, comparison.sealed.mean_loss
    if not error < mean:
        sentence = (
            f"its test error {error:.4g} is not below that of always answering the mean, {mean:.4g}"
        )
    elif first:
        sentence = (
            f"there is no champion, and its test error {error:.4g} is below that of always "
            f"answering the mean, {mean:.4g}"
        )
    else:
        sentence = f"its test error {error:.4g} is below that of the mean, {mean:.4g}"
    figures = {"error": error, "mean": mean} if math.isfinite(error) else {"mean": mean}
    return Check(name="learned", passed=error < mean, sentence=sentence, figures=figures)


def _better(challenger: Contestant, champion: Contestant, gate: Gate, draws: int) -> Check:
    if challenger.sha256 == champion.sha256:
        return Check(name="better", passed=False, sentence="it is the champion already")
    found = improvement(challenger.losses, champion.losses, 2 * gate.confidence - 1)
    if not all(map(math.isfinite, (found.value, found.low, found.high))):
        sentence = f"the champion's test error is {champion.loss:.4g}: no share of it is better"
        return Check(name="better", passed=False, sentence=sentence)
    sentence = (
        f"its error on the {len(challenger.losses)} sealed test records"
        f"{f', each with {draws} draws of noise' if draws > 1 else ''}, {challenger.loss:.4g}, is "
        f"{abs(found.value):.1%} {'below' if found.value >= 0 else 'above'} the champion's "
        f"{champion.loss:.4g} ({found.low:.1%} to {found.high:.1%} better)"
    )
    enough, sure = found.value >= gate.minimum_improvement, found.low > 0
    if not enough:
        sentence += f"; gate.minimum_improvement asks for {gate.minimum_improvement:.1%}"
    elif not sure:
        sentence += f"; that it is better at all is not sure to {gate.confidence:.1%}"
    return Check(
        name="better",
        passed=enough and sure,
        sentence=sentence,
        figures={"improvement": found.value, "low": found.low, "high": found.high},
    )


def _validated(gate: Gate, verdict: Verdict | None) -> Check:
    if verdict is None:
        sentence = "it has not been validated, which gate.require_validation asks for"
    elif not verdict.passed:
        sentence = f"it failed the inverse validation: {failures(verdict)}"
    else:
        sentence = "it passed the inverse validation, simulated again with its answers"
    passed = not gate.require_validation or (verdict is not None and verdict.passed)
    return Check(name="validated", passed=passed, sentence=sentence)


def _no_worse_at(name: str, challenger: Contestant, champion: Contestant, gate: Gate) -> Check:
    """Rule out that it is worse at a measured sheet, up to the margin."""
    new, old, kind = challenger.sheets[name], champion.sheets.get(name), f"sheet {name}"
    if old is None:
        return Check(name=kind, passed=False, sentence=f"{name}: the champion was not asked")
    if old.withheld > MOSTLY:
        return Check(name=kind, passed=True, sentence=f"{name}: the champion does not answer it")
    if new.withheld > MOSTLY:
        sentence = f"{name}: it does not answer what the champion answers"
        return Check(name=kind, passed=False, sentence=sentence)
    found = difference(new.losses, old.losses, SHEET_LEVEL)
    before = sum(old.losses) / len(old.losses)
    margin = gate.sheet_margin * max(before, champion.loss)
    # A comparison that is no number passes nothing
    passed = found.high <= margin
    sentence = (
        f"{name}: its error there is {found.value:+.3g} ({found.low:+.3g} to {found.high:+.3g}) "
        f"beside the champion's {before:.3g}; up to {margin:+.3g} is let pass"
    )
    figures = {"difference": found.value, "low": found.low, "high": found.high, "margin": margin}
    finite = {key: value for key, value in figures.items() if math.isfinite(value)}
    return Check(name=kind, passed=passed, sentence=sentence, figures=finite)


def _covers(comparison: Comparison, gate: Gate) -> Iterator[Check]:
    """Refuse intervals that hold surely less than they promise."""
    challenger, records = comparison.challenger, comparison.sealed.records
    floor = challenger.level - gate.coverage_shortfall
    # Three standard errors: one of a thousand networks that hold the floor is refused
    chance = 3 * math.sqrt(max(floor * (1 - floor), 0) / records)
    shares = {target: inside / records for target, inside in challenger.covered.items()}
    worst = min(shares, key=lambda target: shares[target])
    sentence = (
        f"its {challenger.level:.0%} intervals hold {min(shares.values()):.1%} ({worst}) to "
        f"{max(shares.values()):.1%} of the truths; {floor:.0%} less chance, {floor - chance:.1%}, "
        "is the least"
    )
    passed = shares[worst] >= floor - chance
    yield Check(name="coverage", passed=passed, sentence=sentence, figures=shares)


def _quick(challenger: Contestant, champion: Contestant, gate: Gate) -> Check:
    slower = champion.answers_per_s / challenger.answers_per_s
    sentence = (
        f"it gives {challenger.answers_per_s:,.0f} answers a second, the champion "
        f"{champion.answers_per_s:,.0f}; {gate.largest_slowdown:g} times slower is let pass"
    )
    figures = {"challenger": challenger.answers_per_s, "champion": champion.answers_per_s}
    passed = slower <= gate.largest_slowdown
    return Check(name="throughput", passed=passed, sentence=sentence, figures=figures)


def _admissible(challenger: Contestant, champion: Contestant | None, gate: Gate) -> Check:
    new = challenger.admissible / challenger.asked_admissible
    old = champion.admissible / champion.asked_admissible if champion else 1.0
    least = old - gate.admissible_loss
    whose = "the champion's" if champion else "all"
    sentence = (
        f"{new:.1%} of its answers are materials ({whose}: {old:.1%}); {least:.1%} is the least"
    )
    figures = {"challenger": new, "least": least}
    return Check(name="admissible", passed=new >= least, sentence=sentence, figures=figures)
