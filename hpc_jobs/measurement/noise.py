"""Noise of the patches, from frames of the unloaded specimen.

The reference picture's noise is in every frame alike, so the scatter between unloaded frames holds
half of the variance of a strain against that picture. Taking the mean of all unloaded frames, the
reference (whose strain is 0) among them, off every strain removes the reference's share; what is
left is the noise of one frame and that of the mean.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.geometry import Patches

Values = NDArray[np.float64]

FEWEST = 4  # unloaded frames, the reference included, whose scatter is believed
FLOOR = 1e-6  # strain; what no camera falls below
SMALLEST_EIGENVALUE = 0.02  # of a correlation: keeps its inverse tame


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """Of one specimen: deviation of a single frame's strains, and where it comes from."""

    deviation: Values  # (2, patches), of one frame
    offset: Values  # (2, patches), mean of the unloaded frames; to be taken off
    frames: int  # unloaded, the reference included
    measured: bool  # by unloaded frames; else by the roughness in time
    residuals: Values  # (frames, 2, patches), unloaded less their mean


def noise_of(strains: Values, unloaded: int) -> Noise:
    """Noise from strains (frames, 2, patches), of which the first are unloaded.

    The first frame is the reference picture, or is compared with it. With fewer than four
    unloaded frames the roughness of the series in time tells, and the offset stays.
    """
    still = strains[:unloaded]
    offset = _mean(still)
    residuals = still - offset
    if unloaded >= FEWEST:
        count = np.isfinite(residuals).sum(axis=0)
        squares = np.nansum(residuals**2, axis=0)
        by_patch = squares / np.maximum(count - 1, 1)
        pooled = mean_of_seen(np.where(count > 1, by_patch, np.nan).T)[:, None]
        # A patch's own scatter has few degrees of freedom: lean on its neighbours'
        weight = np.maximum(count - 1, 0)
        variance = (weight * by_patch + PRIOR * pooled) / (weight + PRIOR)
        return Noise(np.sqrt(variance) + FLOOR, offset, unloaded, True, residuals)
    rough = np.diff(strains[unloaded:], 3, axis=0) / np.sqrt(20)
    if not np.isfinite(rough).any():
        deviation = np.full(strains.shape[1:], np.nan)
    else:
        middle = 1.4826 * np.nanmedian(np.abs(rough), axis=(0, 2), keepdims=True)[0]
        deviation = np.broadcast_to(middle, strains.shape[1:]) + FLOOR
    return Noise(deviation, offset, unloaded, False, residuals)


PRIOR = 10.0  # degrees of freedom of the pooled variance


def correlation_of(noises: list[Noise], patches: Patches) -> Values | None:
    """Correlation (2 patches, 2 patches) of [component, patch] within one frame.

    Pairs of patches that lie alike are taken together, over all specimens and unloaded frames.
    None where nothing was measured.
    """
    known = [noise for noise in noises if noise.measured]
    if not known:
        return None
    scaled = [n.residuals / n.deviation * np.sqrt(n.frames / (n.frames - 1)) for n in known]
    rows = np.concatenate(scaled).reshape(-1, 2 * patches.count)
    good = np.isfinite(rows)
    filled = np.where(good, rows, 0.0)
    products = filled.T @ filled
    counts = good.astype(float).T @ good.astype(float)
    kinds = _alike(patches)
    total = np.bincount(kinds.ravel(), products.ravel())
    number = np.bincount(kinds.ravel(), counts.ravel())
    correlation = (total / np.maximum(number, 1))[kinds]
    return _definite(correlation)


def _alike(patches: Patches) -> NDArray[np.int64]:
    """Give each pair of values its kind, (2 patches, 2 patches): components and distance."""
    along, across = np.divmod(np.arange(patches.count), patches.across)
    kind = np.abs(along[:, None] - along) * patches.across + np.abs(across[:, None] - across)
    block = patches.along * patches.across
    return np.block([[kind, kind + block], [kind + block, kind + 2 * block]])


def _definite(correlation: Values) -> Values:
    """Return the nearest correlation, roughly, whose inverse exists."""
    values, vectors = np.linalg.eigh((correlation + correlation.T) / 2)
    values = np.maximum(values, SMALLEST_EIGENVALUE)
    matrix = (vectors * values) @ vectors.T
    size = np.sqrt(np.diag(matrix))
    return np.asarray(matrix / np.outer(size, size))


def mean_of_seen(values: Values) -> Values:
    """Mean (...) over the first axis of what is no NaN; NaN where nothing is seen."""
    count = np.isfinite(values).sum(axis=0)
    return np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)


def median_of_seen(values: Values) -> Values:
    """Median (...) over the first axis of what is no NaN; NaN where nothing is seen."""
    seen = np.isfinite(values).any(axis=0)
    return np.where(seen, np.nanmedian(np.where(seen, values, 0.0), axis=0), np.nan)


def _mean(values: Values) -> Values:
    return np.nan_to_num(mean_of_seen(values))
