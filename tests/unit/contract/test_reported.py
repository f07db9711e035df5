"""What was found of a sheet is one list, whoever prints it."""

import pytest

from hpc_jobs.contract.answers import reported
from hpc_jobs.contract.validation import Found, Judgement

JUDGED = Judgement(
    verdict="pass",
    quantities={"r_value_0": (0.8, 0.75), "r_value_biaxial": (None, 0.9)},
    intervals={"r_value_0": (0.7, 0.9)},
    novelty=1,
    novelty_limit=3,
    found={
        "r_value_0": Found(value=0.8, low=0.7, high=0.9, true=0.75),
        "k@0.1": Found(value=606, low=590, high=620, true=600),
        "k@0.03": Found(value=500, low=490, high=510),
        "exponent": Found(value=6.2, low=5.8, high=6.6, true=6),
    },
)


def test_mechanical_values_come_first_then_scalars_then_stresses_by_strain() -> None:
    lines = reported(JUDGED)
    assert [line.name for line in lines] == [
        *("r_value_0", "r_value_biaxial"),
        *("exponent", "k@0.03", "k@0.1"),
    ]
    assert [line.label for line in lines[2:]] == ["a", "k(0.03)", "k(0.1)"]


def test_errors_of_stresses_are_shares_and_missing_ones_are_none() -> None:
    errors = {line.name: line.error for line in reported(JUDGED)}
    assert errors["r_value_0"] == pytest.approx(0.05)
    assert errors["k@0.1"] == pytest.approx(0.01)
    assert errors["r_value_biaxial"] is None and errors["k@0.03"] is None


def test_intervals_stand_beside_their_values() -> None:
    lines = {line.name: (line.low, line.high) for line in reported(JUDGED)}
    assert lines["r_value_0"] == (0.7, 0.9)
    assert lines["r_value_biaxial"] == (None, None)
    assert lines["k@0.1"] == (590, 620)
