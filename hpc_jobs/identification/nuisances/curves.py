"""A hardening curve near the one that is given: higher, steeper, or bent."""

import numpy as np

from hpc_jobs.contract.material import Hardening, Tabulated
from hpc_jobs.fem.materials.flow_stress import flow_stress
from hpc_jobs.fem.materials.hardening import hardening_array

STRAINS = np.concatenate([[0.0], np.geomspace(5e-4, 1.5, 79)])
PRESTRAIN, ABOUT = 0.002, 0.05


def other_curve(law: Hardening, level: float, exponent: float, bend: float) -> Tabulated:
    """Return k(p) (1 + level) exp(exponent x + bend x^2), x = ln(.002 + p) - ln(.052)."""
    array = hardening_array(law)
    stresses = np.array([flow_stress(array, p)[0] for p in STRAINS])
    x = np.log((PRESTRAIN + STRAINS) / (PRESTRAIN + ABOUT))
    curve = stresses * (1 + level) * np.exp(exponent * x + bend * x**2)
    return Tabulated(
        plastic_strains=tuple(STRAINS.tolist()),
        stresses_mpa=tuple(np.maximum.accumulate(curve).tolist()),
    )
