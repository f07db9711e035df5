"""Which yield functions describe a material: finite, not degenerate, with positive r-values."""

from collections.abc import Callable

import numpy as np

from hpc_jobs.fem.materials.yield_function import FloatArray, YieldFunction
from hpc_jobs.fem.materials.yield_locus import derivatives, uniaxial, width_over_thickness

SMALLEST_STRESS = 0.2
"""Of sigma_bar on the unit sphere over that in the rolling direction: below it the yield surface
is a needle."""
R_VALUE_ANGLES = np.linspace(0, 90, 37)
TENSION = uniaxial(R_VALUE_ANGLES)

Derivatives = Callable[[YieldFunction, FloatArray], FloatArray]
"""Yield function and stresses (n, 3) to rows that begin with sigma_bar and its gradient."""


def _half_sphere(rings: int = 16, points: int = 48) -> FloatArray:
    """Spread unit stresses (n, 3); one half suffices, for sigma_bar(-s) = sigma_bar(s)."""
    height, angle = np.meshgrid(
        np.linspace(0, 1, rings), np.linspace(0, 2 * np.pi, points, endpoint=False), indexing="ij"
    )
    radius = np.sqrt(1 - height**2)
    return np.stack((radius * np.cos(angle), radius * np.sin(angle), height), -1).reshape(-1, 3)


HALF_SPHERE = _half_sphere()


def defect(material: YieldFunction, derivatives: Derivatives = derivatives) -> str:
    """Say what makes a yield function unphysical; empty if nothing does."""
    if not np.all(np.isfinite(material.parameters)):
        return "a parameter is not a finite number"
    if not np.all(np.isfinite(material.coefficients)):
        values = ", ".join(f"{value:.3g}" for value in material.parameters)
        return f"no yield function {material.name} has the parameters {values}"
    along = derivatives(material, TENSION)
    reference = along[0, 0]
    stresses = derivatives(material, HALF_SPHERE)[:, 0]
    if not (reference > 0 and np.all(np.isfinite(stresses))):
        return "the yield function has no finite, positive value in every direction"
    smallest = float(stresses.min() / reference)
    if smallest < SMALLEST_STRESS:
        return (
            f"degenerate: sigma_bar falls to {smallest:.3g} of its value in the rolling direction "
            f"on the unit sphere (limit {SMALLEST_STRESS:g})"
        )
    r = width_over_thickness(TENSION, along[:, 1:4])
    if not np.all(r > 0):
        worst = int(np.argmin(np.where(np.isfinite(r), r, -np.inf)))
        return f"r is {r[worst]:.3g}, not positive, at {R_VALUE_ANGLES[worst]:g} degrees"
    return ""
