"""Files of testing machines: time, force, travel and extensometer, in s, N and mm.

Zwick, Instron and MTS write text with some lines of head, a line of names and one of units, in the
language of their user. Compression or travel may count as negative, channels that nobody
connected are all zero, and a channel of set values stands beside the one that was measured.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.frozen import Frozen
from hpc_jobs.measurement.formats.cells import split
from hpc_jobs.measurement.formats.table import read_rows
from hpc_jobs.measurement.formats.text import Column, Layout, layout_of, spoken

Values = NDArray[np.float64]
Channel = Literal["time", "force", "travel", "strain", "width", "stress"]

NAMES: dict[Channel, str] = {
    "time": r"(pr[üu]f|lauf|running |test |total |elapsed )?(time|zeit|temps|tiempo)(_0(_0)?)?",
    "force": r"(standard ?|ch ?\d+ )?(force|kraft|load|last|axial force|primary force|fuerza)"
    r"( 1)?( value)?|dev\d+/ai\d+",
    "travel": r"(standard ?|ch ?\d+ )?(travel|weg|extension|displacement|stroke|crosshead|"
    r"traverse|position|traversenweg|axial displacement|capteur de course)( absolute| abs\.?)?",
    "strain": r"(engineering[ _])?(strain|dehnung|elongation|tensile strain|strain 1|"
    r"axial strain|ext\.? ?1|d[ée]formation|extensometer|nominal strain|true[ _]strain)"
    r"( \(?strain 1\)?)?",
    "width": r"(transverse|lateral|width) ?(strain|change)|querdehnung|breiten[äa]nderung|"
    r"change in width",
    "stress": r"(engineering[ _]|tensile |standard |true[ _])?(stress|spannung)",
}
MAKERS: dict[str, dict[Channel, str]] = {
    "zwick": {
        "time": r"pr[üu]fzeit|test time|zeit|time",
        "force": r"(standard ?)?(force|kraft)",
        "travel": r"(standard ?)(travel|weg)|traverse abs\.?|crosshead absolute|traversenweg",
    },
    "instron": {
        "time": r"(total )?time|zeit",
        "force": r"(primary )?(force|load)|kraft|last",
        "travel": r"extension|(primary )?position|displacement|traversenweg",
    },
    "mts": {
        "time": r"(running |elapsed )?time|laufzeit",
        "force": r"(ch ?\d+ )?(kraft|load|force)|axial force",
        "travel": r"(ch ?\d+ )?(weg|displacement|stroke)|axial displacement|crosshead",
    },
}
"""What a maker's files call these channels, in any case: a format that is named reads no others."""
MARKS = {"mts": re.compile(r"MTS793|MTS ?TestSuite", re.IGNORECASE)}
"""What only this maker's files have in their head."""
SET_VALUE = re.compile(r"soll|command|set ?point|setvalue|consigne", re.IGNORECASE)
SCALES = {
    "force": {"n": 1.0, "kn": 1e3, "mn": 1e6, "lbf": 4.4482216152605, "klbf": 4448.2216152605},
    "time": {"s": 1.0, "sec": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0},
    "travel": {"mm": 1.0, "m": 1e3, "cm": 10.0, "um": 1e-3, "µm": 1e-3, "in": 25.4},
    "strain": {"%": 0.01, "1": 1.0, "": 1.0, "mm/mm": 1.0, "m/m": 1.0, "strain": 1.0},
    "stress": {"mpa": 1.0, "n/mm²": 1.0, "n/mm2": 1.0, "gpa": 1e3, "pa": 1e-6, "psi": 6.894757e-3},
}
SCALES["stress"]["ksi"] = 6.894757
SCALES["width"] = SCALES["strain"]
VOLTS = {"v", "volt"}


