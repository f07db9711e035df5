"""Exported strains: what a tool works out of its displacements, in the measure that it was told.

engineering       U - I
green_lagrange    (F^T F - I)/2
hencky            ln U
euler_almansi     (I - F^-T F^-1)/2
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

Measure = Literal["engineering", "green_lagrange", "hencky", "euler_almansi"]

FloatArray = NDArray[np.float64]


def exported_strains(
    displacements: FloatArray, spacing: tuple[float, float], window: int, measure: Measure
) -> FloatArray:
    """Strains (frames, rows, columns, 3), xx yy and tensor xy, of displacements (..., 2).

    spacing: of columns and of rows, in the displacements' unit, negative where an axis runs
    against the lattice. Each is of the plane fitted to window x window points.
    """
    gradient = np.stack(
        [_slope(displacements, axis, window) / spacing[2 - axis] for axis in (2, 1)], axis=-1
    )
    F = gradient + np.eye(2)
    C = np.swapaxes(F, -1, -2) @ F
    if measure == "green_lagrange":
        tensor = (C - np.eye(2)) / 2
    elif measure == "euler_almansi":
        inverse = np.linalg.inv(F)
        tensor = (np.eye(2) - np.swapaxes(inverse, -1, -2) @ inverse) / 2
    else:
        values, vectors = np.linalg.eigh(C)
        stretch = np.sqrt(np.maximum(values, 1e-12))
        own = np.log(stretch) if measure == "hencky" else stretch - 1
        tensor = (vectors * own[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return np.stack([tensor[..., 0, 0], tensor[..., 1, 1], tensor[..., 0, 1]], axis=-1)


def _slope(values: FloatArray, axis: int, window: int) -> FloatArray:
    """Slope per step along an axis of the planes fitted to window x window points."""
    half = window // 2
    ramp = np.arange(-half, half + 1, dtype=np.float64)
    along = correlate1d(values, ramp / (ramp @ ramp), axis=axis, mode="nearest")
    mean = np.full(window, 1 / window)
    return np.asarray(correlate1d(along, mean, axis=3 - axis, mode="nearest"))
