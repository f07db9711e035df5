"""Rows of a measurement in CSV, and whether they are all there and agree with one another."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.measurement.measured import UnusableMeasurement

AGREEMENT = 1e-6  # relative; of what is a specimen's, so that every patch repeats it

Place = tuple[int, int, int]  # specimen, patch, time, each counted from 0


@dataclass(frozen=True, slots=True)
class Row:
    """One line that could be read."""

    line: int
    place: Place
    exx: float
    eyy: float
    force: float | None
    displacement: float | None


def grid_mistakes(rows: Iterable[Row], specimens: Specimens) -> list[str]:
    """Name rows that appear twice and rows that are missing."""
    first: dict[Place, int] = {}
    mistakes = []
    for row in rows:
        if row.place in first:
            mistakes.append(
                f"line {row.line} repeats {_named(row.place, specimens)} of line "
                f"{first[row.place]}; keep one"
            )
        first.setdefault(row.place, row.line)
    missing = [place for place in np.ndindex(*specimens.strain_shape[1:]) if place not in first]
    if missing:
        expected = int(np.prod(specimens.strain_shape[1:]))
        mistakes.append(
            f"{len(missing)} of {expected} rows are missing, the first: "
            f"{_named(missing[0], specimens)}; every specimen needs every patch at every time"
        )
    return mistakes


def disagreements(name: str, rows: list[Row], specimens: Specimens) -> list[str]:
    """Name rows whose force or displacement is not that of the same specimen and time."""
    first: dict[tuple[int, int], Row] = {}
    mistakes = []
    for row in rows:
        other = first.setdefault((row.place[0], row.place[2]), row)
        mine, its = getattr(row, name), getattr(other, name)
        if not math.isclose(mine, its, rel_tol=AGREEMENT, abs_tol=1e-9):
            label = specimens.tests[row.place[0]].label
            mistakes.append(
                f"line {row.line}: the {name} {mine:g} of specimen {label} at time "
                f"{row.place[2] + 1} is {its:g} on line {other.line}; a specimen has one "
                f"{name} at a time: repeat it on every patch"
            )
    return mistakes


def check_displacements(
    path: Path, displacements: NDArray[np.float64], specimens: Specimens
) -> None:
    """Refuse output times [specimen, time] that do not increase or that no test reaches."""
    mistakes = []
    for test, times in zip(specimens.tests, displacements, strict=True):
        limit = test.geometry.end_displacement_mm or specimens.end_displacement_mm
        steps = np.diff(times, prepend=0.0)
        if not (steps > 0).all():
            at = int(np.flatnonzero(~(steps > 0))[0])
            mistakes.append(
                f"specimen {test.label}: the displacement at time {at + 1} is {times[at]:g} mm; "
                "let displacements be above 0 and increase from time to time"
            )
        elif times[-1] > limit:
            mistakes.append(
                f"specimen {test.label}: the displacement at the last time is {times[-1]:g} mm, "
                f"beyond the campaign's end_displacement_mm, {limit:g}; give mm, of the ends"
            )
    if mistakes:
        raise UnusableMeasurement(path.name, mistakes)


def _named(place: tuple[int, ...], specimens: Specimens) -> str:
    return f"specimen {specimens.tests[place[0]].label}, patch {place[1] + 1}, time {place[2] + 1}"
