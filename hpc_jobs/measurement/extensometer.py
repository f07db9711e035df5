"""A virtual extensometer: how far two lines of the field have moved apart.

What machine and grips give way is not between the lines, so it drops out. The lines lie as far
apart as valid points allow in the first and the last frame.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.geometry import Geometry
from hpc_jobs.measurement.formats.frame import Frame
from hpc_jobs.measurement.placement import Placement

Values = NDArray[np.float64]

FEWEST = 12  # points that tell where a line is: a parabola has six terms
GAUGE_MM = 1.5  # half of the square around the end of a line, in which a parabola is fitted
FROM_CLAMP_MM = 1.0  # a line stays so far from the clamps
STEP_MM = 0.5
FULL = 0.6  # of the points that belong into a square
SHORTEST_MM = 3.0  # half of the distance of the lines


@dataclass(frozen=True, slots=True)
class Extensometer:
    """Two squares on the axis, at plus and minus half_length_mm from the notch."""

    half_length_mm: float

    def extension(self, frame: Frame, placement: Placement) -> float:
        """Growth of their distance, mm, whatever the rigid motion; NaN if either is lost."""
        points, moved = placement.points(frame), placement.displacements(frame)
        ends = [
            _moved(points, moved, frame.weights, side * self.half_length_mm) for side in (-1, 1)
        ]
        apart = ends[1] - ends[0]
        apart[0] += 2 * self.half_length_mm
        return float(np.linalg.norm(apart)) - 2 * self.half_length_mm


def widest(
    frames: list[Frame], placement: Placement, geometry: Geometry, least_mm: float = SHORTEST_MM
) -> Extensometer:
    """Lay the lines as far apart as all of these frames have points; raises BadInput."""
    clouds = [placement.points(frame) for frame in frames]
    expected = (2 * GAUGE_MM / placement.spacing) ** 2
    if expected < FEWEST:
        raise BadInput(
            f"points are {placement.spacing:.3g} mm apart: {expected:.0f} of them lie in a square "
            f"of {2 * GAUGE_MM:g} mm, where a line of the field needs {FEWEST}; export a finer "
            "grid, or correct scale_mm_per_pixel"
        )
    half = geometry.length_mm / 2 - FROM_CLAMP_MM
    while half >= least_mm:
        counts = [_around(points, side * half).sum() for points in clouds for side in (-1, 1)]
        if min(counts) >= max(FEWEST, FULL * expected):
            return Extensometer(half)
        half -= STEP_MM
    seen = np.vstack(clouds)
    raise BadInput(
        f"valid points reach from {seen[:, 0].min():.3g} to {seen[:, 0].max():.3g} mm along the "
        f"axis and {seen[:, 1].min():.3g} to {seen[:, 1].max():.3g} mm across, from the notch's "
        f"centre; a virtual extensometer needs a filled square of {2 * GAUGE_MM:g} mm on the axis "
        f"at {least_mm:g} mm or more to both sides: correct origin (y counts upward), or correlate "
        "a larger region"
    )


def _around(points: Values, x: float) -> NDArray[np.bool_]:
    return np.asarray((np.abs(points - [x, 0.0]) <= GAUGE_MM).all(axis=1))


def _moved(points: Values, moved: Values, weights: Values, x: float) -> Values:
    """Displacement (2 or 3,) at (x, 0) by a robust parabola; NaN where points are lost."""
    near = _around(points, x)
    if near.sum() < FEWEST:
        return np.full(moved.shape[1], np.nan)
    a, b = (points[near] - [x, 0.0]).T / GAUGE_MM
    basis = np.column_stack((np.ones_like(a), a, b, a * a, a * b, b * b))
    values, robust = moved[near], weights[near]
    for _ in range(3):
        root = np.sqrt(robust)[:, None]
        coefficients = np.linalg.lstsq(root * basis, root * values, rcond=None)[0]
        gap = np.linalg.norm(values - basis @ coefficients, axis=1)
        limit = 5 * max(float(np.median(gap)), 1e-12)
        robust = weights[near] * np.clip(1 - (gap / limit) ** 2, 0, None) ** 2
    return np.asarray(coefficients[0])
