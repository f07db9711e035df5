"""Records of some packed files, found by their number; nothing is read before it is asked for."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.dataset.facts import PackedFields
from hpc_jobs.dataset.packed import AGAIN, Column, columns_of, mapped

Values = NDArray[np.float32]
FLOATS = (
    PackedFields.STRAINS,
    PackedFields.FORCES,
    PackedFields.PARAMETERS,
    PackedFields.COMPONENTS,
    PackedFields.FORCE_COMPONENTS,
    PackedFields.SHEET,
)


class Split:
    """Training or test records: neighbours lie side by side in a file, files one after another."""

    def __init__(self, files: Sequence[Path]) -> None:
        found = [columns_of(file) for file in files]
        for path, columns in zip(files, found, strict=True):
            _check_alike(path, columns, found[0])
        self.columns: dict[str, list[Column]] = {
            name: [columns[name] for columns in found]
            for name in FLOATS
            if all(name in columns for columns in found)
        }
        self._maps: dict[str, list[NDArray[Any]]] = {
            name: [np.asarray(mapped(column)) for column in columns]
            for name, columns in self.columns.items()
        }
        lengths = [column.shape[0] for column in self.columns[PackedFields.STRAINS]]
        self._starts = np.cumsum([0, *lengths])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def width(self, name: str) -> int:
        """Values of one record in that column."""
        return self.columns[name][0].shape[1]

    def take(self, rows: NDArray[np.int64]) -> tuple[Values, Values]:
        """Strains (n, strain_values) and parameters (n, targets) of rows, in their order."""
        strains, parameters = self.gather((PackedFields.STRAINS, PackedFields.PARAMETERS), rows)
        return strains, parameters

    def gather(self, names: Sequence[str], rows: NDArray[np.int64]) -> tuple[Values, ...]:
        """Columns (n, width) of rows, in their order."""
        if len(self._starts) == 2:
            return tuple(np.take(self._maps[name][0], rows, axis=0) for name in names)
        answers = tuple(np.empty((len(rows), self.width(name)), np.float32) for name in names)
        part = np.searchsorted(self._starts, rows, side="right") - 1
        for index in np.unique(part):
            here = np.flatnonzero(part == index)
            local = rows[here] - self._starts[index]
            for name, answer in zip(names, answers, strict=True):
                answer[here] = self._maps[name][index][local]
        return answers

    def strokes(self, rows: range) -> Iterator[tuple[int, range, int]]:
        """Neighbouring rows cut at the files' ends: file number, its rows, place in `rows`."""
        first = int(np.searchsorted(self._starts, rows.start, side="right")) - 1
        for index in range(first, len(self._starts) - 1):
            low, high = int(self._starts[index]), int(self._starts[index + 1])
            if low >= rows.stop:
                return
            start, stop = max(rows.start, low), min(rows.stop, high)
            yield index, range(start - low, stop - low), start - rows.start


def _check_alike(path: Path, columns: dict[str, Column], first: dict[str, Column]) -> None:
    """Raise CorruptFile for a file that lacks a column or has one of another width or type."""
    needed = {PackedFields.STRAINS, PackedFields.FORCES, PackedFields.PARAMETERS, *first}
    for name in sorted(needed):
        if name not in columns:
            raise CorruptFile(f"{path}: no column '{name}' among {', '.join(columns)}; {AGAIN}")
        held, expected = columns[name], first[name]
        if held.shape[1:] != expected.shape[1:] or (name in FLOATS and held.dtype != np.float32):
            raise CorruptFile(
                f"{path}: '{name}' holds rows of {held.shape[1]} {held.dtype}, expected "
                f"{expected.shape[1]} float32; {AGAIN}"
            )
