"""Uniaxial tension at finite strain: T = q k(q e_p), q = sigma_theta / sigma_bar."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import root

from benchmarks.verification.check import Check
from benchmarks.verification.sheets import AA2090, AA2090_ALPHA
from hpc_jobs.fem.materials.hardening import hardening_array
from hpc_jobs.fem.materials.yld2000_2d import Yld2000
from hpc_jobs.fem.reference.point import STATE, update

FloatArray = NDArray[np.float64]
STRETCH = 1.1
STRESS_MPA = {0: 395.097, 45: 309.72, 90: 354.051}


def checks() -> Iterator[Check]:
    """AA2090-T3 at a stretch of 1.1, along three directions."""
    for angle, expected in STRESS_MPA.items():
        yield Check(
            group="Uniaxial tension of AA2090-T3 at a stretch of 1.1, MPa", name=f"T at {angle}°",
            source="closed form", expected=expected, found=_stress(angle), tolerance=1e-4,
            relative=True, digits=3 if angle != 45 else 2,
        )  # fmt: skip


def _stress(angle_deg: float) -> float:
    """Solve for the lateral strain and the shear that leave no other stress."""
    twice = 2 * np.deg2rad(angle_deg)
    cos2, sin2 = np.cos(twice), np.sin(twice)
    elastic = np.array([AA2090.youngs_modulus_mpa, AA2090.poisson_ratio, cos2, sin2])
    coefficients = Yld2000(AA2090_ALPHA, 8).coefficients
    law, unstrained = hardening_array(AA2090.hardening), np.zeros(STATE)

    def stress(lateral: FloatArray) -> FloatArray:
        """T in specimen axes at ln U = (ln 1.1, lateral strain, shear)."""
        logarithm = np.array([[np.log(STRETCH), lateral[1]], [lateral[1], lateral[0]]])
        values, vectors = np.linalg.eigh(logarithm)
        u = vectors @ np.diag(np.exp(values)) @ vectors.T
        new = np.array(update(coefficients, law, elastic, *u.ravel(), unstrained)[-1])
        mean, difference, shear = (new[4] + new[5]) / 2, (new[4] - new[5]) / 2, new[6]
        turned = difference * cos2 + shear * sin2
        return np.array([mean + turned, mean - turned, shear * cos2 - difference * sin2])

    start = np.array([-0.4 * np.log(STRETCH), 0.0])
    found = root(lambda lateral: stress(lateral)[1:], start, tol=1e-10)
    return float(stress(found.x)[0])
