"""MATLAB files of either kind as nested Python values: v5 by SciPy, v7.3, which is HDF5, by h5py.

v7.3 keeps arrays transposed, cells and structures by reference; a name is read when it is asked
for, so one frame of many fits in memory.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
from numpy.typing import NDArray

from hpc_jobs.contract.errors import UNREADABLE_ARRAYS, BadInput, CorruptFile
from hpc_jobs.dataset import hdf5

REMEDY = "save it again from MATLAB"
V73 = b"MATLAB 7.3"


class MatFile:
    """A MATLAB file; `get` follows a path of names and positions in structures and cells."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                head = file.read(len(V73))
        except FileNotFoundError:
            raise BadInput(f"{path}: no such file") from None
        except IsADirectoryError:
            raise BadInput(f"{path}: a folder, not a file; name the .mat file in it") from None
        except OSError as error:
            raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
        self.is_hdf5 = head.startswith((V73, hdf5.SIGNATURE[:4]))
        self._values: dict[str, Any] = {} if self.is_hdf5 else _read_v5(path)

    @property
    def names(self) -> list[str]:
        """Variables of the file."""
        if not self.is_hdf5:
            return sorted(self._values)
        with hdf5.opened(self.path, REMEDY) as file:
            return sorted(name for name in file if not name.startswith("#"))

    def has(self, *way: str | int) -> bool:
        """Whether there is something at this path."""
        try:
            self.get(*way)
        except (BadInput, CorruptFile, KeyError, IndexError, TypeError):
            return False
        return True

    def size(self, *way: str | int) -> int:
        """How many elements a cell or an array of structures has."""
        if self.is_hdf5:
            with hdf5.opened(self.path, REMEDY) as file:
                found = _follow(file, way)
                if isinstance(found, h5py.Group):  # an array of structures: a field tells its size
                    found = next(iter(found.values()))
                return int(found.size) if isinstance(found, h5py.Dataset) else 1
        value = self._walk(way)
        return len(value) if isinstance(value, (list, np.ndarray)) and np.ndim(value) else 1

    def get(self, *way: str | int) -> NDArray[np.float64]:
        """Numbers at a path, as MATLAB would show them; raises BadInput naming the path."""
        try:
            if self.is_hdf5:
                with hdf5.opened(self.path, REMEDY) as file:
                    found = _follow(file, way)
                    if not isinstance(found, h5py.Dataset) or found.dtype.kind == "O":
                        raise KeyError(way)
                    return np.asarray(found[()], dtype=np.float64).T
            return np.asarray(self._walk(way), dtype=np.float64)
        except (CorruptFile, KeyError, IndexError, TypeError, ValueError):
            dotted = ".".join(map(str, way))
            raise BadInput(
                f"{self.path}: no numbers at {dotted}; it has {', '.join(self.names) or 'nothing'}"
            ) from None

    def text(self, *way: str | int) -> str:
        """Characters at a path, "" where there are none."""
        try:
            if not self.is_hdf5:
                return str(self._walk(way))
            with hdf5.opened(self.path, REMEDY) as file:
                codes = np.asarray(_follow(file, way)[()]).T.ravel()
            return "".join(map(chr, codes.astype(int)))
        except (BadInput, CorruptFile, KeyError, IndexError, TypeError, ValueError):
            return ""

    def _walk(self, way: tuple[str | int, ...]) -> Any:
        value: Any = self._values
        for step in way:
            if isinstance(step, int) and not isinstance(value, (list, np.ndarray)):
                value = [value]  # SciPy unwraps a cell of one
            value = value[step]
        return value


def _read_v5(path: Path) -> dict[str, Any]:
    try:
        values = scipy.io.loadmat(path, simplify_cells=True)
    except (*UNREADABLE_ARRAYS, scipy.io.matlab.MatReadError, NotImplementedError) as error:
        raise BadInput(f"{path}: no MATLAB file, or damaged ({error}); {REMEDY}") from None
    return {name: value for name, value in values.items() if not name.startswith("__")}


def _follow(file: h5py.File, way: tuple[str | int, ...]) -> Any:
    """Object at a path; a position is an element of the cell or array of structures before it."""
    found: Any = file
    for i, step in enumerate(way):
        if isinstance(step, str):
            found = found[step]
        elif isinstance(found, h5py.Group):
            # an array of structures: each field holds the references of all elements
            return _follow_field(file, found, step, way[i + 1 :])
        elif found.dtype.kind == "O":
            found = file[found[()].T.ravel()[step]]
        elif step:
            raise IndexError(step)
    return found


def _follow_field(
    file: h5py.File, group: h5py.Group, index: int, way: tuple[str | int, ...]
) -> Any:
    if not way:
        raise KeyError(index)
    field = group[way[0]]
    if isinstance(field, h5py.Dataset) and field.dtype.kind == "O":
        field = file[field[()].T.ravel()[index]]
    elif index:
        raise IndexError(index)
    for step in way[1:]:
        field = field[step]
    return field
