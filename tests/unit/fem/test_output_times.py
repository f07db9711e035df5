"""Output times of a force-displacement curve: ratios of forces, so measured and simulated alike."""

import numpy as np
import pytest

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.specimen import FromYield
from hpc_jobs.fem.specimen.output_times import output_displacements

TIMING = FromYield(secant=0.5, peak_share=0.9)
STIFFNESS, YIELD, PEAK_AT = 40e3, 4000.0, 1.0


def force(u: np.ndarray) -> np.ndarray:
    """Elastic up to .1 mm, then a parabola to its peak of 6 kN at 1 mm."""
    plastic = 6000 - 2000 * ((PEAK_AT - u) / 0.9) ** 2
    return np.minimum(STIFFNESS * u, plastic)


def expected() -> tuple[float, float]:
    u = np.linspace(1e-6, 1, 1_000_001)
    first = u[np.flatnonzero(force(u) > 0.5 * STIFFNESS * u)[-1]]
    return float(first), 1 - 0.9 * (600 / 2000) ** 0.5


def test_the_first_is_at_general_yield_and_the_last_at_a_share_of_the_peak() -> None:
    u = np.linspace(0, 1.3, 131)
    times = output_displacements(u, force(u), TIMING, 5)
    assert times[[0, -1]] == pytest.approx(expected(), abs=2e-4)
    assert np.diff(times) == pytest.approx(np.full(4, (times[-1] - times[0]) / 4))


def test_one_time_is_the_last() -> None:
    u = np.linspace(0, 1.3, 131)
    assert output_displacements(u, force(u), TIMING, 1) == pytest.approx(expected()[1], abs=2e-4)


def test_a_load_cells_gain_changes_nothing() -> None:
    u = np.linspace(0, 1.3, 131)
    times = output_displacements(u, force(u), TIMING, 5)
    assert output_displacements(u, 1.07 * force(u), TIMING, 5) == pytest.approx(times, rel=1e-12)


def test_a_foot_moves_all_times_along() -> None:
    """The specimen settles by .05 mm before it bears."""
    u = np.linspace(0, 1.3, 1301)
    settled = np.append(np.linspace(0, 0.05, 20, endpoint=False), u + 0.05)
    bears = np.append(np.zeros(20), force(u))
    times = output_displacements(u, force(u), TIMING, 5)
    assert output_displacements(settled, bears, TIMING, 5) == pytest.approx(times + 0.05, abs=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_noise_and_jitter_move_them_by_a_percent_at_most(seed: int) -> None:
    random = np.random.default_rng(seed)
    u = np.linspace(0, 1.3, 4000)
    measured = force(u) * (1 + 0.005 * random.standard_normal(4000))
    jittered = u + 2e-4 * random.standard_normal(4000)
    times = output_displacements(jittered, measured, TIMING, 5)
    assert times[[0, -1]] == pytest.approx(expected(), rel=0.012)


def test_without_a_peak_the_last_force_counts() -> None:
    u = np.linspace(0, 0.8, 81)
    last = force(u)[-1]
    times = output_displacements(u, force(u), TIMING, 3)
    assert force(times[-1:])[0] == pytest.approx(0.9 * last, rel=1e-3)


def test_a_drop_that_is_made_good_is_no_peak() -> None:
    u = np.linspace(0, 1.3, 131)
    dip = 300 * np.exp(-(((u - 0.2) / 0.02) ** 2))
    times = output_displacements(u, force(u) - dip, TIMING, 3)
    assert times[-1] == pytest.approx(expected()[1], abs=2e-4)


@pytest.mark.parametrize(
    ("u", "f", "words"),
    [
        (np.linspace(0, 0.05, 60), STIFFNESS * np.linspace(0, 0.05, 60), "nothing yields"),
        (np.linspace(0, 1, 50), -np.linspace(0, 1, 50), "tension positive"),
        (np.zeros(50), np.linspace(0, 1, 50), "1 points of increasing displacement"),
        (np.linspace(0, 1, 50), np.full(50, np.nan), "all of them finite"),
        (np.linspace(0, 1, 50), np.linspace(0, 1, 49), "as many of each"),
        (np.linspace(0, 1.3, 400), np.maximum(force(np.linspace(0, 1.3, 400)), 5000), "elastic"),
    ],
)
def test_what_is_no_tensile_test_is_refused(u: np.ndarray, f: np.ndarray, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        output_displacements(u, f, TIMING, 5)