class MachineColumns(Frozen):
    """Columns by hand: names as the header has them, or positions from 1."""

    force: str | int
    time: str | int | None = None
    travel: str | int | None = None
    strain: str | int | None = None
    force_unit: Literal["N", "kN", "lbf", "V"] = "N"
    newtons_per_volt: Annotated[float | None, Field(gt=0)] = None
    time_unit: Literal["s", "ms", "min"] = "s"
    sign: Annotated[Literal[1, -1], Field(description="-1: tension counts as negative")] = 1


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MachineFile:
    """What a machine recorded, rows in the order of the file."""

    path: Path
    channels: dict[Channel, Values]  # s, N, mm, strain of 1, MPa; each (rows,)
    units: dict[Channel, str]  # as the header has them, "" where it has none
    head: dict[str, tuple[float, str]]  # named values of the head with their units
    unknown: tuple[str, ...]  # columns that nothing was read from
    dead: dict[Channel, str] = field(default_factory=dict)  # columns of a channel that are all 0
    notes: tuple[str, ...] = field(default=())

    def need(self, *channels: Channel) -> list[Values]:
        """Return channels; raises BadInput naming what is missing and what there is."""
        missing = [channel for channel in channels if channel not in self.channels]
        for channel in missing:
            if channel in self.dead:
                raise BadInput(
                    f"{self.path}: {self.dead[channel]} is 0 in all rows: nobody connected this "
                    f"channel of {channel}; export the one that was measured, or name it by hand"
                )
        if missing:
            raise BadInput(
                f"{self.path}: no column for {', '.join(missing)}; it has "
                f"{', '.join(self.channels) or 'none that is known'}"
                + (f", and {', '.join(self.unknown)} unread" if self.unknown else "")
                + "; export it too, or name the columns by hand"
            )
        return [self.channels[channel] for channel in channels]


def read_machine(
    path: Path, columns: MachineColumns | None = None, format: str = "auto"
) -> MachineFile:
    """Read a machine's file; raises BadInput naming file, column and remedy.

    format is the maker whose names count (MAKERS), or auto for all of them.
    """
    layout = layout_of(path)
    if format in MAKERS:
        _check_maker(path, layout, format)
    read = read_rows(path, layout)
    table, names = read.values, NAMES | MAKERS.get(format, {})
    places, dead = _by_hand(path, layout, columns), dict[Channel, str]()
    if columns is None:
        places, dead = _by_name(layout, table, names)
    notes = list[str]()
    if read.others:
        notes.append(f"{read.others} lines between or after the rows are no part of the table")
    for place in places.values():
        read.check(path, layout, place, "leave the line out")
    channels, units = dict[Channel, Values](), dict[Channel, str]()
    for channel, place in places.items():
        column = layout.columns[place]
        unit = _unit(channel, column, columns)
        scale = _scale(path, channel, column, unit, columns)
        units[channel] = unit
        channels[channel] = scale * table[:, place]
    rows = np.ones(len(table), dtype=bool)
    for values in channels.values():
        rows &= np.isfinite(values)
    if not rows.any():
        raise BadInput(f"{path}: no row with a number in all of {', '.join(channels) or 'nothing'}")
    if not rows.all():
        notes.append(f"{int((~rows).sum())} rows lack {' or '.join(channels)}, and are left out")
    known = set(places.values())
    return MachineFile(
        path=path,
        channels={channel: values[rows] for channel, values in channels.items()},
        units=units,
        head=_head(layout),
        unknown=tuple(c.written for i, c in enumerate(layout.columns) if i not in known),
        dead=dead,
        notes=tuple(notes),
    )


def _check_maker(path: Path, layout: Layout, format: str) -> None:
    """Refuse a file that another maker's mark or other names of time and force tell apart."""
    head = "\n".join(layout.head)
    other = next((m for m, mark in MARKS.items() if m != format and mark.search(head)), None)
    if other:
        raise BadInput(
            f"{path}: machine.format is {format}, but the head of the file is of {other}; write "
            f"{other}, or auto"
        )
    for channel in ("time", "force"):
        pattern = MAKERS[format][channel]
        if not any(re.fullmatch(pattern, c.name.strip().lower()) for c in layout.columns):
            raise BadInput(
                f"{path}: machine.format is {format}, whose files have a column of {channel} by "
                f"another name; it has {spoken(layout.columns) if layout.named else 'no names'}; "
                "write auto, or name the columns by hand (format: columns)"
            )


