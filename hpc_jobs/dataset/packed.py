"""Packed files: valid HDF5 whose columns are contiguous, so that they can be mapped.

Written by scattering records to their places, read by memory map at the column's offset: no HDF5
lock, no chunk to decompress, one copy per node in the page cache.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.records import publish
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.dataset import hdf5
from hpc_jobs.dataset.facts import PackedFields

FILE_BYTES = 62_000_000
AGAIN = "publish the dataset again"

Columns = dict[str, "np.memmap[Any, np.dtype[Any]]"]


class PackedWriter:
    """One split in the making: record k of the stream goes to place order[k].

    A context; on success the files are published, otherwise nothing is left. With `components`
    the files have room for as many of the strains, and for one of each force.
    """

    def __init__(
        self,
        folder: Path,
        stem: str,
        order: NDArray[np.int64],
        specimens: Specimens,
        targets: int,
        components: int = 0,
        coordinates: int = 0,
    ) -> None:
        self.order = order
        self._shapes: dict[str, tuple[int, str]] = {
            PackedFields.STRAINS: (specimens.strain_values, "<f4"),
            PackedFields.FORCES: (specimens.force_values, "<f4"),
            PackedFields.PARAMETERS: (targets, "<f4"),
            PackedFields.ORIGIN: (2, "<i8"),
        }
        if coordinates:
            self._shapes[PackedFields.SHEET] = (coordinates, "<f4")
        if components:
            self._shapes[PackedFields.COMPONENTS] = (components, "<f4")
            self._shapes[PackedFields.FORCE_COMPONENTS] = (specimens.force_values, "<f4")
        record_bytes = sum(width * int(kind[-1]) for width, kind in self._shapes.values())
        self._per_file = max(1, FILE_BYTES // record_bytes)
        starts = range(0, len(order), self._per_file)
        self.paths = [folder / f"{stem}-{index:05d}.h5" for index in range(len(starts))]
        self._files: list[Columns] = []
        self._done = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for index, path in enumerate(self.paths):
            records = min(self._per_file, len(self.order) - index * self._per_file)
            self._files.append(self._lay_out(self._stack.enter_context(publish(path)), records))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for columns in self._files:
            for column in columns.values():
                column.flush()
        self._stack.__exit__(kind, error, trace)

    def scatter(self, values: Mapping[str, NDArray[Any]]) -> None:
        """Put the next records of the stream in their places."""
        records = len(values[PackedFields.STRAINS])
        places = self.order[self._done : self._done + records]
        self._done += records
        number, row = np.divmod(places, self._per_file)
        for index in np.unique(number):
            here = number == index
            for name, column in self._files[index].items():
                column[row[here]] = values[name][here]

    def _lay_out(self, path: Path, records: int) -> Columns:
        early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        with h5py.File(path, "w") as file:
            for name, (width, kind) in self._shapes.items():
                space = h5py.h5s.create_simple((records, width))
                kind_h5 = h5py.h5t.py_create(np.dtype(kind))
                h5py.h5d.create(file.id, name.encode(), kind_h5, space, dcpl=early)
        return map_columns(path, mode="r+")


@dataclass(frozen=True, slots=True)
class Column:
    """Where a column's values lie, row after row without a gap: what pread and mmap need."""

    path: Path
    offset: int  # bytes
    shape: tuple[int, int]
    dtype: np.dtype[Any]

    @property
    def row_bytes(self) -> int:
        """Bytes of one record."""
        return self.shape[1] * self.dtype.itemsize


def columns_of(path: Path) -> dict[str, Column]:
    """Look up the columns of a packed file; raises CorruptFile for what cannot be mapped.

    The file is closed again: no HDF5 handle crosses a fork or a thread.
    """
    with hdf5.opened(path, AGAIN) as file:
        columns = {name: _column(path, hdf5.column(file, name, "fi", AGAIN)) for name in file}
    counts = {name: found.shape[0] for name, found in columns.items()}
    if len(set(counts.values())) != 1:
        raise CorruptFile(f"{path}: columns of unequal length, {counts}; {AGAIN}")
    return columns


def _column(path: Path, found: h5py.Dataset) -> Column:
    name, offset = found.name.lstrip("/"), found.id.get_offset()
    if offset is None:
        raise CorruptFile(f"{path}: '{name}' is chunked or empty; {AGAIN}")
    if found.ndim != 2 or found.dtype.str not in ("<f4", "<i8"):
        raise CorruptFile(
            f"{path}: '{name}' holds {found.dtype.str} of shape {found.shape}, expected rows of "
            f"little-endian float32 or int64; {AGAIN}"
        )
    end, size = offset + found.nbytes, path.stat().st_size
    if end > size:
        raise CorruptFile(
            f"{path}: '{name}' ends at byte {end} of {size}, the file is cut short; {AGAIN}"
        )
    return Column(path, offset, found.shape, found.dtype)


def mapped(column: Column, mode: str = "r") -> "np.memmap[Any, np.dtype[Any]]":
    """Map a column into memory."""
    return np.memmap(  # type: ignore[call-overload,no-any-return]
        column.path, column.dtype, mode, offset=column.offset, shape=column.shape
    )


def map_columns(path: Path, mode: str = "r") -> Columns:
    """Map every column of a packed file; raises CorruptFile if one is not contiguous."""
    return {name: mapped(column, mode) for name, column in columns_of(path).items()}
