"""Hardening laws as the arrays that the kernels read.

A code and its numbers: flow_stress.py and native/hardening.hpp evaluate them.
"""

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.material import (
    Hardening,
    HockettSherby,
    Mixed,
    Nodes,
    Swift,
    Tabulated,
    Voce,
)

SWIFT, VOCE, HOCKETT_SHERBY, MIXED, TABULATED, NODES = range(6)

FloatArray = NDArray[np.float64]


def hardening_array(law: Hardening) -> FloatArray:
    """Code of the law and its numbers: stresses in MPa, plastic strains and slopes dk/dp in MPa.

    Swift K, e0, n; Voce s0, Q, b; Hockett-Sherby s_inf, s0, m, q; mixed w, Swift's, Voce's;
    tabulated the number of points, then all strains, all stresses and all slopes; nodes p0, the
    number of pieces, then of each where it begins and the four coefficients of its cubic, ln k over
    ln(1 + p/p0).
    """
    values: tuple[float, ...]
    match law:
        case Swift():
            values = (SWIFT, *_swift(law))
        case Voce():
            values = (VOCE, *_voce(law))
        case HockettSherby():
            initial, final = law.yield_stress_mpa, law.saturation_stress_mpa
            values = (HOCKETT_SHERBY, final, initial, law.rate, law.exponent)
        case Mixed():
            values = (MIXED, law.swift_share, *_swift(law.swift), *_voce(law.voce))
        case Tabulated():
            strains, stresses = np.array(law.plastic_strains), np.array(law.stresses_mpa)
            slopes = monotone_slopes(strains, stresses)
            values = (TABULATED, len(strains), *strains, *stresses, *slopes)
        case Nodes():
            pieces = _pieces(law)
            values = (NODES, law.prestrain, len(pieces), *pieces.ravel())
    return np.array(values, dtype=np.float64)


def _pieces(law: Nodes) -> FloatArray:
    """Rows (n, 5): where a piece begins in ln(1 + p/p0), and its cubic; the last is straight."""
    x = np.log1p(np.array(law.plastic_strains) / law.prestrain)
    y = np.log(law.stresses_mpa)
    slopes = monotone_slopes(x, y)
    steps, secants = np.diff(x), np.diff(y) / np.diff(x)
    second = (3 * secants - 2 * slopes[:-1] - slopes[1:]) / steps
    third = (slopes[:-1] + slopes[1:] - 2 * secants) / steps**2
    bent = (np.append(second, 0.0), np.append(third, 0.0))
    return np.ascontiguousarray(np.column_stack((x, y, slopes, *bent)))


def _swift(law: Swift) -> tuple[float, float, float]:
    return law.strength_mpa, law.prestrain, law.exponent


def _voce(law: Voce) -> tuple[float, float, float]:
    return law.yield_stress_mpa, law.saturation_mpa, law.rate


def monotone_slopes(x: FloatArray, y: FloatArray) -> FloatArray:
    """Slopes (n,) of the monotone piecewise cubic through (x, y): no overshoot, C1.

    Inside the weighted harmonic mean of the neighbouring secants, zero where they differ in sign;
    at the ends a parabola's, limited. Fritsch and Butland, SIAM J. Sci. Stat. Comput. 5 (1984)
    300-304 (the "PCHIP" of Matlab and SciPy).
    """
    steps = np.diff(x)
    secants = np.diff(y) / steps
    slopes = np.empty(len(x))
    if len(x) == 2:
        slopes[:] = secants[0]
        return slopes
    left, right = secants[:-1], secants[1:]
    w_left, w_right = 2 * steps[1:] + steps[:-1], steps[1:] + 2 * steps[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (w_left + w_right) / (w_left / left + w_right / right)
    slopes[1:-1] = np.where(left * right > 0, mean, 0.0)
    slopes[0] = _end_slope(*steps[:2], *secants[:2])
    slopes[-1] = _end_slope(*steps[:-3:-1], *secants[:-3:-1])
    return slopes


def _end_slope(step: float, next_step: float, secant: float, next_secant: float) -> float:
    slope = ((2 * step + next_step) * secant - step * next_secant) / (step + next_step)
    if slope * secant <= 0:
        return 0.0
    if secant * next_secant <= 0 and abs(slope) > 3 * abs(secant):
        return 3 * secant
    return slope
