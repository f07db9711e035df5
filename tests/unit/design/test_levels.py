"""Mesh levels of a round: the shares that were asked for, in every shard, all over the box."""

import numpy as np
import pytest

from hpc_jobs.design.levels import mesh_levels
from hpc_jobs.design.sobol import TRAIN, sobol_points


@pytest.mark.parametrize("shares", [(0.05,), (0.2, 0.01), (0.6, 0.3)])
def test_each_level_has_its_share_of_every_stretch(shares: tuple[float, ...]) -> None:
    levels = mesh_levels(shares, np.zeros(20_000, dtype=np.bool_))
    for stretch in (levels, levels[:500], levels[7_000:7_500]):
        for level, share in enumerate(shares, start=1):
            assert abs((stretch == level).sum() - share * len(stretch)) <= 3


def test_without_shares_and_in_tests_there_is_one_level() -> None:
    is_test = np.arange(1000) >= 800
    assert not mesh_levels((), is_test).any()
    mixed = mesh_levels((0.5,), is_test)
    assert mixed[:800].any()
    assert not mixed[800:].any()


def test_the_points_of_a_level_fill_the_box() -> None:
    points = sobol_points(3, TRAIN, 7, 0, 4096)
    fine = points[mesh_levels((0.05,), np.zeros(4096, dtype=np.bool_)) == 1]
    halves, axes = (fine < 0.5).astype(int), range(7)
    for i in axes:
        for j in range(i):
            quadrants = np.bincount(2 * halves[:, i] + halves[:, j], minlength=4) / len(fine)
            assert quadrants == pytest.approx(np.full(4, 0.25), abs=0.08)
