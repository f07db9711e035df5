"""A user's measurement as CSV; docs/measurement-format.md is the description for people.

One row per specimen, patch and time: specimen,patch,time,exx,eyy and, if measured, force; and
displacement, of the ends, where a campaign leaves its output times to the measured curve. Commas,
semicolons or tabs, a decimal comma with the latter two, units in brackets; nan for both strains of
a patch that was lost.
"""

import csv
import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.contract.specimen import Piece, Specimens
from hpc_jobs.measurement.csv_checks import Row, check_displacements, disagreements, grid_mistakes
from hpc_jobs.measurement.csv_lines import Lines, table_of
from hpc_jobs.measurement.formats.cells import MISSING, grouped, number
from hpc_jobs.measurement.formats.text import read_head
from hpc_jobs.measurement.measured import Measurement, UnusableMeasurement
from hpc_jobs.measurement.plausible import physical_mistakes

COLUMNS = ("specimen", "patch", "time", "exx", "eyy")
FORCE = "force"
DISPLACEMENT = "displacement"
OF_A_SPECIMEN = (FORCE, DISPLACEMENT)  # every patch repeats them
INDEX = ("", "index", "unnamed: 0", "row", "#", "nr", "nr.", "no", "no.")
"""Names of a first column that counts rows."""
UNITS = {
    "exx": {"": 1.0, "1": 1.0, "-": 1.0, "%": 0.01},
    "eyy": {"": 1.0, "1": 1.0, "-": 1.0, "%": 0.01},
    FORCE: {"": 1.0, "n": 1.0, "kn": 1000.0},
    DISPLACEMENT: {"": 1.0, "mm": 1.0},
    "specimen": {"": 1.0, "deg": 1.0, "°": 1.0},
}
NOT_SEEN = {text for text in MISSING if text and "inf" not in text.lower()}
"""As programs write a strain that is none; an empty cell may as well have been forgotten."""
MISTAKES_SHOWN = 20


def read_csv(path: Path, header: MeasurementHeader) -> Measurement:
    """Read a complete measurement; raises UnusableMeasurement, naming lines and remedies."""
    rows, names = _parse(path, header.specimens)
    mistakes = grid_mistakes(rows, header.specimens)
    for name in OF_A_SPECIMEN:
        if not mistakes and name in names:
            mistakes = disagreements(name, rows, header.specimens)
    if mistakes:
        raise UnusableMeasurement(path.name, _shortened(mistakes))
    measurement = _assemble(path, rows, names, header)
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
        forced, timed = measurement.forces is not None, specimens.timing is not None
        writer.writerow([*COLUMNS, *[FORCE] * forced, *[DISPLACEMENT] * timed])
        for specimen, patch, time in np.ndindex(*specimens.strain_shape[1:]):
            exx, eyy = strains[:, specimen, patch, time]
            row = [specimens.tests[specimen].label, str(patch + 1), str(time + 1)]
            row += [f"{exx:.6f}", f"{eyy:.6f}"]
            if measurement.forces is not None:
                row.append(f"{measurement.forces[specimen * specimens.output_times + time]:.1f}")
            if timed:
                row.append(f"{specimens.displacements_mm[specimen][time]:.6f}")
            writer.writerow(row)


@dataclass(frozen=True, slots=True)
class _Table:
    """Where the columns are, and how numbers are written."""

    places: dict[str, int]
    scales: dict[str, float]  # by unit: percent, kN
    cells: int
    decimal: str


def _parse(path: Path, specimens: Specimens) -> tuple[list[Row], set[str]]:
    try:
        encoding, _ = read_head(path)
        text = path.read_text(encoding=encoding)
    except (BadInput, UnicodeDecodeError) as error:
        reason = str(error).removeprefix(f"{path}: ")
        if reason == "is empty":
            reason += f"; start with {','.join(COLUMNS)}"
        raise UnusableMeasurement(path.name, [reason]) from None
    lines = table_of(text, (*COLUMNS, *OF_A_SPECIMEN))
    table = _header(path, lines, timed=specimens.timing is not None)
    rows, mistakes = list[Row](), list[str]()
    for line_number, cells in lines.rows:
        try:
            rows.append(_row(line_number, cells, table, specimens))
        except ValueError as error:
            mistakes.append(f"line {line_number}: {error}")
    if mistakes:
        raise UnusableMeasurement(path.name, _shortened(mistakes))
    return rows, set(table.places)


