"""Whether more records would help: the surrogate's learning curve at the measured sheets.

Surrogates of a growing part of the records predict records that none of them saw, those near
measured sheets counting most. What they miss, m in noise units, falls as a power of the records,
and an identification's standard error is to its floor as sqrt(1 + m^2). The power law, fitted to
the sizes, says what a further round would gain; redrawing the held-out records says how surely.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.facts import LearningCurve
from hpc_jobs.identification.known import Simulated

FloatArray = NDArray[np.float64]

PARTS = (0.25, 0.35, 0.5, 0.7, 1.0)
HELD_OUT = 0.2
NEAR = 0.25
"""Of the box along each axis: how far a measured sheet's neighbourhood reaches."""
DRAWS, SEED = 300, 59
LEVEL = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Missed:
    """What surrogates of growing parts miss of the same held-out records."""

    records: NDArray[np.int64]  # (parts,)
    squares: FloatArray  # (parts, held out) mean squares of a record, noise units
    weights: FloatArray  # (held out,), of sum one

    def curve(self, further: int) -> LearningCurve:
        """Extrapolate to so many further records, with an interval of the gain."""
        random = np.random.default_rng(SEED)
        held = self.squares.shape[1]
        gains = []
        for _ in range(DRAWS):
            rows = random.integers(held, size=held)
            means = _means(self.squares[:, rows], self.weights[rows])
            gains.append(_gain(self.records, means, further))
        means = _means(self.squares, self.weights)
        low, high = np.quantile(gains, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return LearningCurve(
            records=tuple(self.records.tolist()),
            error=tuple(np.sqrt(1 + means).tolist()),
            further=further,
            gain=_gain(self.records, means, further),
            gain_low=float(low),
            gain_high=float(high),
        )


def missed_near(simulated: Simulated, sheets: FloatArray) -> Missed:
    """Fit to growing parts of a run's records; sheets (k, axes): places of the measured ones."""
    held = max(int(HELD_OUT * len(simulated)), 1)
    rest = np.arange(held, len(simulated))
    asked = np.arange(held)
    sizes = np.array([round(part * len(rest)) for part in PARTS], dtype=np.int64)
    away = ((simulated.places[:held, None] - sheets) / NEAR) ** 2
    # The nearest records count most, however far all of them are
    near = -0.5 * away.sum(-1)
    weights = np.exp(near - near.max(0)).sum(1)
    squares = [simulated.missed(rest[:size], asked) ** 2 for size in sizes.tolist()]
    return Missed(sizes, np.array(squares), weights / weights.sum())


def _means(squares: FloatArray, weights: FloatArray) -> FloatArray:
    return np.asarray(squares @ weights / weights.sum())


def _gain(records: NDArray[np.int64], means: FloatArray, further: int) -> float:
    """Share by which the error falls with further records, by a power law of the misses."""
    slope, offset = np.polyfit(np.log(records), np.log(np.maximum(means, 1e-12)), 1)
    slope = min(slope, 0.0)  # more records never make it worse for long
    now = np.exp(offset + slope * np.log(records[-1]))
    then = np.exp(offset + slope * np.log(records[-1] + further))
    return float(1 - np.sqrt((1 + then) / (1 + now)))
