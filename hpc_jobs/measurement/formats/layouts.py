"""A tool's text export as data: which column means what, which points are lost."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.measurement.formats.cells import split
from hpc_jobs.measurement.formats.frame import Facts, Frame, Measure, Unit, measure_named, sound
from hpc_jobs.measurement.formats.table import read_columns
from hpc_jobs.measurement.formats.text import Column, Layout, layout_of, read_head, spoken

Values = NDArray[np.float64]
Columns = Mapping[str, Values]

IN_PLANE = ("x", "y", "u", "v")
STRAINS = ("exx", "eyy", "exy")
LENGTHS: dict[str, tuple[Unit, float]] = {
    "mm": ("mm", 1.0),
    "m": ("mm", 1000.0),
    "cm": ("mm", 10.0),
    "um": ("mm", 1e-3),
    "µm": ("mm", 1e-3),
    "in": ("mm", 25.4),
    "px": ("pixel", 1.0),
    "pixel": ("pixel", 1.0),
    "pixels": ("pixel", 1.0),
}


def keep_all(columns: Columns) -> Values:
    """Confidence (n,) of points in a tool that exports only what it found: 1."""
    return np.ones(len(columns["x"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTool:
    """What a tool calls its columns. Names are as written, without unit; the first found counts."""

    name: str
    columns: Mapping[str, tuple[str, ...]]  # x y z u v w exx eyy exy, and what `weights` reads
    signature: tuple[str, ...]  # meanings that must be there to recognise the tool
    unit: Unit = ""  # where the header says none
    y_down: bool = False
    measure: Measure = ""  # where the header says none
    weights: Callable[[Columns], Values] = keep_all  # (n,) confidence; 0 or NaN is lost
    signals: Callable[[Sequence[str]], tuple[float | None, float | None]] | None = None
    required: tuple[str, ...] = IN_PLANE
    exact: bool = False  # X and x are different things

    def found(self, layout: Layout) -> dict[str, int]:
        """Meaning -> position of the columns that are there."""
        names = [column.name for column in layout.columns]
        places = {
            meaning: _place(names, known, self.exact) for meaning, known in self.columns.items()
        }
        return {meaning: place for meaning, place in places.items() if place is not None}

    def recognises(self, layout: Layout) -> bool:
        """Whether a file of this layout is one of this tool."""
        return layout.named and set(self.signature) <= set(self.found(layout))


def _place(names: Sequence[str], known: Sequence[str], exact: bool) -> int | None:
    """Position of the first of the known names; case matters where it is said or both exist."""
    for name in known:
        if name in names:
            return names.index(name)
    if exact:
        return None
    lowered = [name.lower() for name in names]
    for name in known:
        if lowered.count(name.lower()) == 1:
            return lowered.index(name.lower())
    return None


class TextSource:
    """Frames that are text files, one each."""

    def __init__(self, files: Sequence[Path], tool: TextTool) -> None:
        self.files, self.tool = list(files), tool
        self._layout = layout_of(self.files[0])
        self._found = self._columns(self.files[0], self._layout)

    @property
    def facts(self) -> Facts:
        """Unit, strain measure and unread columns, from the first frame."""
        columns, found = self._layout.columns, self._found
        strain = columns[found["exx"]] if "exx" in found else None
        read = set(found.values())
        unread = [c.written for i, c in enumerate(columns) if i not in read and c.written]
        unit, _ = self._length("x")
        head = " ".join(self._layout.head)
        measure = measure_named(strain.remark) if strain else ""
        return Facts(
            tool=self.tool.name,
            unit=unit,
            measure=measure or (measure_named(head) if strain else "") or self.tool.measure,
            strain_unit=strain.unit if strain else "",
            unknown=tuple(unread),
        )

    def __len__(self) -> int:
        return len(self.files)

    def name(self, number: int) -> str:
        """Name of the frame's file."""
        return self.files[number].name

    def read(self, number: int) -> Frame:
        """Read frame `number`; raises BadInput naming file, line and column."""
        path = self.files[number]
        layout, found = self._layout_like_the_first(path)
        table = read_columns(path, layout, list(found.values()))
        order = list(dict.fromkeys(found.values()))
        columns = {meaning: table[:, order.index(place)] for meaning, place in found.items()}
        with np.errstate(all="ignore"):
            weights = np.nan_to_num(self.tool.weights(columns))
        points, moved = self._vectors(columns, "xyz"), self._vectors(columns, "uvw")
        dimensions = min(points.shape[1], moved.shape[1])
        points, moved = points[:, :dimensions], moved[:, :dimensions]
        good = (weights > 0) & sound(points, moved)
        signals = self.tool.signals
        time_s, force_n = signals(layout.head) if signals else (None, None)
        return Frame(
            name=self.name(number),
            points=points[good],
            displacements=moved[good],
            weights=weights[good],
            lost=int((~good).sum()),
            strains=self._strains(columns, good),
            time_s=time_s,
            force_n=force_n,
        )

    def _layout_like_the_first(self, path: Path) -> tuple[Layout, dict[str, int]]:
        """Layout of a frame: the first one's, unless its head is longer or says something else."""
        first = self._layout
        encoding, lines = read_head(path)
        at = len(first.head)
        if (
            encoding == first.encoding
            and len(lines) > first.first
            and first.named
            and tuple(lines[:at]) == first.head
            and _same_names(lines[at], first)
        ):
            return first, self._found
        layout = layout_of(path)
        return layout, self._columns(path, layout)

    def _columns(self, path: Path, layout: Layout) -> dict[str, int]:
        found = self.tool.found(layout)
        missing = [meaning for meaning in self.tool.required if meaning not in found]
        if missing:
            named = spoken(layout.columns) if layout.named else "no names"
            raise BadInput(
                f"{path}: no export of {self.tool.name} with displacements: no column for "
                f"{', '.join(missing)}, but {named}. Export coordinates and displacements, or "
                "name the columns by hand (format: columns)"
            )
        written = [column.written for column in layout.columns]
        twice = [written[place] for place in found.values() if written.count(written[place]) > 1]
        if twice:
            raise BadInput(f"{path}: there are several columns '{twice[0]}'; keep one of them")
        return found

    def _length(self, meaning: str) -> tuple[Unit, float]:
        column: Column = self._layout.columns[self._found[meaning]]
        return LENGTHS.get(column.unit.lower(), (self.tool.unit, 1.0))

    def _vectors(self, columns: Columns, names: str) -> Values:
        """Coordinates or displacements (n, 2 or 3), y up, in mm or pixels."""
        here = [name for name in names if name in columns]
        vectors = np.column_stack([columns[name] * self._length(name)[1] for name in here])
        if self.tool.y_down:
            vectors[:, 1] *= -1
        return vectors

    def _strains(self, columns: Columns, good: NDArray[np.bool_]) -> Values | None:
        if not all(name in columns for name in STRAINS[:2]):
            return None
        shear = columns.get("exy", np.full(len(good), np.nan))
        strains = np.column_stack([columns["exx"], columns["eyy"], shear])[good]
        for i, name in enumerate(STRAINS):
            if name in self._found and self._layout.columns[self._found[name]].unit == "%":
                strains[:, i] /= 100
        if self.tool.y_down:
            strains[:, 2] *= -1
        return np.asarray(strains)


def _same_names(line: str, layout: Layout) -> bool:
    names = split(line.lstrip("# "), layout.delimiter)
    return names == [column.written for column in layout.columns][-len(names) :]


def signal_in(head: Sequence[str], pattern: str) -> float | None:
    """Value of a line such as `# force : value_element : 14985.6` or `# Force [N] = 1,5`."""
    matcher = re.compile(
        rf"\W*(?:{pattern})\W.*?[:=;,]\s*\"?([+-]?\d+(?:[.,]\d+)?(?:e[+-]?\d+)?)\"?\s*(\w*)\s*$",
        re.IGNORECASE,
    )
    for line in head:
        match = matcher.match(line)
        if match:
            value = float(match.group(1).replace(",", "."))
            thousand = "kn" in (match.group(2).lower(), *re.findall(r"\[(\w+)\]", line.lower()))
            return 1000 * value if thousand else value
    return None
