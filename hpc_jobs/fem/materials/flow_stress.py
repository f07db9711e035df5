"""The flow stress k(p) of the equivalent plastic strain p, and its slope, for all hardening laws.

Swift           K (e0 + p)^n
Voce            s0 + Q (1 - exp(-b p))
Hockett-Sherby  s_inf - (s_inf - s0) exp(-m p^q)
mixed           w Swift + (1 - w) Voce
tabulated       a monotone cubic through points, its last slope beyond them
nodes           the same of ln k over ln(1 + p/p0)
"""

from math import exp, log

import numpy as np
from numba import float64, types

from hpc_jobs.fem.kernel import VECTOR, kernel
from hpc_jobs.fem.materials.hardening import HOCKETT_SHERBY, MIXED, NODES, SWIFT, VOCE

FLOOR = 1e-8
"""Below this plastic strain the curve is continued by its tangent: Hockett-Sherby with q < 1
starts with an infinite slope, which no Newton iteration survives."""

_CURVE = types.UniTuple(float64, 2)


@kernel(_CURVE(*[float64] * 4))
def _swift(strength, prestrain, exponent, x):
    k = strength * (prestrain + x) ** exponent
    return k, exponent * k / (prestrain + x)


@kernel(_CURVE(*[float64] * 4))
def _voce(initial, saturation, rate, x):
    decay = saturation * exp(-rate * x)
    return initial + saturation - decay, rate * decay


@kernel(_CURVE(VECTOR, float64))
def _tabulated(law, x):
    """Hermite's cubic between two points; a straight line beyond the last one."""
    points = int(law[1])
    strains = law[2 : 2 + points]
    stresses, slopes = law[2 + points : 2 + 2 * points], law[2 + 2 * points :]
    i = np.searchsorted(strains, x, side="right") - 1
    from_point, k0, m0 = x - strains[i], stresses[i], slopes[i]
    if i == points - 1:
        return k0 + m0 * from_point, m0
    step = strains[i + 1] - strains[i]
    secant, m1 = (stresses[i + 1] - k0) / step, slopes[i + 1]
    second = (3 * secant - 2 * m0 - m1) / step
    third = (m0 + m1 - 2 * secant) / (step * step)
    k = k0 + from_point * (m0 + from_point * (second + from_point * third))
    return k, m0 + from_point * (2 * second + from_point * 3 * third)


@kernel(_CURVE(VECTOR, float64))
def _nodes(law, x):
    """Cubic of ln k between two nodes; a power law beyond the last one."""
    shifted = law[1] + x
    place, row = log(shifted / law[1]), 3
    for i in range(1, int(law[2])):
        if place > law[3 + 5 * i]:
            row = 3 + 5 * i
    r, c1, c2, c3 = place - law[row], law[row + 2], law[row + 3], law[row + 4]
    k = exp(law[row + 1] + r * (c1 + r * (c2 + r * c3)))
    return k, k * (c1 + r * (2 * c2 + r * 3 * c3)) / shifted


@kernel(_CURVE(VECTOR, float64))
def flow_stress(law, p):
    """Flow stress k (MPa) and slope dk/dp at plastic strain p; law as in hardening.py."""
    x = max(p, FLOOR)
    if law[0] == SWIFT:
        k, slope = _swift(law[1], law[2], law[3], x)
    elif law[0] == VOCE:
        k, slope = _voce(law[1], law[2], law[3], x)
    elif law[0] == HOCKETT_SHERBY:
        exponent = law[3] * x ** law[4]
        decay = (law[1] - law[2]) * exp(-exponent)
        k = law[1] - decay
        slope = decay * law[4] * exponent / x
    elif law[0] == MIXED:
        share = law[1]
        k, slope = _swift(law[2], law[3], law[4], x)
        saturating, falling = _voce(law[5], law[6], law[7], x)
        k = share * k + (1 - share) * saturating
        slope = share * slope + (1 - share) * falling
    elif law[0] == NODES:
        k, slope = _nodes(law, x)
    else:
        k, slope = _tabulated(law, x)
    return k + slope * (p - x), slope
