"""A field's own symmetry says where its centre is, better than ragged edges do."""

import numpy as np

from hpc_jobs.contract.geometry import Patches
from hpc_jobs.measurement.centring import FARTHEST_MM, centred
from hpc_jobs.measurement.formats.frame import Frame
from hpc_jobs.measurement.placement import Placement
from hpc_jobs.measurement.strain import PatchFit

PATCHES = Patches(along=6, across=3)
NOISE_MM = 6e-4


def _frame(along: float, across: float, seed: int) -> Frame:
    """Displacements of a notch whose centre lies off the origin of the points."""
    x, y = (a.ravel() for a in np.meshgrid(np.arange(-10, 10, 0.25), np.arange(-6, 6, 0.25)))
    a, b = x - along, y - across
    u = 0.06 * 4 * np.tanh(a / 4) * (1 + 0.004 * b**2)
    v = -0.03 * b / np.cosh(a / 4) ** 2
    noise = NOISE_MM * np.random.default_rng(seed).standard_normal((len(x), 2))
    return Frame(
        name=f"frame {seed}",
        points=np.column_stack((x, y)),
        displacements=np.column_stack((u, v)) + noise,
        weights=np.ones(len(x)),
        lost=0,
    )


def _centred(along: float, across: float) -> Placement:
    edges = Placement(
        origin=np.zeros(2), axes=np.eye(2), spacing=0.25, centre_sd_mm=0.08, margin_mm=0.3
    )
    frames = [_frame(along, across, seed) for seed in range(3)]
    return centred(edges, frames, PatchFit(PATCHES))


def test_an_offset_is_found_to_a_few_hundredths():
    found = _centred(0.12, 0.0)
    assert abs(found.origin[0] - 0.12) < 0.02
    assert abs(found.origin[0] - 0.12) < 3 * found.centre_sd_mm < 0.06
    assert "centred by the field's symmetry" in found.notes[-1]


def test_a_centre_far_from_the_edges_is_left_for_the_checks():
    found = _centred(3 * FARTHEST_MM, 0.0)
    assert np.array_equal(found.origin, np.zeros(2)) and not found.notes
