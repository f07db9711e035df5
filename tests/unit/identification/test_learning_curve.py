"""Whether more records would help: power laws are found again, and a smooth sheet is foreseen."""

import numpy as np
import pytest

from hpc_jobs.forward.records import ForwardRecords
from hpc_jobs.identification.known import Foresight, Simulated
from hpc_jobs.identification.learning_curve import Missed, missed_near

RNG = np.random.default_rng(4)


@pytest.mark.parametrize(("slope", "scale"), [(-1.0, 400.0), (-0.5, 3.0), (-2.0, 4e4)])
def test_a_power_law_is_extrapolated(slope, scale):
    records = np.array([100, 200, 400, 800])
    means = scale * records**slope
    held = RNG.exponential(size=60)
    squares = means[:, None] * held / held.mean()
    curve = Missed(records, squares, np.full(60, 1 / 60)).curve(800)
    expected = 1 - np.sqrt((1 + scale * 1600.0**slope) / (1 + scale * 800.0**slope))
    assert curve.gain == pytest.approx(expected, rel=1e-6)
    assert curve.gain_low <= curve.gain <= curve.gain_high
    assert curve.error == pytest.approx(np.sqrt(1 + means))
    assert "800 further records" in curve.sentence


def test_where_records_no_longer_help_nothing_is_gained():
    records = np.array([100, 200, 400])
    squares = np.full((3, 40), 0.3) + 1e-3 * RNG.random((3, 40))
    curve = Missed(records, squares, np.full(40, 1 / 40)).curve(1000)
    assert 0 <= curve.gain_high < 0.005


def simulated(records: int) -> Simulated:
    """Make up records of two parameters that bend."""
    parameters = RNG.uniform(0.9, 1.1, (records, 2))
    bent = np.sin(np.outer(20 * parameters.sum(1), np.linspace(0.5, 1, 12)))
    forces = 8000 * np.exp(parameters @ np.ones((2, 3)))
    sheet = ForwardRecords(parameters, 0.05 + 0.01 * bent, forces)
    limits = np.full(2, 0.9), np.full(2, 1.1)
    return Simulated((parameters - 0.9) / 0.2, (5e-4, 5e-3), limits=limits, sheet=sheet)


def test_what_is_smooth_is_foreseen_better_with_more_records():
    few, many = simulated(25), simulated(120)
    middle = np.full((1, 2), 0.5)
    found = Foresight.of(many)
    assert found.missed.mean() < Foresight.of(few).missed.mean()
    assert found.known(1e9)(middle)[0] and not found.known(0.0)(middle)[0]
    curve = missed_near(many, middle).curve(100)
    assert curve.records[-1] == 96 and curve.error[0] > curve.error[-1] >= 1
    assert 0 <= curve.gain < 1
