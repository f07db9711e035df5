"""Whether intervals hold the truth as often as they say, for each target and where it lies."""

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat

from hpc_jobs.contract.frozen import Frozen

REGIONS = ("lowest", "middle", "highest")
"""Thirds of the test records by a target's true value."""

FloatArray = NDArray[np.floating[Any]]
Intervals = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Lower and upper ends, (n, targets) each, physical."""


class Covered(Frozen):
    """How often the truth lies in its interval, among some records."""

    records: int
    share: Annotated[FiniteFloat, Field(ge=0, le=1)]
    width: Annotated[FiniteFloat, Field(description="median of the intervals, physical units")]


class TargetCoverage(Covered):
    """Coverage of one target, whole and by region."""

    regions: Annotated[
        dict[str, Covered], Field(description="thirds of the records, by the true value")
    ]


class Coverage(Frozen):
    """Coverage of all targets at one level."""

    level: float
    targets: dict[str, TargetCoverage]


def coverage_of(
    intervals: Intervals, truth: FloatArray, targets: tuple[str, ...], level: float
) -> Coverage:
    """Count truths (n, targets) inside their intervals; all physical."""
    low, high = intervals
    inside, width = (low <= truth) & (truth <= high), high - low

    def covered(rows: NDArray[np.int64], target: int) -> dict[str, Any]:
        return {
            "records": len(rows),
            "share": float(inside[rows, target].mean()),
            "width": float(np.median(width[rows, target])),
        }

    found = {}
    for k, name in enumerate(targets):
        order = np.argsort(truth[:, k], kind="stable")
        thirds = zip(REGIONS, np.array_split(order, len(REGIONS)), strict=True)
        found[name] = TargetCoverage(
            **covered(order, k),
            regions={name: Covered(**covered(rows, k)) for name, rows in thirds if len(rows)},
        )
    return Coverage(level=level, targets=found)
