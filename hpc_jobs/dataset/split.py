"""Records of some packed files, found by their number; nothing is read before it is asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.dataset.facts import PackedFields
from hpc_jobs.dataset.packed import AGAIN, Column, columns_of

Values = NDArray[np.float32]
FLOATS = (
    PackedFields.STRAINS,
    PackedFields.FORCES,
    PackedFields.PARAMETERS,
    PackedFields.COMPONENTS,
    PackedFields.FORCE_COMPONENTS,
    PackedFields.SHEET,
    PackedFields.DISPLACEMENTS,
    PackedFields.WEIGHT,
)
MAPPED = 200
"""Files that stay mapped: each holds one of the some thousand that a process may open."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring records of one file."""

    file: int
    rows: range


class Split:
    """Training or test records by their number: stretches of files, one after another."""

    def __init__(self, files: Sequence[Path], found: Sequence[dict[str, Column]] = ()) -> None:
        found = found or [columns_of(file) for file in files]
        for path, columns in zip(files, found, strict=True):
            _check_alike(path, columns, found[0])
        self._found = found
        self.files = list(files)
        self.columns: dict[str, list[Column]] = {
            name: [columns[name] for columns in found]
            for name in FLOATS
            if all(name in columns for columns in found)
        }
        lengths = [columns[PackedFields.STRAINS].shape[0] for columns in found]
        self._take([Stretch(k, range(length)) for k, length in enumerate(lengths)])
        self._mapped = lru_cache(maxsize=MAPPED)(self._map)

    def _take(self, stretches: Sequence[Stretch]) -> None:
        self._stretches = list(stretches)
        self._starts = np.cumsum([0, *(len(one.rows) for one in stretches)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def rearranged(self, ranges: Sequence[range]) -> "Split":
        """Return a split that numbers the same records otherwise: one range after the other."""
        other = Split(self.files, self._found)
        other._take(
            [
                Stretch(self._stretches[index].file, rows)
                for part in ranges
                for index, rows, _ in self.strokes(part)
            ]
        )
        return other

    def width(self, name: str) -> int:
        """Values of one record in that column."""
        if name == PackedFields.WEIGHT:
            return 1
        return self.columns[name][0].shape[1]

    def take(self, rows: NDArray[np.int64]) -> tuple[Values, Values]:
        """Strains (n, strain_values) and parameters (n, targets) of rows, in their order."""
        strains, parameters = self.gather((PackedFields.STRAINS, PackedFields.PARAMETERS), rows)
        return strains, parameters

    def gather(self, names: Sequence[str], rows: NDArray[np.int64]) -> tuple[Values, ...]:
        """Columns (n, width) of rows, in their order."""
        if len(self._starts) == 2:
            first = self._stretches[0].rows.start
            return tuple(self._picked(name, 0, rows + first if first else rows) for name in names)
        answers = tuple(np.empty((len(rows), self.width(name)), np.float32) for name in names)
        part = np.searchsorted(self._starts, rows, side="right") - 1
        order = np.argsort(part, kind="stable")
        ends = np.flatnonzero(np.diff(part[order], append=-1)) + 1
        for here in np.split(order, ends[:-1]) if len(rows) else ():
            index = int(part[here[0]])
            local = rows[here] - self._starts[index] + self._stretches[index].rows.start
            for name, answer in zip(names, answers, strict=True):
                answer[here] = self._picked(name, index, local)
        return answers

    def _picked(self, name: str, stretch: int, local: NDArray[np.int64]) -> Values:
        file = self._stretches[stretch].file
        if name == PackedFields.WEIGHT and name not in self._found[file]:
            return np.ones((len(local), 1), np.float32)
        return np.take(self._mapped(file)[name], local, axis=0)

    def _map(self, file: int) -> dict[str, NDArray[Any]]:
        """Map a whole file, once for all its columns; the last ones used stay mapped."""
        path, columns = self.files[file], self._found[file]
        whole = np.memmap(path, np.uint8, "r")
        return {
            name: np.frombuffer(whole, one.dtype, one.shape[0] * one.shape[1], one.offset).reshape(
                one.shape
            )
            for name, one in columns.items()
        }

    def strokes(self, rows: range) -> Iterator[tuple[int, range, int]]:
        """Cut rows where stretches end: each one's stretch, rows of its file, place in `rows`."""
        first = int(np.searchsorted(self._starts, rows.start, side="right")) - 1
        for index in range(first, len(self._starts) - 1):
            low, high = int(self._starts[index]), int(self._starts[index + 1])
            if low >= rows.stop:
                return
            start, stop = max(rows.start, low), min(rows.stop, high)
            begin = self._stretches[index].rows.start - low
            yield index, range(start + begin, stop + begin), start - rows.start

    def column(self, name: str, stretch: int) -> Column | None:
        """Where the values of a stretch's file lie; nowhere if all are 1."""
        return self._found[self._stretches[stretch].file].get(name)


def _check_alike(path: Path, columns: dict[str, Column], first: dict[str, Column]) -> None:
    """Raise CorruptFile for a file that lacks a column or has one of another width or type."""
    needed = {PackedFields.STRAINS, PackedFields.FORCES, PackedFields.PARAMETERS, *first}
    for name in sorted(needed - {PackedFields.WEIGHT}):
        if name not in columns:
            raise CorruptFile(f"{path}: no column '{name}' among {', '.join(columns)}; {AGAIN}")
        held, expected = columns[name], first[name]
        if held.shape[1:] != expected.shape[1:] or (name in FLOATS and held.dtype != np.float32):
            raise CorruptFile(
                f"{path}: '{name}' holds rows of {held.shape[1]} {held.dtype}, expected "
                f"{expected.shape[1]} float32; {AGAIN}"
            )
