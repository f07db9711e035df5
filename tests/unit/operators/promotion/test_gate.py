import math
import re

import pytest

from hpc_jobs.contract.validation import Gate, Judgement, Limits, Verdict
from operators.promotion.gate import Score, decide


def score(error: float, test_set: str = "a", mean: float = 0.5) -> Score:
    return Score(error=error, mean_baseline=mean, test_set=test_set)


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
        model="m1",
        limits=Limits(),
        measurements={"dp780": judgement},
        passed=passed,
    )


def test_a_rehearsal_never_becomes_champion() -> None:
    best = Score(error=1e-9, mean_baseline=0.5, test_set="a", provenance="rehearsal")
    for champion, judged in ((None, PASS), (score(0.4), PASS), (None, None)):
        decision = decide(best, champion, LOOSE, judged)
        assert not decision.promoted
        assert "rehearsal" in decision.reason


STRICT, LOOSE = Gate(minimum_improvement=0.1), Gate(require_validation=False)
PASS, FAIL = verdict(True), verdict(False)


@pytest.mark.parametrize(
    ("challenger", "champion", "gate", "judged", "promoted", "because"),
    [
        (score(0.1), None, STRICT, PASS, True, "there is no champion"),
        (score(0.5), None, STRICT, PASS, False, "always answering the mean"),
        (score(0.6), None, LOOSE, PASS, False, "always answering the mean"),
        (score(math.nan), None, LOOSE, PASS, False, "nan"),
        (score(0.1), None, STRICT, FAIL, False, r"dp780 \(r_value_45 is off by 0\.3\)"),
        (score(0.1), None, STRICT, None, False, "has not been validated"),
        (score(0.1), None, LOOSE, None, True, "there is no champion"),
        (score(0.1), None, LOOSE, FAIL, True, "there is no champion"),
        (score(0.08), score(0.1), STRICT, PASS, True, r"20\.0% below the champion's 0\.1"),
        (score(0.09), score(0.1), STRICT, PASS, True, r"10\.0% below"),
        (score(0.095), score(0.1), STRICT, PASS, False, r"asks for 10\.0%"),
        (score(0.2), score(0.1), STRICT, PASS, False, r"100\.0% above"),
        (score(0.08), score(0.1), STRICT, FAIL, False, "failed the inverse validation"),
        (score(0.1), score(0.1), Gate(minimum_improvement=0), PASS, True, r"0\.0% below"),
        (score(0.2), score(0.1, "b"), STRICT, PASS, True, "another test set"),
        (score(0.01), score(0.1, "b"), LOOSE, None, False, "no inverse validation speaks"),
        (score(0.01), score(0.1, "b"), LOOSE, FAIL, False, "no inverse validation speaks"),
        (score(0.01), score(math.nan), STRICT, PASS, False, "the champion's test error is nan"),
    ],
)
def test_the_gate_decides(challenger, champion, gate, judged, promoted, because):
    decision = decide(challenger, champion, gate, judged)
    assert decision.promoted == promoted
    assert re.search(because, decision.reason)
    assert decide(challenger, champion, gate, judged) == decision
