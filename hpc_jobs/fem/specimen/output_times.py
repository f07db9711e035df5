"""Output times that suit a sheet, from its force-displacement curve: simulated or measured alike.

General yield is where the secant stiffness, counted from the elastic line's foot, has fallen to
FromYield.secant of the initial one; the end where the force reaches FromYield.peak_share of its
peak, on the rising side. The times lie evenly in between, both included. Both marks are ratios of
forces of one curve: a wrong gain of the load cell leaves them where they are.
"""

import numpy as np
from numpy.typing import ArrayLike

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.specimen import FromYield
from hpc_jobs.fem.specimen.mesh import FloatArray

ELASTIC = (0.05, 0.2)  # of the peak force: between them a notched strip is elastic
DENSE = 4000  # points to which a curve of few is refined
SMOOTHED = 200  # points above which a curve is a measured one, to be smoothed
WINDOW = 0.01  # of its points over which it is averaged
FEWEST = 5


def output_displacements(
    displacement: ArrayLike, force: ArrayLike, timing: FromYield, count: int
) -> FloatArray:
    """Displacements (count,) of the output times of a test, mm, from its whole curve (n,).

    The displacement may have jitter and a foot, the force noise; where no peak was reached, the
    last force counts as one. Raises BadInput where the curve shows no elastic part or no yield.
    """
    u, f = _curve(np.asarray(displacement, np.float64), np.asarray(force, np.float64))
    top = int(np.argmax(f))
    peak = float(f[top])
    u, f = u[: top + 1], f[: top + 1]
    foot, stiffness = _elastic_line(u, f, peak)
    first = _general_yield(u - foot, f, stiffness, timing.secant) + foot
    last = _rising(u, f, timing.peak_share * peak)
    if not first < last:
        raise BadInput(
            f"general yield, at {first:.4g} mm, is not before {timing.peak_share:g} of the peak "
            f"force, at {last:.4g} mm: draw the specimen further, or lower timing.secant"
        )
    if count == 1:
        return np.array([last])
    return np.linspace(first, last, count)


def _curve(u: FloatArray, f: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the curve with increasing displacements: dense, or smoothed where it is measured."""
    if u.ndim != 1 or u.shape != f.shape or not (np.isfinite(u).all() and np.isfinite(f).all()):
        raise BadInput(
            f"displacements {u.shape} and forces {f.shape} are no curve; give as many of each, all "
            "of them finite"
        )
    if len(u) > SMOOTHED:
        width = max(1, round(WINDOW * len(u)))
        kernel = np.ones(width) / width
        u, f = (np.convolve(values, kernel, mode="valid") for values in (u, f))
    keep = np.concatenate(([True], u[1:] > np.maximum.accumulate(u)[:-1]))
    u, f = u[keep], f[keep]
    if len(u) < FEWEST or not f.max() > 0:
        raise BadInput(
            f"the curve has {len(u)} points of increasing displacement and a peak of "
            f"{f.max(initial=0.0):.4g} N; give a whole tensile test, tension positive"
        )
    if len(u) > SMOOTHED:
        return u, f
    from scipy.interpolate import Akima1DInterpolator

    dense = np.union1d(np.linspace(u[0], u[-1], DENSE), u)
    return dense, np.asarray(Akima1DInterpolator(u, f, method="makima")(dense))  # finds peaks


def _elastic_line(u: FloatArray, f: FloatArray, peak: float) -> tuple[float, float]:
    """Foot and slope of the straight line through the elastic part."""
    beyond = np.flatnonzero(f > ELASTIC[1] * peak)
    part = slice(0, int(beyond[0]) if len(beyond) else len(f))
    inside = f[part] > ELASTIC[0] * peak
    x, y = u[part][inside], f[part][inside]
    if len(x) < 2:
        raise BadInput(
            f"the curve has {len(x)} points between {ELASTIC[0]:g} and {ELASTIC[1]:g} of its peak, "
            "its elastic part; record from the start, and more often"
        )
    slope, intercept = np.polyfit(x, y, 1)
    if not slope > 0:
        raise BadInput("the force does not rise at the beginning of the curve; is it tension?")
    return float(-intercept / slope), float(slope)


def _general_yield(u: FloatArray, f: FloatArray, stiffness: float, secant: float) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(u > 0, f / (stiffness * u), np.inf)
    above = np.flatnonzero(ratio > secant)
    last = int(above[-1]) if len(above) else -1
    if last < 0 or last == len(u) - 1:
        raise BadInput(
            f"the secant stiffness never falls to {secant:g} of the initial one before the peak: "
            "nothing yields; draw the specimen further"
        )
    return _between(u, -ratio, last, -secant)


def _rising(u: FloatArray, f: FloatArray, force: float) -> float:
    below = np.flatnonzero(f < force)
    return _between(u, f, int(below[-1]), force)


def _between(u: FloatArray, values: FloatArray, i: int, wanted: float) -> float:
    """Return the place between points i and i + 1 where rising values reach `wanted`."""
    share = (wanted - values[i]) / (values[i + 1] - values[i])
    return float(u[i] + share * (u[i + 1] - u[i]))
