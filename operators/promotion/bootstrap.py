"""Paired bootstrap: how much lower one network's error is than another's, and how surely.

Both answered the same records, so records are drawn with replacement and both means are taken of
the same draw: what makes a record hard for both cancels. Efron & Tibshirani 1993, ch. 10.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

DRAWS, SEED = 4000, 47
BLOCK = 2_000_000
"""Values drawn at once, so that a test set of any size takes some ten megabytes."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the ends of its interval."""

    value: float
    low: float
    high: float


def improvement(challenger: Sequence[float], champion: Sequence[float], level: float) -> Interval:
    """Share by which the challenger's mean loss is lower; a central interval of that level.

    Losses (n,) of the same records in the same order, not negative. A champion without any error
    cannot be improved upon: minus infinity.
    """
    new, old = np.asarray(challenger, np.float64), np.asarray(champion, np.float64)
    if new.shape != old.shape or new.ndim != 1 or not len(new):
        raise ValueError(f"losses of {new.shape} and {old.shape} records are not paired")
    drawn = 1 - _ratios(_means(new, old))
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    value = float(1 - _ratios(np.array([[new.mean(), old.mean()]]))[0])
    return Interval(value, float(low), float(high))


def difference(challenger: Sequence[float], champion: Sequence[float], level: float) -> Interval:
    """Challenger's mean loss less the champion's; a central interval of that level."""
    new, old = np.asarray(challenger, np.float64), np.asarray(champion, np.float64)
    means = _means(new, old)
    drawn = means[:, 0] - means[:, 1]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(new.mean() - old.mean()), float(low), float(high))


def _means(new: ArrayLike, old: ArrayLike) -> NDArray[np.float64]:
    """Means (DRAWS, 2) of both over the same drawn records."""
    both = np.stack([np.asarray(new), np.asarray(old)], axis=1)
    records = len(both)
    if records * DRAWS <= BLOCK:
        return np.asarray(_kept_counts(records) @ both / records)
    return np.concatenate([counts @ both / records for counts in _counts(records)])


def _counts(records: int) -> Iterator[NDArray[np.float64]]:
    """Yield how often each record was drawn: (draws, records), block by block."""
    random = np.random.default_rng(SEED)
    at_once = max(1, BLOCK // records)
    for start in range(0, DRAWS, at_once):
        draws = min(at_once, DRAWS - start)
        rows = random.integers(records, size=(draws, records))
        rows += records * np.arange(draws)[:, None]
        counts = np.bincount(rows.ravel(), minlength=draws * records)
        yield counts.reshape(draws, records).astype(np.float64)


@lru_cache(maxsize=2)
def _kept_counts(records: int) -> NDArray[np.float64]:
    """All of them: those of a test set, and those of the measured sheets' draws of noise."""
    [counts] = _counts(records)
    return counts


def _ratios(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Challenger over champion (n,); infinite where the champion has no error at all."""
    new, old = means[:, 0], means[:, 1]
    return np.where(old > 0, new / np.where(old > 0, old, 1.0), np.inf)
