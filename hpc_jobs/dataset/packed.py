"""Packed files: valid HDF5 whose columns are contiguous, so that they can be mapped.

Written whole, in one stroke; read by memory map or pread at a column's offset: no HDF5 lock, no
chunk to decompress, one copy per node in the page cache.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.records import FileEntry, publish
from hpc_jobs.dataset import hdf5
from hpc_jobs.dataset.facts import PackedFields

AGAIN = "publish the dataset again"

Columns = dict[str, "np.memmap[Any, np.dtype[Any]]"]
TYPES = {PackedFields.ORIGIN: "<i8"}  # of a column; all others are <f4


def image_of(columns: Mapping[str, NDArray[Any]]) -> bytes:
    """Lay columns (n, width) out as a packed file: the same bytes for the same values."""
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    early.set_obj_track_times(False)
    size = sum(values.nbytes for values in columns.values())
    with h5py.File(
        "packed", "w", driver="core", backing_store=False, block_size=size + (1 << 20)
    ) as file:
        for name, values in columns.items():
            kind = np.dtype(TYPES.get(name, "<f4"))
            space = h5py.h5s.create_simple(values.shape)
            made = h5py.h5d.create(
                file.id, name.encode(), h5py.h5t.py_create(kind), space, dcpl=early
            )
            made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(values, kind))
        file.flush()
        return bytes(file.id.get_file_image())


def write_packed(path: Path, columns: Mapping[str, NDArray[Any]], folder: Path) -> FileEntry:
    """Publish a packed file in one stroke; returns what a manifest in `folder` says of it."""
    content = image_of(columns)
    with publish(path) as temporary:
        temporary.write_bytes(content)
    return FileEntry(
        path=path.relative_to(folder).as_posix(),
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def write_split(
    folder: Path, stem: str, columns: Mapping[str, NDArray[Any]], file_bytes: int
) -> list[Path]:
    """Publish records that are in memory as packed files of about so many bytes, in their order."""
    count = len(columns[PackedFields.STRAINS])
    record = sum(
        values.shape[1] * np.dtype(TYPES.get(name, "<f4")).itemsize
        for name, values in columns.items()
    )
    each, paths = max(1, file_bytes // record), []
    for number, start in enumerate(range(0, count, each)):
        path = folder / f"{stem}-{number:05d}.h5"
        part = {name: values[start : start + each] for name, values in columns.items()}
        write_packed(path, part, folder)
        paths.append(path)
    return paths


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
