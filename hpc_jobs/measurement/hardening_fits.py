"""Every hardening law, fitted to a measured curve of true stress against plastic strain."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.optimize import least_squares

from hpc_jobs.contract.material import (
    Hardening,
    HockettSherby,
    Mixed,
    Swift,
    Tabulated,
    Voce,
)

Values = NDArray[np.float64]

POINTS = 200  # of the curve that the laws are fitted to, evenly in the root of plastic strain
TABLE = 25  # rows of the tabulated curve


@dataclass(frozen=True, slots=True, eq=False)
class LawFit:
    """A law with its residual."""

    law: Hardening
    rms_mpa: float
    largest_mpa: float


def thinned(plastic: Values, stress: Values) -> tuple[Values, Values]:
    """Average a curve (n,) over bins that are even in the root of plastic strain."""
    root = np.sqrt(np.maximum(plastic, 0))
    number = np.minimum((root / root[-1] * POINTS).astype(int), POINTS - 1)
    count = np.bincount(number, minlength=POINTS)
    full = count > 0
    sums = [np.bincount(number, values, minlength=POINTS)[full] for values in (plastic, stress)]
    return sums[0] / count[full], sums[1] / count[full]


def fit_laws(plastic: Values, stress: Values) -> list[LawFit]:
    """Fit each law to a curve (n,), MPa; the best first."""
    p, k = thinned(plastic, stress)
    fits = [_swift(p, k), _voce(p, k), _hockett_sherby(p, k)]
    known = {type(fit.law): fit.law for fit in fits if fit is not None}
    swift, voce = known.get(Swift), known.get(Voce)
    if isinstance(swift, Swift) and isinstance(voce, Voce):
        fits.append(_mixed(p, k, swift, voce))
    fits.append(_tabulated(p, k))
    found = [fit for fit in fits if fit is not None]
    return sorted(found, key=lambda fit: fit.rms_mpa)


def stress_of(law: Hardening, p: Values) -> Values:
    """Flow stress, MPa, at plastic strains (n,)."""
    match law:
        case Swift():
            return np.asarray(law.strength_mpa * (law.prestrain + p) ** law.exponent)
        case Voce():
            return np.asarray(law.yield_stress_mpa + law.saturation_mpa * -np.expm1(-law.rate * p))
        case HockettSherby():
            fall = law.saturation_stress_mpa - law.yield_stress_mpa
            return np.asarray(
                law.saturation_stress_mpa - fall * np.exp(-law.rate * p**law.exponent)
            )
        case Mixed():
            share = law.swift_share
            return share * stress_of(law.swift, p) + (1 - share) * stress_of(law.voce, p)
        case _:
            return np.asarray(np.interp(p, law.plastic_strains, law.stresses_mpa))


def _fit(law: Hardening, p: Values, k: Values) -> LawFit:
    gap = stress_of(law, p) - k
    return LawFit(law, float(np.sqrt(np.mean(gap**2))), float(np.abs(gap).max()))


def _solved(
    function: Callable[[Values, Values], Values],
    start: list[float],
    bounds: tuple[list[float], list[float]],
    p: Values,
    k: Values,
) -> Values:
    """Least squares over the logarithms of positive numbers, between bounds."""
    low, high = (np.log(side) for side in bounds)
    fit = least_squares(
        lambda logs: (function(np.exp(logs), p) - k) / k.mean(),
        np.clip(np.log(start), low + 1e-9, high - 1e-9),
        bounds=(low, high),
        max_nfev=400,
    )
    return np.asarray(np.exp(fit.x))


def _swift(p: Values, k: Values) -> LawFit | None:
    x = _solved(
        lambda v, p: v[0] * (v[1] + p) ** v[2],
        [1.5 * k[-1], 0.005, 0.15],
        ([0.5 * k[-1], 1e-6, 1e-3], [20 * k[-1], 0.5, 0.99]),
        p,
        k,
    )
    return _made(Swift, ("strength_mpa", "prestrain", "exponent"), x, p, k)


def _voce(p: Values, k: Values) -> LawFit | None:
    x = _solved(
        lambda v, p: v[0] - v[1] * np.expm1(-v[2] * p),
        [k[0], k[-1] - k[0] + 1, 20.0],
        ([0.2 * k[0], 1e-3 * k[0], 0.1], [2 * k[0], 5 * k[-1], 1e3]),
        p,
        k,
    )
    return _made(Voce, ("yield_stress_mpa", "saturation_mpa", "rate"), x, p, k)


def _hockett_sherby(p: Values, k: Values) -> LawFit | None:
    first, rise, rate, exponent = _solved(
        lambda v, p: v[0] + v[1] - v[1] * np.exp(-v[2] * p ** v[3]),
        [k[0], 1.3 * (k[-1] - k[0]) + 1, 5.0, 0.6],
        ([0.2 * k[0], 1e-3 * k[0], 0.05, 0.1], [2 * k[0], 3 * k[-1], 1e3, 1.0]),
        p,
        k,
    )
    names = ("saturation_stress_mpa", "yield_stress_mpa", "rate", "exponent")
    return _made(HockettSherby, names, np.array([first + rise, first, rate, exponent]), p, k)


def _mixed(p: Values, k: Values, swift: Swift, voce: Voce) -> LawFit:
    one, other = stress_of(swift, p), stress_of(voce, p)
    apart = one - other
    share = float(np.clip(np.sum((k - other) * apart) / max(np.sum(apart**2), 1e-12), 0, 1))
    return _fit(Mixed(swift_share=share, swift=swift, voce=voce), p, k)


def _tabulated(p: Values, k: Values) -> LawFit | None:
    """Through points of the smoothed curve, never falling; from the first point back to zero."""
    at = np.linspace(0, np.sqrt(p[-1]), TABLE) ** 2
    stresses = np.maximum.accumulate(np.interp(at, p, k))
    law = Tabulated(plastic_strains=tuple(at), stresses_mpa=tuple(stresses))
    return _fit(law, p, k)


def _made(
    kind: type[Swift] | type[Voce] | type[HockettSherby],
    names: tuple[str, ...],
    values: Values,
    p: Values,
    k: Values,
) -> LawFit | None:
    """Return a fit, or None where the numbers are no law of this kind."""
    try:
        law = kind.model_validate(dict(zip(names, map(float, values), strict=True)))
    except ValidationError:
        return None
    return _fit(law, p, k)
