"""What the gate lets pass, what it refuses, and how seldom it errs."""

import math
import re

import numpy as np
import pytest

from hpc_jobs.contract.gate import Gate, PersonsWord, SheetAnswers
from hpc_jobs.contract.validation import Judgement, Limits, Verdict
from operators.promotion.bootstrap import improvement
from operators.promotion.gate import decide, with_word
from tests.harness.comparisons import comparison, contestant, drawn


def verdict(passed: bool) -> Verdict:
    judgement = Judgement(
        verdict="pass" if passed else "fail",
        reasons=() if passed else ("r_value_45 is off by 0.3",),
        quantities={},
        novelty=1.0,
        novelty_limit=2.0,
    )
    return Verdict(
        validation="v1",
        model="mlp",
        limits=Limits(),
        measurements={"dp780": judgement},
        passed=passed,
    )


STRICT, LOOSE = Gate(minimum_improvement=0.1), Gate(require_validation=False)
PASS, FAIL = verdict(True), verdict(False)
OLD = contestant(0.1, seed=2)
NAN = contestant(losses=(math.nan,) * 300)


@pytest.mark.parametrize(
    ("challenger", "champion", "gate", "judged", "promoted", "because"),
    [
        (contestant(0.1), None, STRICT, PASS, True, "there is no champion"),
        (contestant(0.9), None, LOOSE, PASS, False, "always answering the mean"),
        (NAN, None, LOOSE, PASS, False, "nan"),
        (contestant(0.1), None, STRICT, FAIL, False, r"dp780 \(r_value_45 is off by 0\.3\)"),
        (contestant(0.1), None, STRICT, None, False, "has not been validated"),
        (contestant(0.1), None, LOOSE, None, True, "there is no champion"),
        (contestant(0.08), OLD, STRICT, PASS, True, r"20\.0% below the champion's 0\.1"),
        (contestant(0.095), OLD, STRICT, PASS, False, r"asks for 10\.0%"),
        (contestant(0.2), OLD, STRICT, PASS, False, r"100\.0% above"),
        (contestant(0.08), OLD, STRICT, FAIL, False, "failed the inverse validation"),
        (contestant(0.08, sha256=OLD.sha256), OLD, STRICT, PASS, False, "the champion already"),
        (contestant(0.08, covered={"MP1": 270, "MP2": 220}), OLD, STRICT, PASS, False, "MP2"),
        (contestant(0.08, admissible=290), OLD, STRICT, PASS, False, "96.7% of its answers"),
        (contestant(0.08, answers_per_s=1e3), OLD, STRICT, PASS, False, "5 times slower"),
        (contestant(0.08, sheets={"dp780": 0.2}), OLD, STRICT, PASS, False, "dp780: its error"),
        (contestant(0.08, sheets={"dp780": 0.11}), OLD, STRICT, PASS, True, "20.0% below"),
    ],
)
def test_the_gate_decides(challenger, champion, gate, judged, promoted, because):
    evidence = comparison(challenger, champion)
    decision = decide(evidence, gate, judged)
    assert decision.promoted == promoted, decision.reason
    assert re.search(because, decision.reason)
    assert decide(evidence, gate, judged) == decision


def test_what_cannot_be_compared_is_refused():
    """Once a model 2.4 times worse took over because its run had a test set of its own."""
    evidence = comparison(contestant(0.001), not_comparable="the champion takes 90 strains")
    decision = decide(evidence, STRICT, PASS)
    assert not decision.promoted and "cannot be compared" in decision.reason
    assert "takes 90 strains" in decision.reason


def test_a_rehearsal_never_becomes_champion() -> None:
    for champion, judged in ((None, PASS), (OLD, PASS), (None, None)):
        evidence = comparison(contestant(1e-9), champion, provenance="rehearsal")
        decision = decide(evidence, LOOSE, judged)
        assert not decision.promoted
        assert "rehearsal" in decision.reason


def test_a_sheet_that_only_the_champion_answers_is_a_refusal():
    silent = contestant(0.05, sheets={}).model_copy(
        update={"sheets": {"dp780": SheetAnswers(losses=(0.0,), withheld=0.9)}}
    )
    decision = decide(comparison(silent, OLD), STRICT, PASS)
    assert not decision.promoted and "does not answer what the champion" in decision.reason
    decision = decide(
        comparison(
            contestant(0.05), silent.model_copy(update={"losses": OLD.losses, "sha256": OLD.sha256})
        ),
        STRICT,
        PASS,
    )
    assert decision.promoted, decision.reason


def test_a_persons_word_counts_where_the_rules_let_pass_and_silence_does_not():
    passes = decide(comparison(contestant(0.05), OLD), STRICT, PASS)
    refused = decide(comparison(contestant(0.2), OLD), STRICT, PASS)
    yes = PersonsWord(answer="promote", by="ada", reason="looks right")
    no = PersonsWord(answer="reject", by="bob", reason="tr1180 is due tomorrow")
    silence = PersonsWord(answer="no answer")
    assert with_word(passes, yes).promoted and with_word(passes, yes).decided_by == "ada"
    rejected = with_word(passes, no)
    assert not rejected.promoted and "bob rejected it: tr1180 is due" in rejected.reason
    assert rejected.word == no and rejected.checks == passes.checks
    assert not with_word(passes, silence).promoted
    assert with_word(refused, yes) == refused  # nobody overrules the evidence
    assert with_word(passes, None) == passes


def test_pairs_that_differ_by_their_order_are_not_taken_for_pairs():
    """The bootstrap draws records, not losses: unpaired, the same difference is not sure."""
    new, old = np.array(drawn(1, 0.09)), np.array(drawn(2, 0.1))
    paired = improvement(new.tolist(), old.tolist(), 0.99)
    shuffled = improvement(np.random.default_rng(0).permutation(new).tolist(), old.tolist(), 0.99)
    assert paired.value == pytest.approx(shuffled.value)
    assert paired.low > 0 > shuffled.low
    with pytest.raises(ValueError, match="not paired"):
        improvement([1.0], [1.0, 2.0], 0.9)


@pytest.mark.parametrize(("error", "most"), [(0.1, 0.03), (0.105, 0.0)])
def test_what_is_equal_or_worse_hardly_ever_passes(error, most):
    passed = 0
    for seed in range(40):
        evidence = comparison(
            contestant(error, seed=2 * seed + 11).model_copy(
                update={"losses": scattered(seed, error)}
            ),
            OLD,
        )
        passed += decide(evidence, Gate(), PASS).promoted
    assert passed / 40 <= most


def scattered(seed: int, error: float) -> tuple[float, ...]:
    """Losses whose mean is `error` in the long run, and so only nearly in this test set."""
    shared = np.random.default_rng([0, 300]).standard_normal(300) * 0.9
    own = np.random.default_rng([seed, 5]).standard_normal(300) * 0.25
    scale = error * np.exp(-(0.25**2) / 2) / np.exp(shared).mean()
    return tuple((scale * np.exp(shared + own)).tolist())
