"""D = d^(a/2) and G = |m - sqrt q|^a + |m + sqrt q|^a with their derivatives.

For an even a both are polynomials: no root of q, and smooth where it vanishes. Any other exponent
takes powers, and near q = 0, where derivatives with respect to q are small differences of large
numbers, the even part of the binomial series,

    G = 2 |m|^a sum_k C(a, 2k) (q/m^2)^k.
"""

from math import sqrt

import numpy as np
from numba import float64, types

from hpc_jobs.fem.kernel import kernel

SERIES_BELOW = 1e-3  # of q/m^2; the powers have lost two digits there
SERIES_TERMS = 8  # the next one is below round-off for a <= 20
SMALLEST = 1e-200  # of d and q on the unit stress; a < 4 has infinite derivatives in d at zero

POWERS = types.UniTuple(float64, 9)
"""D, D_d, D_dd, G, G_m, G_q, G_mm, G_mq, G_qq."""


@kernel(types.UniTuple(float64, 6)(float64, float64, float64))
def _series(a, m, q):
    """G, G_m, G_q, G_mm, G_mq, G_qq for q much below m^2."""
    x = q / (m * m)
    term, power, before, twice = 1.0, 1.0, 0.0, 0.0  # C(a, 2k), x^k, x^(k-1), x^(k-2)
    g, g_m, g_q, g_mm, g_mq, g_qq = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(SERIES_TERMS):
        left = a - 2 * k
        g += term * power
        g_m += left * term * power
        g_mm += left * (left - 1) * term * power
        g_q += k * term * before
        g_mq += left * k * term * before
        g_qq += k * (k - 1) * term * twice
        term *= left * (left - 1) / ((2 * k + 1) * (2 * k + 2))
        power, before, twice = power * x, power, before
    scale = 2 * abs(m) ** a
    per_m, per_mm = 1 / m, 1 / (m * m)
    return (
        scale * g,
        scale * per_m * g_m,
        scale * per_mm * g_q,
        scale * per_mm * g_mm,
        scale * per_mm * per_m * g_mq,
        scale * per_mm * per_mm * g_qq,
    )


@kernel(POWERS(float64, float64, float64, float64))
def _real_powers(a, d, m, q):
    half, d = 0.5 * a, max(d, SMALLEST)
    d_dd = half * (half - 1) * d ** (half - 2)
    d_d, d_ = d_dd * d / (half - 1), d_dd * d * d / (half * (half - 1))
    if q < SERIES_BELOW * m * m:
        g, g_m, g_q, g_mm, g_mq, g_qq = _series(a, m, q)
        return d_, d_d, d_dd, g, g_m, g_q, g_mm, g_mq, g_qq
    s = sqrt(max(q, SMALLEST))
    plus, minus = m + s, m - s
    plus_2, minus_2 = abs(plus) ** (a - 2), abs(minus) ** (a - 2)
    plus_1, minus_1 = plus * plus_2, minus * minus_2
    curvature = a * (a - 1)
    g_s = a * (plus_1 - minus_1)
    g_ss = curvature * (plus_2 + minus_2)
    return (
        d_,
        d_d,
        d_dd,
        plus * plus_1 + minus * minus_1,
        a * (plus_1 + minus_1),
        g_s / (2 * s),
        g_ss,
        curvature * (plus_2 - minus_2) / (2 * s),
        (g_ss - g_s / s) / (4 * s * s),
    )


@kernel(POWERS(float64, float64, float64, float64))
def powers(a, d, m, q):
    """Return D, D_d, D_dd, G, G_m, G_q, G_mm, G_mq, G_qq for an exponent a >= 2."""
    mm = m * m
    if a == 2:
        return d, 1.0, 0.0, 2 * (mm + q), 4 * m, 2.0, 4.0, 0.0, 0.0
    if a == 4:
        g = 2 * (mm * mm + 6 * mm * q + q * q)
        g_m = 8 * m * (mm + 3 * q)
        g_q = 4 * (3 * mm + q)
        return d * d, 2 * d, 2.0, g, g_m, g_q, 24 * (mm + q), 24 * m, 4.0
    if a == 6:
        g = 2 * (mm * mm * mm + 15 * q * mm * (mm + q) + q * q * q)
        g_m = 12 * m * (mm * mm + 10 * mm * q + 5 * q * q)
        g_q = 6 * (5 * mm * mm + 10 * mm * q + q * q)
        g_mm = 60 * (mm * mm + 6 * mm * q + q * q)
        g_mq = 120 * m * (mm + q)
        return d * d * d, 3 * d * d, 6 * d, g, g_m, g_q, g_mm, g_mq, 12 * (5 * mm + q)
    if a == 8:
        m4, qq = mm * mm, q * q
        g = 2 * (m4 * m4 + 28 * m4 * mm * q + 70 * m4 * qq + 28 * mm * q * qq + qq * qq)
        g_m = 16 * m * (m4 * mm + 21 * m4 * q + 35 * mm * qq + 7 * q * qq)
        g_q = 8 * (7 * m4 * mm + 35 * m4 * q + 21 * mm * qq + q * qq)
        g_mm = 112 * (m4 * mm + 15 * m4 * q + 15 * mm * qq + q * qq)
        g_mq = 112 * m * (3 * m4 + 10 * mm * q + 3 * qq)
        g_qq = 8 * (35 * m4 + 42 * mm * q + 3 * qq)
        return d * d * d * d, 4 * d * d * d, 12 * d * d, g, g_m, g_q, g_mm, g_mq, g_qq
    return _real_powers(a, d, m, q)


@kernel(float64(float64, float64))
def root(a, x):
    """x^(1/a), for an even a by nested roots, which cost a tenth of a power."""
    if a == 2:
        return sqrt(x)
    if a == 4:
        return sqrt(sqrt(x))
    if a == 6:
        return sqrt(np.cbrt(x))
    if a == 8:
        return sqrt(sqrt(sqrt(x)))
    return x ** (1 / a)
