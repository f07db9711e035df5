"""MatchID: CSV with the names of before and after 2023, and HDF5 of all frames.

Coordinates and displacements count downwards in pixels and in millimetres alike. Points that were
not found are left out, or NaN in HDF5.
"""

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.dataset import hdf5
from hpc_jobs.measurement.formats.frame import Facts, Frame, measure_named, sound
from hpc_jobs.measurement.formats.layouts import Columns, TextTool

REMEDY = "export it again from MatchID"
TABLE = "DIC Data/Point Data"
CLOCK = "DIC Data/Temporal Data"

MATCHID_METRIC = TextTool(
    name="matchid",
    columns={
        "x": ("coor.X",),
        "y": ("coor.Y",),
        "z": ("coor.Z",),
        "u": ("disp.Horizontal Displacement U",),
        "v": ("disp.Vertical Displacement V",),
        "w": ("disp.Out-Of-Plane: W",),
        "exx": ("strain.Strain-global frame: Exx",),
        "eyy": ("strain.Strain-global frame: Eyy",),
        "exy": ("strain.Strain-global frame: Exy",),
    },
    signature=("x", "y", "u", "v"),
    y_down=True,
    unit="mm",
)
MATCHID_PIXELS = TextTool(
    name="matchid",
    columns={
        **MATCHID_METRIC.columns,
        "x": ("Coordinates.Image X",),
        "y": ("Coordinates.Image Y",),
    },
    signature=("x", "y", "u", "v"),
    y_down=True,
    unit="pixel",
)


def _correlated(columns: Columns) -> NDArray[np.float64]:
    score = columns.get("score")
    return np.ones(len(columns["x"])) if score is None else np.where(score > 0, 1.0, 0.0)


MATCHID_2023 = TextTool(
    name="matchid",
    columns={
        "x": ("x",),
        "y": ("y",),
        "z": ("z",),
        "u": ("u",),
        "v": ("v",),
        "w": ("w",),
        "exx": ("exx",),
        "eyy": ("eyy",),
        "exy": ("exy",),
        "picture": ("x_pic",),
        "score": ("corr", "correlation", "score"),
    },
    signature=("x", "y", "u", "v", "picture"),
    y_down=True,
    unit="mm",
    weights=_correlated,
)


class MatchIdHdf5:
    """All frames of a test in one HDF5 file, (frames, points) a quantity."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with hdf5.opened(path, REMEDY) as file:
            if TABLE not in file:
                raise BadInput(
                    f"{path}: no group '{TABLE}', so no export of MatchID; it has "
                    f"{', '.join(sorted(file)) or 'nothing'}"
                )
            self._names = {name.split(" [")[0]: name for name in file[TABLE]}
            missing = [n for n in (*_PLACES[:2], *_MOVED[:2]) if n not in self._names]
            if missing:
                raise BadInput(f"{path}: '{TABLE}' lacks {', '.join(missing)}; {REMEDY}")
            self._frames = int(file[TABLE][self._names[_MOVED[0]]].shape[0])
            self._times = _clock(file, "Time", self._frames)
            self._forces = _clock(file, "Force", self._frames)
            said = [file.attrs.get(key, b"") for key in ("Strain Tensor", "Strain Convention")]
            self._measure = measure_named(" ".join(map(str, said)))

    @property
    def facts(self) -> Facts:
        """Unit, strain measure and unread quantities."""
        read = {*_PLACES, *_MOVED, *_STRAINS}
        unread = tuple(name for name in self._names if name not in read)
        unit = "pixel" if "[Pixel]" in self._names[_MOVED[0]] else "mm"
        return Facts(
            tool="matchid",
            unit="pixel" if unit == "pixel" else "mm",
            measure=self._measure,
            unknown=unread,
        )

    def __len__(self) -> int:
        return self._frames

    def name(self, number: int) -> str:
        """Name of the file, and the frame's number in it from 1."""
        return f"{self.path.name}, frame {number + 1}"

    def read(self, number: int) -> Frame:
        """Read frame `number`; raises CorruptFile naming the file."""
        with hdf5.opened(self.path, REMEDY) as file:
            table = file[TABLE]
            points = self._stacked(table, _PLACES, 0)
            moved = self._stacked(table, _MOVED, number)
            strains = None
            if all(name in self._names for name in _STRAINS):
                strains = self._stacked(table, _STRAINS, number) * np.array([1, 1, -1.0])
        size = min(points.shape[1], moved.shape[1])
        points, moved = points[:, :size] * _UP[:size], moved[:, :size] * _UP[:size]
        good = sound(points, moved)
        return Frame(
            name=self.name(number),
            points=points[good],
            displacements=moved[good],
            weights=np.ones(int(good.sum())),
            lost=int((~good).sum()),
            strains=None if strains is None else strains[good],
            time_s=None if self._times is None else float(self._times[number]),
            force_n=None if self._forces is None else float(self._forces[number]),
        )

    def _stacked(self, table: h5py.Group, names: tuple[str, ...], row: int) -> NDArray[np.float64]:
        columns = []
        for name in names:
            if name in self._names:
                column = table[self._names[name]]
                columns.append(column[row] if column.ndim == 2 else column[()])
        return np.column_stack(columns).astype(np.float64)


_PLACES = ("X", "Y", "Z")
_MOVED = ("Horizontal Displacement U", "Vertical Displacement V", "Out-Of-Plane: W")
_STRAINS = tuple(f"Strain-global frame: {name}" for name in ("Exx", "Eyy", "Exy"))
_UP = np.array([1.0, -1.0, 1.0])


def _clock(file: h5py.File, name: str, frames: int) -> NDArray[np.float64] | None:
    found = [key for key in file.get(CLOCK, ()) if key.split(" [")[0] == name]
    if not found:
        return None
    values = np.asarray(file[CLOCK][found[0]], dtype=np.float64).ravel()
    kilo = 1000.0 if "[kN]" in found[0] else 1.0
    return kilo * values if len(values) == frames and np.ptp(values) > 0 else None