def _header(path: Path, lines: Lines, *, timed: bool) -> _Table:
    """Columns by name, in any case, with or without unit; a nameless first one counts rows.

    Raises UnusableMeasurement for missing, unknown or repeated names and for unknown units.
    """
    names, units = [name.lower() for name in lines.names], lines.units
    if names and names[0] in INDEX:
        names[0] = INDEX[0]
    known = (*COLUMNS, FORCE, *[DISPLACEMENT] * timed)
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
    if timed and DISPLACEMENT not in names:
        mistakes.append(
            f"column '{DISPLACEMENT}' is missing; the campaign leaves its output times to the "
            "measured curve (specimens.timing), so add how far the ends had moved apart, in mm"
        )
    if len(mistakes) >= len(COLUMNS):
        mistakes.append(
            f"no line names these columns; the first reads '{lines.first.strip()[:80]}'. Name them "
            "in one line, separated by commas, semicolons, tabs or blanks"
        )
    scales = dict[str, float]()
    for name, unit in zip(names, units, strict=True):
        allowed = UNITS.get(name, {"": 1.0, "-": 1.0, "1": 1.0})
        if name in known and unit.lower() not in allowed:
            mistakes.append(
                f"column '{name}' is in '{unit}'; known are {', '.join(filter(None, allowed))}"
            )
        scales[name] = allowed.get(unit.lower(), 1.0)
    if mistakes:
        raise UnusableMeasurement(path.name, mistakes)
    places = {name: names.index(name) for name in known if name in names}
    comma = lines.delimiter != "," and any("," in cell for _, row in lines.rows for cell in row)
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
            raise ValueError(f"{name} is '{text}'; give a number{grouped(text)}") from None

    def strain(name: str) -> float:
        text = cells[table.places[name]]
        return math.nan if lost else _half(name, text) if text in NOT_SEEN else read(name)

    lost = all(cells[table.places[name]] in NOT_SEEN for name in ("exx", "eyy"))
    place = (
        _specimen(cells[table.places["specimen"]], specimens),
        _counted("patch", read("patch"), specimens.patches.count),
        _counted("time", read("time"), specimens.output_times),
    )
    force, displacement = (read(n) if n in table.places else None for n in OF_A_SPECIMEN)
    return Row(line, place, strain("exx"), strain("eyy"), force, displacement)


def _half(name: str, text: str) -> float:
    raise ValueError(
        f"{name} is '{text}', the other strain is not; fill the gap, or write nan for both where "
        "the patch was lost"
    )


def _specimen(text: str, specimens: Specimens) -> int:
    labels = [test.label for test in specimens.tests]
    *name, angle = text.split() or [""]
    with suppress(ValueError):
        label = " ".join([*name, f"{float(angle.rstrip('°')) + 0.0:g}"])
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


def _assemble(
    path: Path, rows: list[Row], names: set[str], header: MeasurementHeader
) -> Measurement:
    specimens = header.specimens
    strains: NDArray[np.float64] = np.empty(specimens.strain_shape)
    forces: NDArray[np.float64] = np.empty(specimens.force_shape)
    displacements: NDArray[np.float64] = np.empty(specimens.force_shape)
    for row in rows:
        strains[(slice(None), *row.place)] = row.exx, row.eyy
        if row.force is not None:
            forces[row.place[0], row.place[2]] = row.force
        if row.displacement is not None:
            displacements[row.place[0], row.place[2]] = row.displacement
    if DISPLACEMENT in names:
        check_displacements(path, displacements, specimens)
        pieces = tuple(Piece(displacements_mm=tuple(one)) for one in displacements.tolist())
        specimens = specimens.model_copy(update={"pieces": pieces})
        header = header.model_copy(update={"specimens": specimens})
    return Measurement(
        header=header, strains=strains.ravel(), forces=forces.ravel() if FORCE in names else None
    )


def _shortened(mistakes: list[str]) -> list[str]:
    if len(mistakes) <= MISTAKES_SHOWN:
        return mistakes
    return [*mistakes[:MISTAKES_SHOWN], f"and {len(mistakes) - MISTAKES_SHOWN} more mistakes"]
