"""A user's measurement as CSV; docs/measurement-format.md is the description for people.

One row per specimen, patch and time: specimen,patch,time,exx,eyy and, if measured, force.
"""

import csv
import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.measurement.measured import Measurement, UnusableMeasurement
from hpc_jobs.measurement.plausible import physical_mistakes

COLUMNS = ("specimen", "patch", "time", "exx", "eyy")
FORCE = "force"
MISTAKES_SHOWN = 20
FORCE_AGREEMENT = 1e-6  # relative; the force is the specimen's, so every patch repeats it

Place = tuple[int, int, int]  # specimen, patch, time, each counted from 0


@dataclass(frozen=True, slots=True)
class Row:
    """One line that could be read."""

    line: int
    place: Place
    exx: float
    eyy: float
    force: float | None


def read_csv(path: Path, header: MeasurementHeader) -> Measurement:
    """Read a complete measurement; raises UnusableMeasurement, naming lines and remedies."""
    rows, has_force = _parse(path, header.specimens)
    mistakes = _grid_mistakes(rows, header.specimens)
    if not mistakes and has_force:
        mistakes = _force_disagreements(rows, header.specimens)
    if mistakes:
        raise UnusableMeasurement(path.name, _shortened(mistakes))
    measurement = _assemble(rows, has_force, header)
    mistakes = physical_mistakes(measurement)
    if mistakes:
        raise UnusableMeasurement(path.name, mistakes)
    return measurement


def write_csv(path: Path, measurement: Measurement) -> None:
    """Write a measurement in the form that read_csv reads; strains to 1e-6, forces to 0.1 N."""
    specimens = measurement.header.specimens
    strains = measurement.strains.reshape(specimens.strain_shape)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*COLUMNS, *([FORCE] if measurement.forces is not None else [])])
        for specimen, patch, time in np.ndindex(*specimens.strain_shape[1:]):
            exx, eyy = strains[:, specimen, patch, time]
            row = [specimens.tests[specimen].label, str(patch + 1), str(time + 1)]
            row += [f"{exx:.6f}", f"{eyy:.6f}"]
            if measurement.forces is not None:
                row.append(f"{measurement.forces[specimen * specimens.output_times + time]:.1f}")
            writer.writerow(row)


def _parse(path: Path, specimens: Specimens) -> tuple[list[Row], bool]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [
                (file_line, line) for file_line, line in enumerate(csv.reader(file), 1) if line
            ]
    except FileNotFoundError:
        raise UnusableMeasurement(path.name, [f"no such file in {path.parent}"]) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnusableMeasurement(path.name, [f"not a CSV text file: {error}"]) from None
    if not lines:
        raise UnusableMeasurement(path.name, [f"is empty; start with {','.join(COLUMNS)}"])
    names = [name.strip().lower() for name in lines[0][1]]
    columns = _columns(path, names)
    rows, mistakes = list[Row](), list[str]()
    for number, cells in lines[1:]:
        try:
            rows.append(_row(number, cells, names, columns, specimens))
        except ValueError as error:
            mistakes.append(f"line {number}: {error}")
    if mistakes:
        raise UnusableMeasurement(path.name, _shortened(mistakes))
    return rows, FORCE in columns


def _columns(path: Path, names: list[str]) -> dict[str, int]:
    """Name -> position; raises UnusableMeasurement for missing, unknown or repeated names."""
    known = (*COLUMNS, FORCE)
    mistakes = [f"column '{name}' is missing; add it" for name in COLUMNS if name not in names]
    mistakes += [
        f"column '{name}' is not known; remove it, or name it one of {', '.join(known)}"
        for name in names
        if name not in known
    ]
    mistakes += [
        f"column '{name}' appears {names.count(name)} times; keep one"
        for name in known
        if names.count(name) > 1
    ]
    if mistakes:
        raise UnusableMeasurement(path.name, mistakes)
    return {name: names.index(name) for name in names}


def _row(
    line: int, cells: list[str], names: list[str], columns: dict[str, int], specimens: Specimens
) -> Row:
    if len(cells) != len(names):
        raise ValueError(
            f"{len(cells)} cells under {len(names)} columns; separate by commas, write decimals "
            "with a point"
        )

    def number(name: str) -> float:
        text = cells[columns[name]].strip()
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{name} is '{text}'; give a number") from None
        if not math.isfinite(value):
            raise ValueError(f"{name} is '{text}'; fill the gap or measure it again")
        return value

    place = (
        _specimen(cells[columns["specimen"]], specimens),
        _counted("patch", number("patch"), specimens.patches.count),
        _counted("time", number("time"), specimens.output_times),
    )
    force = number(FORCE) if FORCE in columns else None
    return Row(line, place, number("exx"), number("eyy"), force)


def _specimen(text: str, specimens: Specimens) -> int:
    labels = [test.label for test in specimens.tests]
    *name, angle = text.split() or [""]
    with suppress(ValueError):
        label = " ".join([*name, f"{float(angle):g}"])
        if label in labels:
            return labels.index(label)
    before = "" if len(specimens.geometries) == 1 else "its geometry's name, a space and "
    raise ValueError(
        f"specimen is {text.strip()}; give {before}its angle to the rolling direction in degrees: "
        f"one of {', '.join(labels)}"
    )


def _counted(name: str, value: float, count: int) -> int:
    if value != int(value) or not 1 <= value <= count:
        raise ValueError(f"{name} is {value:g}; give a whole number from 1 to {count}")
    return int(value) - 1


def _grid_mistakes(rows: Iterable[Row], specimens: Specimens) -> list[str]:
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


def _force_disagreements(rows: list[Row], specimens: Specimens) -> list[str]:
    first: dict[tuple[int, int], Row] = {}
    mistakes = []
    for row in rows:
        assert row.force is not None
        other = first.setdefault((row.place[0], row.place[2]), row)
        assert other.force is not None
        if not math.isclose(row.force, other.force, rel_tol=FORCE_AGREEMENT, abs_tol=1e-9):
            label = specimens.tests[row.place[0]].label
            mistakes.append(
                f"line {row.line}: the force {row.force:g} of specimen {label} at time "
                f"{row.place[2] + 1} is {other.force:g} on line {other.line}; a specimen has one "
                "force at a time: repeat it on every patch"
            )
    return mistakes


def _assemble(rows: list[Row], has_force: bool, header: MeasurementHeader) -> Measurement:
    specimens = header.specimens
    strains: NDArray[np.float64] = np.empty(specimens.strain_shape)
    forces: NDArray[np.float64] = np.empty(specimens.force_shape)
    for row in rows:
        strains[(slice(None), *row.place)] = row.exx, row.eyy
        if row.force is not None:
            forces[row.place[0], row.place[2]] = row.force
    return Measurement(
        header=header, strains=strains.ravel(), forces=forces.ravel() if has_force else None
    )


def _named(place: tuple[int, ...], specimens: Specimens) -> str:
    return f"specimen {specimens.tests[place[0]].label}, patch {place[1] + 1}, time {place[2] + 1}"


def _shortened(mistakes: list[str]) -> list[str]:
    if len(mistakes) <= MISTAKES_SHOWN:
        return mistakes
    return [*mistakes[:MISTAKES_SHOWN], f"and {len(mistakes) - MISTAKES_SHOWN} more mistakes"]
