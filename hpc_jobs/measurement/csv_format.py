"""A user's measurement as CSV; docs/measurement-format.md is the description for people.

One row per specimen, patch and time: specimen,patch,time,exx,eyy and, if measured, force. Commas,
semicolons or tabs, a decimal comma with the latter two, units in brackets; nan for both strains of
a patch that was lost.
"""

import csv
import math
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.measurement.formats.text import number, read_head, split
from hpc_jobs.measurement.measured import Measurement, UnusableMeasurement
from hpc_jobs.measurement.plausible import physical_mistakes

COLUMNS = ("specimen", "patch", "time", "exx", "eyy")
FORCE = "force"
INDEX = ("", "index", "unnamed: 0", "row", "#")  # first columns that count rows
UNITS = {
    "exx": {"": 1.0, "1": 1.0, "-": 1.0, "%": 0.01},
    "eyy": {"": 1.0, "1": 1.0, "-": 1.0, "%": 0.01},
    FORCE: {"": 1.0, "n": 1.0, "kn": 1000.0},
    "specimen": {"": 1.0, "deg": 1.0, "°": 1.0},
}
BRACKETS = re.compile(r"[\[(](.*?)[\])]")
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


@dataclass(frozen=True, slots=True)
class _Table:
    """Where the columns are, and how numbers are written."""

    places: dict[str, int]
    scales: dict[str, float]  # by unit: percent, kN
    cells: int
    decimal: str


def _parse(path: Path, specimens: Specimens) -> tuple[list[Row], bool]:
    try:
        encoding, _ = read_head(path)
        text = path.read_text(encoding=encoding)
    except (BadInput, UnicodeDecodeError) as error:
        reason = str(error).removeprefix(f"{path}: ")
        if reason == "is empty":
            reason += f"; start with {','.join(COLUMNS)}"
        raise UnusableMeasurement(path.name, [reason]) from None
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    delimiter = max(";,\t", key=lambda mark: lines[0][1].count(mark))
    table = _header(path, split(lines[0][1], delimiter), [line for _, line in lines], delimiter)
    rows, mistakes = list[Row](), list[str]()
    for line_number, line in lines[1:]:
        try:
            rows.append(_row(line_number, split(line, delimiter), table, specimens))
        except ValueError as error:
            mistakes.append(f"line {line_number}: {error}")
    if mistakes:
        raise UnusableMeasurement(path.name, _shortened(mistakes))
    return rows, FORCE in table.places


def _header(path: Path, written: list[str], lines: list[str], delimiter: str) -> _Table:
    """Columns by name, in any case, with or without unit; a nameless first one counts rows.

    Raises UnusableMeasurement for missing, unknown or repeated names and for unknown units.
    """
    names = [re.sub(r"[\[(].*", "", name).strip().lower() for name in written]
    units = [match.group(1).strip() if (match := BRACKETS.search(n)) else "" for n in written]
    if names and names[0] in INDEX:
        names[0] = INDEX[0]
    known = (*COLUMNS, FORCE)
    mistakes = [f"column '{name}' is missing; add it" for name in COLUMNS if name not in names]
    mistakes += [
        f"column '{name}' is not known; remove it, or name it one of {', '.join(known)}"
        for i, name in enumerate(names)
        if name not in known and not (i == 0 and name == INDEX[0])
    ]
    mistakes += [
        f"column '{name}' appears {names.count(name)} times; keep one"
        for name in known
        if names.count(name) > 1
    ]
    if len(mistakes) >= len(COLUMNS):
        mistakes.append(
            f"the first line reads '{lines[0].strip()[:80]}'; it names the columns, separated by "
            "commas, semicolons or tabs"
        )
    scales = dict[str, float]()
    for name, unit in zip(names, units, strict=True):
        allowed = UNITS.get(name, {"": 1.0})
        if name in known and unit.lower() not in allowed:
            mistakes.append(
                f"column '{name}' is in '{unit}'; known are {', '.join(filter(None, allowed))}"
            )
        scales[name] = allowed.get(unit.lower(), 1.0)
    if mistakes:
        raise UnusableMeasurement(path.name, mistakes)
    places = {name: names.index(name) for name in known if name in names}
    comma = delimiter != "," and any("," in line for line in lines[1:])
    return _Table(places, scales, len(names), "," if comma else ".")


def _row(line: int, cells: list[str], table: _Table, specimens: Specimens) -> Row:
    if len(cells) != table.cells:
        raise ValueError(
            f"{len(cells)} cells under {table.cells} columns; separate by commas and write "
            "decimals with a point, or separate by semicolons or tabs"
        )

    def read(name: str) -> float:
        text = cells[table.places[name]]
        try:
            return table.scales[name] * number(text, table.decimal)
        except ValueError:
            raise ValueError(f"{name} is '{text}'; give a number") from None

    def strain(name: str) -> float:
        text = cells[table.places[name]]
        return math.nan if lost else read(name) if text.lower() != "nan" else _half(name, text)

    lost = all(cells[table.places[name]].lower() == "nan" for name in ("exx", "eyy"))
    place = (
        _specimen(cells[table.places["specimen"]], specimens),
        _counted("patch", read("patch"), specimens.patches.count),
        _counted("time", read("time"), specimens.output_times),
    )
    force = read(FORCE) if FORCE in table.places else None
    return Row(line, place, strain("exx"), strain("eyy"), force)


def _half(name: str, text: str) -> float:
    raise ValueError(
        f"{name} is '{text}', the other strain is not; fill the gap, or write nan for both where "
        "the patch was lost"
    )


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
