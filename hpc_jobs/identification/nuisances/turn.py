"""What strains become when the patches' axes are turned against the specimen's."""

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.geometry import Patches

FloatArray = NDArray[np.float64]


def turned(by_x: FloatArray, by_y: FloatArray, patches: Patches) -> FloatArray:
    """Return derivatives of strains (2, patches, times) by a turn, per degree.

    Patches move around the notch, by the field's gradients along and across (like the strains, per
    mm), and tensors turn. The shear that turns into them follows from the same gradients:
    displacements are sums of strains.
    """
    shape = (2, patches.along, patches.across, -1)
    by_x, by_y = by_x.reshape(shape), by_y.reshape(shape)
    x, y = (
        extent * ((np.arange(count) + 0.5) / count - 0.5)
        for extent, count in (
            (patches.region_length_mm, patches.along),
            (patches.region_width_mm, patches.across),
        )
    )
    slopes = x[:, None, None] * by_y - y[:, None] * by_x
    shear = _summed(by_y[0], x, axis=0) + _summed(by_x[1], y, axis=1)  # twice exy
    slopes[0] += shear
    slopes[1] -= shear
    return np.asarray(np.deg2rad(slopes).reshape(2, patches.count, -1))


def _summed(slopes: FloatArray, at: FloatArray, axis: int) -> FloatArray:
    """Integrate slopes (..., at equal steps along an axis, ...) from the middle on."""
    step = at[1] - at[0] if len(at) > 1 else 0.0
    upto = (np.cumsum(slopes, axis=axis) - slopes / 2) * step
    shape = [1] * slopes.ndim
    shape[axis] = len(at)
    middle = np.maximum(np.minimum((0 - at) / (step or 1.0) + 0.5, 1.0), 0.0).reshape(shape)
    return np.asarray(upto - (middle * slopes * step).sum(axis=axis, keepdims=True))
