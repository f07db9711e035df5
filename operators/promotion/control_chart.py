"""Control charts of production measurements: exponentially weighted means against their limits.

The first observations set mean mu and standard deviation s, the latter from moving ranges, which a
slow drift among them does not widen. Then z_t = a x_t + (1 - a) z_(t-1) is watched: under no change
its standard deviation is s sqrt(a (1 - (1 - a)^2t) / (2 - a)). Lucas & Saccucci, Technometrics 32
(1990). The limits are wider than theirs, for mu and s are themselves estimates of few values. A
single value beyond SUDDEN s is an alarm at once.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from statistics import fmean

from hpc_jobs.contract.drift import Chart, Observation, Stream

LEARNED_FROM = 20
WEIGHT, LIMIT, SUDDEN = 0.2, 4.5, 6.0
RANGE_TO_DEVIATION = 1.128
"""Mean range of two normal values over their standard deviation."""
LEAST_DEVIATION = 1e-3
"""Of the mean: a stream of equal values is not watched for the last digit."""


def charts_of(stream: Stream) -> tuple[Chart, ...]:
    """Draw up one chart for each value of each measurement."""
    series: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for one in stream.observations:
        for name, value in one.values.items():
            series.setdefault((one.measurement, name), []).append((one.at, value))
    return tuple(
        chart(measurement, name, [at for at, _ in points], [value for _, value in points])
        for (measurement, name), points in sorted(series.items())
    )


def chart(measurement: str, value: str, at: Sequence[str], observed: Sequence[float]) -> Chart:
    """Smooth a series and bound it; no limits before there are enough observations."""
    learned = list(observed[:LEARNED_FROM])
    watched = list(observed[LEARNED_FROM:])
    smoothed: list[float] = []
    low: list[float] = []
    high: list[float] = []
    alarm = ""
    if watched:
        mean = fmean(learned)
        ranges = [abs(b - a) for a, b in pairwise(learned)]
        deviation = max(fmean(ranges) / RANGE_TO_DEVIATION, LEAST_DEVIATION * abs(mean), 1e-12)
        before = mean
        for step, one in enumerate(watched, start=1):
            before = WEIGHT * one + (1 - WEIGHT) * before
            spread = WEIGHT * (1 - (1 - WEIGHT) ** (2 * step)) / (2 - WEIGHT)
            half = LIMIT * deviation * sqrt(spread)
            smoothed.append(before)
            low.append(mean - half)
            high.append(mean + half)
        alarm = _alarm(value, watched[-1], smoothed[-1], (low[-1], high[-1]), mean, deviation)
    return Chart(
        measurement=measurement,
        value=value,
        at=tuple(at),
        observed=tuple(observed),
        smoothed=tuple(smoothed),
        low=tuple(low),
        high=tuple(high),
        learned_from=len(learned),
        alarm=alarm,
    )


def not_answered(newest: Observation) -> str:
    """Alarm of a measurement that was not answered at all; empty if it was."""
    return "" if newest.answered else f"{newest.measurement} is unlike all that was trained on"


def _alarm(
    value: str,
    last: float,
    smoothed: float,
    limits: tuple[float, float],
    mean: float,
    deviation: float,
) -> str:
    low, high = limits
    if abs(last - mean) > SUDDEN * deviation:
        return f"{value} jumped to {last:.3g}, {abs(last - mean) / deviation:.1f} deviations away"
    if not low <= smoothed <= high:
        return f"{value} drifts: its mean is {smoothed:.3g}, outside {low:.3g} to {high:.3g}"
    return ""
