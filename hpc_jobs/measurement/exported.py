"""Name the strain that a tool exported, and the window over which it was taken.

Tools fit a plane to the displacements in a window around a point. So the same is done here, at a
sample of points, in every measure and for windows of several sizes: noise cancels, since both use
the same displacements, and the nearest pair is named.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hpc_jobs.measurement.formats.frame import Frame
from hpc_jobs.measurement.strain import strain_tensor

Values = NDArray[np.float64]

MEASURES = ("ln", "engineering", "green_lagrange", "almansi")
FACTORS = {"1": 1.0, "%": 100.0, "microstrain": 1e6}
SPOKEN = {
    "ln": "logarithmic (Hencky)",
    "engineering": "engineering",
    "green_lagrange": "Green-Lagrange",
    "almansi": "Almansi",
}
HALF_WINDOWS = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20)  # in point spacings
SAMPLE = 150  # points at which the two are compared
MOST_NEIGHBOURS = 2000
CLEARLY = 1.3  # times as large must the misfit of the next measure be
LIKE_NOTHING = 0.3  # of the strains; a misfit above is no strain of these displacements


@dataclass(frozen=True, slots=True)
class Recognised:
    """What the exported strains seem to be."""

    measure: str  # of MEASURES, "" where the strains are too small or too unlike to tell
    unit: str  # of FACTORS
    window: float  # edge of the window, in the unit of the coordinates
    rms: float  # of the difference to that measure, in strains of 1
    next_rms: float  # of the next best measure
    size: float  # rms of the strains themselves
    said: str  # by the file, "" if nothing

    def __str__(self) -> str:
        if self.size < SMALL:
            return "exported strain: no deformation in this frame"
        if self.rms > LIKE_NOTHING * self.size:
            return (
                f"exported strain: unlike any measure of these displacements (differs by "
                f"{self.rms:.1e} of {self.size:.1e} rms)"
            )
        if not self.measure:
            return (
                f"exported strain: in {self.unit}, too small to tell its measure (rms "
                f"{self.size:.1e}, differs by {self.rms:.1e})"
            )
        text = (
            f"exported strain: {SPOKEN[self.measure]} in {self.unit}, window about "
            f"{self.window:.3g} (rms {self.rms:.1e}, the next measure {self.next_rms:.1e})"
        )
        if self.said and self.said != self.measure:
            text += f", although it is said to be {SPOKEN[self.said]}"
        return text


SMALL = 1e-6


def recognise(frame: Frame, axes: Values, spacing: float, said: str = "") -> Recognised:
    """Compare a frame's exported strains with those of its displacements.

    axes (2 or 3, 2 or 3): of the plane, in which the export gives xx and yy; spacing in the unit
    of the points.
    """
    assert frame.strains is not None
    points, moved = (frame.points @ axes.T)[:, :2], frame.displacements @ axes.T
    exported = frame.strains[:, :2]
    sample = _sample(exported)
    size = float(np.sqrt(np.mean(exported[sample] ** 2))) if len(sample) else 0.0
    if size == 0:
        return Recognised("", "1", 0.0, 0.0, 0.0, 0.0, said)
    tree, best = cKDTree(points), dict[tuple[str, str], tuple[float, int]]()
    for half in HALF_WINDOWS:
        strains = _windowed(tree, points, moved, sample, (half + 0.25) * spacing)
        good = np.isfinite(strains["ln"]).all(axis=1)
        if good.sum() < 10:
            continue
        for measure, values in strains.items():
            for unit, factor in FACTORS.items():
                gap = exported[sample][good] / factor - values[good]
                key = (measure, unit)
                best[key] = min(best.get(key, (np.inf, 0)), (_rms(gap), half))
    if not best:
        return Recognised("", "1", 0.0, np.inf, np.inf, size, said)
    # A wrong unit makes exported strains vanish or explode: compare in units of themselves
    unit = min(FACTORS, key=lambda u: min(best[m, u][0] for m in MEASURES) * FACTORS[u])
    ranked = sorted(MEASURES, key=lambda m: best[m, unit][0])
    (rms, half), (next_rms, _) = best[ranked[0], unit], best[ranked[1], unit]
    size /= FACTORS[unit]
    told = next_rms > CLEARLY * rms and rms <= LIKE_NOTHING * size
    window = (2 * half + 1) * spacing
    return Recognised(ranked[0] if told else "", unit, window, rms, next_rms, size, said)


def _sample(exported: Values) -> NDArray[np.int64]:
    """Points whose strain is among the larger half, spread over them."""
    magnitude = np.abs(exported).max(axis=1)
    finite = np.flatnonzero(np.isfinite(magnitude))
    if not len(finite):
        return finite
    large = finite[magnitude[finite] >= np.median(magnitude[finite])]
    chosen = np.linspace(0, len(large) - 1, min(SAMPLE, len(large))).astype(int)
    return np.asarray(large[chosen])


def _windowed(
    tree: cKDTree, points: Values, moved: Values, sample: NDArray[np.int64], reach: float
) -> dict[str, Values]:
    """Strains (sample, 2) xx and yy, by measure, of planes fitted in square windows."""
    gradients = np.full((len(sample), moved.shape[1], 2), np.nan)
    for i, (point, near) in enumerate(
        zip(sample, tree.query_ball_point(points[sample], reach, p=np.inf), strict=True)
    ):
        if 6 <= len(near) <= MOST_NEIGHBOURS:
            offset = points[near] - points[point]
            basis = np.column_stack((np.ones(len(near)), offset / reach))
            fit, _, rank, _ = np.linalg.lstsq(basis, moved[near], rcond=1e-6)
            if rank == 3:
                gradients[i] = fit[1:].T / reach
    F = gradients + np.eye(moved.shape[1])[:, :2]
    return {m: strain_tensor(F, m)[:, [0, 1], [0, 1]] for m in MEASURES}


def _rms(values: Values) -> float:
    # robust: near edges tools treat windows in their own ways
    return float(1.4826 * np.median(np.abs(values)))


def to_log(exported: Values, measure: str) -> Values:
    """Return ln U (n, 3) xx, yy, xy of exported tensors (n, 3); NaN where there is none."""
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
