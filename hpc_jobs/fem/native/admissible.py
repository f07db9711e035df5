"""Which alpha describe a material: hpc_jobs.fem.admissible, without loading numba.

The same limits and words; a test holds the two together.
"""

from functools import cache

import numpy as np

from hpc_jobs.fem.mesh import FloatArray
from hpc_jobs.fem.native.library import Library

SMALLEST_STRESS = 0.2
R_VALUE_ANGLES = np.linspace(0, 90, 37)


@cache
def _stresses() -> tuple[FloatArray, FloatArray]:
    """Return unit stresses (n, 3) on half of the sphere, and of uniaxial tension (37, 3)."""
    height, angle = np.meshgrid(
        np.linspace(0, 1, 16), np.linspace(0, 2 * np.pi, 48, endpoint=False), indexing="ij"
    )
    radius = np.sqrt(1 - height**2)
    half = np.stack((radius * np.cos(angle), radius * np.sin(angle), height), -1).reshape(-1, 3)
    theta = np.deg2rad(R_VALUE_ANGLES)
    cos, sin = np.cos(theta), np.sin(theta)
    return half, np.stack((cos**2, sin**2, cos * sin), axis=-1)


def defect(library: Library, alpha: FloatArray, exponent: int) -> str:
    """Say what makes a yield function unphysical; empty if nothing does."""
    if not np.all(np.isfinite(alpha)):
        return "a parameter is not a finite number"
    half_sphere, tension = _stresses()
    along = library.yield_function(alpha, exponent, tension)
    reference = along[0, 0]
    stresses = library.yield_function(alpha, exponent, half_sphere)[:, 0]
    if not (reference > 0 and np.all(np.isfinite(stresses))):
        return "the yield function has no finite, positive value in every direction"
    smallest = float(stresses.min() / reference)
    if smallest < SMALLEST_STRESS:
        return (
            f"degenerate: sigma_bar falls to {smallest:.3g} of its value in the rolling direction "
            f"on the unit sphere (limit {SMALLEST_STRESS:g})"
        )
    _, n_x, n_y, n_t = along.T
    width = n_x * tension[:, 1] + n_y * tension[:, 0] - n_t * tension[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        r = width / -(n_x + n_y)
    if not np.all(r > 0):
        worst = int(np.argmin(np.where(np.isfinite(r), r, -np.inf)))
        return f"r is {r[worst]:.3g}, not positive, at {R_VALUE_ANGLES[worst]:g} degrees"
    return ""
