"""Hardening laws: the flow stress k(p) of the equivalent plastic strain p, and its slope."""

from math import exp

import numpy as np
from numba import float64, types
from numpy.typing import NDArray

from hpc_jobs.contract.material import Hardening, HockettSherby, Swift
from hpc_jobs.fem.kernel import VECTOR, kernel

SWIFT, VOCE, HOCKETT_SHERBY = 0, 1, 2
FLOOR = 1e-8
"""Below this plastic strain the curve is continued by its tangent: Hockett-Sherby with q < 1
starts with an infinite slope, which no Newton iteration survives."""


def hardening_array(law: Hardening) -> NDArray[np.float64]:
    """Code of the law and its four parameters, as the kernel below reads them."""
    if isinstance(law, Swift):
        values = (SWIFT, law.strength_mpa, law.prestrain, law.exponent, 0.0)
    elif isinstance(law, HockettSherby):
        values = (
            HOCKETT_SHERBY,
            law.saturation_stress_mpa,
            law.yield_stress_mpa,
            law.rate,
            law.exponent,
        )
    else:
        values = (VOCE, law.yield_stress_mpa, law.saturation_mpa, law.rate, 0.0)
    return np.array(values, dtype=np.float64)


@kernel(types.UniTuple(float64, 2)(VECTOR, float64))
def flow_stress(law, p):
    """Flow stress k (MPa) and slope dk/dp at plastic strain p.

    Swift K (e0 + p)^n; Voce s0 + Q (1 - exp(-b p)); Hockett-Sherby
    s_inf - (s_inf - s0) exp(-m p^q).
    """
    x = max(p, FLOOR)
    if law[0] == SWIFT:
        k = law[1] * (law[2] + x) ** law[3]
        slope = law[3] * k / (law[2] + x)
    elif law[0] == VOCE:
        decay = law[2] * exp(-law[3] * x)
        k = law[1] + law[2] - decay
        slope = law[3] * decay
    else:
        exponent = law[3] * x ** law[4]
        decay = (law[1] - law[2]) * exp(-exponent)
        k = law[1] - decay
        slope = decay * law[4] * exponent / x
    return k + slope * (p - x), slope