def _by_name(
    layout: Layout, table: Values, names: dict[Channel, str]
) -> tuple[dict[Channel, int], dict[Channel, str]]:
    """Find each channel, named so and no set value; and those that nobody connected."""
    places, dead = dict[Channel, int](), dict[Channel, str]()
    for channel, pattern in names.items():
        matches = [
            i
            for i, column in enumerate(layout.columns)
            if re.fullmatch(pattern, column.name.strip().lower()) and i not in places.values()
        ]
        alive = [i for i in matches if np.nanmax(np.abs(table[:, i]), initial=0) > 0]
        measured = [i for i in alive if not SET_VALUE.search(layout.columns[i].name)]
        # Relative channels before absolute ones: "Standard travel" before "Crosshead absolute"
        relative = [i for i in measured if "abs" not in layout.columns[i].name.lower()]
        if relative or measured:
            places[channel] = (relative or measured)[0]
        elif matches and not alive:
            dead[channel] = f"'{layout.columns[matches[0]].written}'"
    return places, dead


def _by_hand(path: Path, layout: Layout, given: MachineColumns | None) -> dict[Channel, int]:
    places = dict[Channel, int]()
    if given is None:
        return places
    names = [column.name for column in layout.columns]
    wanted: tuple[tuple[Channel, str | int | None], ...] = (
        ("force", given.force),
        ("time", given.time),
        ("travel", given.travel),
        ("strain", given.strain),
    )
    for channel, column in wanted:
        if column is None:
            continue
        place = column - 1 if isinstance(column, int) else _named(names, column)
        if not 0 <= place < len(names):
            raise BadInput(
                f"{path}: columns.{channel} is {column!r}, which the file does not have; it has "
                f"{spoken(layout.columns) if layout.named else len(names)}"
            )
        places[channel] = place
    return places


def _named(names: list[str], name: str) -> int:
    return names.index(name) if name in names else -1


def _unit(channel: Channel, column: Column, given: MachineColumns | None) -> str:
    if column.unit or given is None:
        return column.unit
    return {"force": given.force_unit, "time": given.time_unit}.get(channel, "")


def _scale(
    path: Path, channel: Channel, column: Column, unit: str, given: MachineColumns | None
) -> float:
    sign = given.sign if given and channel == "force" else 1
    if channel == "force" and unit.lower() in VOLTS | ({""} if "ai" in column.name else set()):
        if given is None or given.newtons_per_volt is None:
            raise BadInput(
                f"{path}: {column.written} is a voltage; say what a volt stands for: "
                f"columns: {{force: '{column.name}', force_unit: V, newtons_per_volt: ...}}"
            )
        return sign * given.newtons_per_volt
    scales = SCALES[channel]
    if channel in ("strain", "width") and unit.lower() in SCALES["travel"] and unit:
        return SCALES["travel"][unit.lower()]  # an extensometer's elongation, mm
    if unit and unit.lower() not in scales:
        raise BadInput(
            f"{path}: {column.written} is in '{unit}'; known for {channel}: {', '.join(scales)}"
        )
    return sign * scales.get(unit.lower(), 1.0)


def _head(layout: Layout) -> dict[str, tuple[float, str]]:
    """Values that the head names: `"Specimen width",4.89,"mm"` or `Länge :	299,8`."""
    values = dict[str, tuple[float, str]]()
    for line in layout.head:
        cells = [cell for cell in split(line, layout.delimiter) if cell]
        if len(cells) < 2:
            continue
        try:
            value = float(cells[1].replace(",", "."))
        except ValueError:
            continue
        values[cells[0].rstrip(" :=")] = (value, cells[2] if len(cells) > 2 else "")
    return values
