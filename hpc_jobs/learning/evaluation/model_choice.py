"""Which of several models is better than another, judged over seeds: Welch's t-test with Holm.

Welch, Biometrika 34, 1947; Holm, Scand. J. Statist. 6, 1979.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from hpc_jobs.contract.errors import ContractError

LEVEL = 0.05


class TooFewSeeds(ContractError):
    """A candidate without at least two seeds: its spread is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Errors of one model over its seeds."""

    mean: float
    deviation: float  # of the seeds, n - 1
    count: int

    @classmethod
    def of(cls, name: str, values: Sequence[float]) -> "Sample":
        """Summarise the errors of one model; raises TooFewSeeds."""
        if len(values) < 2 or not np.all(np.isfinite(values)):
            raise TooFewSeeds(
                f"'{name}' has the errors {list(values)}; train at least two seeds that end finite"
            )
        return cls(
            mean=float(np.mean(values)), deviation=float(np.std(values, ddof=1)), count=len(values)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WelchTest:
    """One-sided test that the first model's error is lower than the second's."""

    t: float
    freedom: float
    p: float
    effect_size: float  # Cohen's d with the average variance; negative where the first is better
    interval: tuple[float, float]  # of the difference of the means, 95 %, two-sided


def welch(first: Sample, second: Sample) -> WelchTest:
    """Compare two models whose spreads may differ."""
    parts = first.deviation**2 / first.count, second.deviation**2 / second.count
    error, difference = math.sqrt(sum(parts)), first.mean - second.mean
    if error == 0:
        raise TooFewSeeds("all seeds of both models ended the same; vary the seed")
    freedom = sum(parts) ** 2 / (
        parts[0] ** 2 / (first.count - 1) + parts[1] ** 2 / (second.count - 1)
    )
    t = difference / error
    half = float(stdtrit(freedom, 1 - LEVEL / 2)) * error
    spread = math.sqrt((first.deviation**2 + second.deviation**2) / 2)
    return WelchTest(
        t=t,
        freedom=freedom,
        p=float(stdtr(freedom, t)),
        effect_size=difference / spread,
        interval=(difference - half, difference + half),
    )


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjust p-values of several tests, so that LEVEL bounds the chance of any false claim."""
    ordered = sorted(p_values, key=lambda name: p_values[name])
    adjusted, largest = {}, 0.0
    for place, name in enumerate(ordered):
        largest = max(largest, min(1.0, (len(ordered) - place) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


def better_than(
    baseline: str, errors: Mapping[str, Sequence[float]]
) -> dict[str, tuple[WelchTest, float]]:
    """Compare every other model's errors over seeds with the baseline's.

    Returns name -> comparison and Holm's adjusted p; a model is better where that is below LEVEL.
    """
    rival = Sample.of(baseline, errors[baseline])
    found = {
        name: welch(Sample.of(name, values), rival)
        for name, values in errors.items()
        if name != baseline
    }
    adjusted = holm({name: comparison.p for name, comparison in found.items()})
    return {name: (comparison, adjusted[name]) for name, comparison in found.items()}
