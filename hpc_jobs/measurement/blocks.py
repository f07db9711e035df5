"""Files of measured records, read block by block: a file may be larger than memory.

.npy holds (records, values). HDF5 (.h5, .hdf5) holds a dataset `strains`, and `forces` where forces
were measured; a shard is such a file, and so is a measurement, of a single record.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import UNREADABLE_ARRAYS, BadInput, CorruptFile
from hpc_jobs.contract.measurement import MeasurementFields
from hpc_jobs.dataset import hdf5

HDF5 = (".h5", ".hdf5")

Values = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Neighbouring records of a file."""

    start: int  # number of the first
    strains: Values  # (n, strain_values)
    forces: Values | None  # (n, force_values), N; None where they are not asked for
    known: Values | None = None  # (n, ...) what else is told of them; likewise


def read_blocks(
    strains: Path,
    records: int,
    forces: Path | None = None,
    known: tuple[Path, str] | None = None,
) -> Iterator[Block]:
    """Read so many records at a time, with their forces from a file that may be the same.

    known: file, and dataset in it, of what else is told of them. Raises BadInput naming the file.
    """
    with ExitStack() as stack:
        table = stack.enter_context(_table(strains, MeasurementFields.STRAINS))
        beside: list[Any] = []
        for path, name in ((forces, MeasurementFields.FORCES), known or (None, "")):
            other = stack.enter_context(_table(path, name)) if path else None
            if other is not None and len(other) != len(table):
                raise BadInput(
                    f"{strains} holds {len(table)} records of strains, {path} {len(other)} of "
                    f"{name}; give as many of each"
                )
            beside.append(other)
        for start in range(0, len(table), records):
            rows = slice(start, start + records)
            yield Block(start, table[rows], *(None if one is None else one[rows] for one in beside))


@contextmanager
def _table(path: Path, name: str) -> Iterator[Any]:
    """Open a column (records, values), which is read when it is sliced; raises BadInput."""
    again = f"give a .npy of shape (records, values), or an HDF5 file with a dataset '{name}'"
    if path.suffix.lower() == ".npy":
        try:
            values = np.load(path, mmap_mode="r", allow_pickle=False)
        except UNREADABLE_ARRAYS as error:
            raise BadInput(f"{path}: no {name} in it ({error}); {again}") from None
        yield _rows(path, name, values, again)
    elif path.suffix.lower() in HDF5:
        try:
            with hdf5.opened(path, again) as file:
                name = _written(file, name)
                yield _rows(path, name, hdf5.column(file, name, "fiu", again), again)
        except CorruptFile as error:
            raise BadInput(str(error)) from None
    else:
        raise BadInput(
            f"{path}: an unknown kind of file; {again}; import_measurement makes one of CSV"
        )


def _written(file: h5py.File, name: str) -> str:
    """Return how the file spells a dataset: in any case, or in the singular."""
    spelled = [key for key in file if key.lower() in (name, name.removesuffix("s"))]
    return spelled[0] if len(spelled) == 1 else name


def _rows(path: Path, name: str, values: Any, again: str) -> np.ndarray | h5py.Dataset:
    """Refuse what is no table of numbers; a single record becomes a table of one."""
    if values.ndim == 1 and values.size:
        values = values[...][None]
    if values.ndim != 2 or values.dtype.kind not in "fiu" or not len(values):
        raise BadInput(f"{path}: {name} have shape {values.shape}, type {values.dtype}; {again}")
    return values
