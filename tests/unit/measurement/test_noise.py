"""What a usual fit is, and how much less sure one with lost points is."""

from types import SimpleNamespace

import numpy as np
import pytest

from hpc_jobs.measurement.noise import mean_of_seen, median_of_seen, noise_of
from hpc_jobs.measurement.outputs import Moments, strains_at

FRAMES, PATCHES = 21, 3


def test_what_nobody_saw_has_neither_mean_nor_median() -> None:
    values = np.array([[1.0, np.nan, np.nan], [2.0, 4.0, np.nan], [9.0, np.nan, np.nan]])
    np.testing.assert_array_equal(mean_of_seen(values), [4, 4, np.nan])
    np.testing.assert_array_equal(median_of_seen(values), [2, 4, np.nan])


@pytest.mark.parametrize("unloaded", [1, 6])
def test_late_frames_that_lost_points_do_not_make_their_loss_usual(unloaded: int) -> None:
    """Whether unloaded frames tell the noise or its roughness in time does: growth is the same."""
    random = np.random.default_rng(4)
    strains = 1e-4 * random.standard_normal((FRAMES, 2, PATCHES))
    spread = np.ones((FRAMES, 2, PATCHES))
    spread[-6:] = 4.0
    spread[-4:, :, 2] = np.nan  # a patch that is gone in the end
    noise = noise_of(strains, unloaded)
    assert noise.measured is (unloaded > 3)
    frames = np.array([8, FRAMES - 1])
    moments = Moments(frames - 1, frames, np.ones(2))
    watched = SimpleNamespace(strains=strains, spread=spread)
    _, deviation = strains_at(watched, noise, moments)
    of_mean = noise.deviation / (np.sqrt(noise.frames) if noise.measured else 1)
    np.testing.assert_allclose(deviation[..., 0], np.hypot(noise.deviation, of_mean))
    grown = np.hypot(4 * noise.deviation, of_mean)
    np.testing.assert_allclose(deviation[:, :2, 1], grown[:, :2])
