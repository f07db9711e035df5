from typing import Any

import pytest

from hpc_jobs.contract.design import MechanicalBox
from hpc_jobs.contract.measurement import Truth
from hpc_jobs.contract.validation import Estimate, Judgement, Limits
from hpc_jobs.identification.validity import beyond, position
from hpc_jobs.identification.verdict import judge, passes

BOX, LIMITS = MechanicalBox(), Limits()
INSIDE: dict[Any, float] = {
    "stress_ratio_45": 0.99,
    "stress_ratio_90": 1.02,
    "stress_ratio_biaxial": 1.01,
    "r_value_0": 0.8,
    "r_value_45": 1.1,
    "r_value_90": 0.9,
    "r_value_biaxial": 0.9,
}
GOOD = {"strain_rms": 1.0, "force": 0.005, "r_curve": 0.0, "stress_curve": 0.0, "yield_locus": 0.0}
ANSWER = Estimate(measurement="x", parameters={"MP1": 1.0}, novelty=1, novelty_limit=2)
SILENCE = Estimate(
    measurement="x", parameters=None, outside=("unlike all",), novelty=3, novelty_limit=2
)


def judged(
    estimate: Estimate = ANSWER,
    found: dict[Any, float] | None = INSIDE,
    true: dict[Any, float] | None = INSIDE,
    errors: dict[str, float] = GOOD,
    failure: str | None = None,
) -> Judgement:
    truth = Truth(quantities=true) if true else None
    return judge(estimate, found, truth, errors, failure, BOX, LIMITS)


def test_a_perfect_answer_passes() -> None:
    judgement = judged()
    assert (judgement.verdict, judgement.reasons) == ("pass", ())
    assert judgement.quantities["r_value_45"] == (1.1, 1.1)


@pytest.mark.parametrize(
    ("quantity", "off", "verdict"),
    [
        ("r_value_45", 0.09, "pass"),
        ("r_value_45", 0.11, "fail"),
        ("r_value_0", -0.11, "fail"),
        ("r_value_biaxial", 0.29, "pass"),
        ("r_value_biaxial", 0.31, "fail"),
        ("stress_ratio_90", 0.019, "pass"),
        ("stress_ratio_90", 0.021, "fail"),
    ],
)
def test_each_quantity_has_its_tolerance(quantity: str, off: float, verdict: str) -> None:
    judgement = judged(found={**INSIDE, quantity: INSIDE[quantity] + off})
    assert judgement.verdict == verdict
    if verdict == "fail":
        assert judgement.reasons[0].startswith(f"{quantity} is ")
        assert f"off by {abs(off):.3f}, more than" in judgement.reasons[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("strain_rms", 3.1),
        ("force", 0.031),
        ("r_curve", 0.11),
        ("stress_curve", 0.021),
        ("yield_locus", 0.031),
    ],
)
def test_each_comparison_has_its_limit(name: str, value: float) -> None:
    judgement = judged(errors={**GOOD, name: value})
    assert judgement.verdict == "fail"
    assert judgement.reasons == (judgement.reasons[0],)
    assert judgement.reasons[0].startswith(f"{name} error is {value:.3g}")


def test_without_truth_only_strains_and_forces_count() -> None:
    fields = {"strain_rms": 1.0, "force": 0.005}
    assert judged(true=None, errors=fields).verdict == "answered"  # nobody knows if it is right
    assert judged(true=None, errors={**fields, "strain_rms": 9.0}).verdict == "fail"


def test_a_re_simulation_without_result_fails() -> None:
    judgement = judged(errors={}, failure="the re-simulation ended with 'necked': at .4 mm")
    assert (judgement.verdict, judgement.reasons[0][:31]) == (
        "fail",
        "the re-simulation ended with 'n",
    )


FAR = {**INSIDE, "r_value_0": 0.21}
EDGE = {**INSIDE, "r_value_0": 0.35}


@pytest.mark.parametrize(
    ("true", "where", "answered", "silent"),
    [
        (INSIDE, "inside", "pass", "fail"),
        (EDGE, "edge", "pass", "outside"),
        (FAR, "outside", "fail", "outside"),
    ],
)
def test_who_may_be_answered(
    true: dict[Any, float], where: str, answered: str, silent: str
) -> None:
    assert position(Truth(quantities=true), BOX, LIMITS) == where
    assert judged(found=true, true=true).verdict == answered
    judgement = judged(SILENCE, None, true, {})
    assert judgement.verdict == silent
    assert "unlike all" in judgement.reasons
    assert judgement.quantities["r_value_0"] == (None, true["r_value_0"])


def test_an_answer_beyond_the_trained_range_says_what_lies_there() -> None:
    reasons = judged(found=FAR, true=FAR).reasons
    assert reasons == (
        "answered, though the true r_value_0 0.210 lies outside the trained 0.4 to 2.5",
    )


def test_silence_about_an_unknown_sheet_is_no_failure() -> None:
    assert judged(SILENCE, None, None, {}).verdict == "outside"


def test_a_value_that_is_not_a_number_lies_outside() -> None:
    assert beyond({"r_value_0": float("nan")}, BOX, LIMITS)


@pytest.mark.parametrize(
    ("verdicts", "passed"),
    [
        (["pass", "outside"], True),
        (["pass", "fail"], False),
        (["outside", "outside"], False),
    ],
)
def test_silence_alone_proves_nothing(verdicts: list[Any], passed: bool) -> None:
    judgements = {
        str(i): Judgement(verdict=verdict, quantities={}, novelty=1, novelty_limit=2)
        for i, verdict in enumerate(verdicts)
    }
    assert passes(judgements) is passed
