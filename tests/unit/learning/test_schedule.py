"""Learning rates against values computed by hand from the published formula."""

import math

import pytest

from hpc_jobs.contract.training import Cosine, OneCycle, SineWave
from hpc_jobs.learning.training.schedule import learning_rate

SINE = SineWave(kind="sine_wave", decay=2.0, waves=1.0, gamma=0.5, scan="epoch")


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 1.5),  # e^0 (0 + 1 + 1/2)
        (25, math.exp(-0.5) * (0.5 + math.exp(-0.5) + 0.5)),  # a quarter of the first scan
        (75, math.exp(-1.5) * (-0.5 + math.exp(-1.5) + 0.5)),  # three quarters
        (100, math.exp(-2) * (math.exp(-2) + 0.5)),
    ],
)
def test_sine_wave_scanned_once_an_epoch(step, expected):
    assert learning_rate(SINE, 3.0, step, 100, 100) == pytest.approx(3 * expected, abs=1e-12)


def test_literal_argument_has_a_period_of_four_pi_squared_epochs():
    literal = SINE.model_copy(update={"scan": "literal"})
    epochs, steps = 4 * math.pi**2, 10  # b t / (2 pi n) = 2 pi after 4 pi^2 epochs
    quarter = round(epochs * steps / 4)
    total = 1000
    decay = math.exp(-2 * quarter / total)
    expected = decay * (0.5 * math.sin(quarter / steps / (2 * math.pi)) + decay + 0.5)
    assert learning_rate(literal, 1.0, quarter, total, steps) == pytest.approx(expected)
    assert math.sin(quarter / steps / (2 * math.pi)) == pytest.approx(1, abs=1e-4)


def test_never_negative():
    wild = SineWave(kind="sine_wave", decay=20.0, gamma=1.0)
    rates = [learning_rate(wild, 1.0, step, 1000, 100) for step in range(1000)]
    assert min(rates) == 0.0
    assert max(rates) > 1.5


def test_cosine_from_the_initial_rate_to_zero():
    cosine = Cosine(kind="cosine")
    assert learning_rate(cosine, 0.2, 0, 10, 5) == pytest.approx(0.2)
    assert learning_rate(cosine, 0.2, 5, 10, 5) == pytest.approx(0.1)
    assert learning_rate(cosine, 0.2, 10, 10, 5) == pytest.approx(0.0, abs=1e-15)


def test_one_cycle_rises_to_the_rate_and_ends_near_nothing():
    cycle = OneCycle(kind="one_cycle", warm_up=0.25, start=0.04, end=1e-4)
    rates = [learning_rate(cycle, 0.2, step, 1000, 10) for step in range(1001)]
    assert rates[0] == pytest.approx(0.2 * 0.04)
    assert rates[125] == pytest.approx(0.2 * 0.52)  # half way up
    assert max(rates) == rates[250] == pytest.approx(0.2)
    assert rates[625] == pytest.approx(0.2 * (1 + 1e-4) / 2)  # half way down
    assert rates[1000] == pytest.approx(0.2 * 1e-4)
