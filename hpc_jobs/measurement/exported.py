"""Which strain did the tool export, and over which window did it smooth?

The same patches, from displacements, in every measure and smoothed over windows of several
sizes, against the exported values: the nearest pair is named, where the strains are large
enough to tell measures apart.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

MEASURES = ("ln", "engineering", "green_lagrange", "almansi")
FACTORS = {"1": 1.0, "%": 100.0, "microstrain": 1e6}
SPOKEN = {
    "ln": "logarithmic (Hencky)",
    "engineering": "engineering",
    "green_lagrange": "Green-Lagrange",
    "almansi": "Almansi",
}
CLEARLY = 1.5  # times as large must the misfit of the next measure be
TOO_SMALL = 3.0  # of the misfit: measures that differ by less cannot be told apart


@dataclass(frozen=True, slots=True)
class Recognised:
    """What the exported strains seem to be."""

    measure: str  # of MEASURES, "" where strains are too small to tell
    unit: str  # of FACTORS
    rms: float  # of the difference to that measure, in strains of 1
    next_rms: float  # of the next best measure
    said: str  # by the file, "" if nothing

    def __str__(self) -> str:
        if not self.measure:
            kind = f"too small to tell its measure (differs by {self.rms:.1e} rms)"
        else:
            kind = (
                f"{SPOKEN[self.measure]} in {self.unit} (rms {self.rms:.1e}, the next measure "
                f"{self.next_rms:.1e})"
            )
        if self.said and self.measure and self.said != self.measure:
            kind += f", although the file says {SPOKEN[self.said]}"
        return f"exported strain: {kind}"


def recognise(ours: dict[str, Values], exported: Values, said: str = "") -> Recognised:
    """Compare averages over patches: ours by measure, each (2, patches), with the exported ones.

    exported (2, patches) in the file's unit; patches that are NaN in either are left out.
    """
    good = np.isfinite(exported).all(axis=0) & np.isfinite(ours["ln"]).all(axis=0)
    if not good.any():
        return Recognised("", "1", float("nan"), float("nan"), said)
    size = float(np.sqrt(np.mean(ours["ln"][:, good] ** 2)))
    unit = min(
        FACTORS, key=lambda u: abs(np.log(_size(exported[:, good]) / (FACTORS[u] * size + 1e-30)))
    )
    values = exported[:, good] / FACTORS[unit]
    rms = {m: float(np.sqrt(np.mean((ours[m][:, good] - values) ** 2))) for m in MEASURES}
    ranked = sorted(MEASURES, key=lambda m: rms[m])
    best, second = rms[ranked[0]], rms[ranked[1]]
    apart = float(np.sqrt(np.mean((ours[ranked[0]] - ours[ranked[1]])[:, good] ** 2)))
    told = second > CLEARLY * best and apart * TOO_SMALL > best
    return Recognised(ranked[0] if told else "", unit, best, second, said)


def _size(values: Values) -> float:
    return float(np.sqrt(np.mean(values**2))) + 1e-30


def to_log(exported: Values, measure: str) -> Values:
    """ln U (n, 3) xx, yy, xy from exported tensors (n, 3) of a measure, NaN where impossible."""
    xx, yy, xy = exported.T
    xy = np.where(np.isfinite(xy), xy, 0.0)
    tensor = np.stack((np.stack((xx, xy), axis=-1), np.stack((xy, yy), axis=-1)), axis=-2)
    finite = np.isfinite(tensor).all(axis=(-2, -1))
    principal, directions = np.linalg.eigh(np.where(finite[:, None, None], tensor, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        match measure:
            case "ln":
                log = principal
            case "engineering":
                log = np.log1p(principal)
            case "green_lagrange":
                log = np.log1p(2 * principal) / 2
            case "almansi":
                log = -np.log1p(-2 * principal) / 2
            case _:
                raise ValueError(measure)
    full = np.einsum("nik,nk,njk->nij", directions, log, directions)
    return np.where(finite[:, None], full[:, [0, 1, 0], [0, 1, 1]], np.nan)
