"""Ncorr and DuoDIC: MATLAB files in which zero means missing, pixels counted downwards.

Ncorr keeps grids of displacements per frame, formatted in its own length unit, and Green-Lagrange
strains beside them. A pair of DuoDIC holds points in pixels of two cameras, a reconstruction
points in millimetres.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.measurement.formats.frame import Facts, Frame, Unit, sound
from hpc_jobs.measurement.formats.matlab import MatFile

Values = NDArray[np.float64]
DISPLACEMENTS = ("data_dic_save", "displacements")
INFO = ("data_dic_save", "dispinfo")
STRAINS = ("data_dic_save", "strains")
PAIR = "DIC2DpairResults"
RECONSTRUCTIONS = ("DIC3DPPresults", "DIC3DpairResults")
UNITS: dict[str, tuple[Unit, float]] = {
    "mm": ("mm", 1.0),
    "m": ("mm", 1e3),
    "cm": ("mm", 10.0),
    "um": ("mm", 1e-3),
    "inches": ("mm", 25.4),
    "in": ("mm", 25.4),
}


class Ncorr:
    """Grids of Ncorr, v5 or v7.3: data_dic_save.displacements(frame).plot_u_ref_formatted."""

    def __init__(self, file: MatFile) -> None:
        self.file = file
        self._pixel_length = float(file.get(*INFO, "pixtounits").ravel()[0])
        self._spacing = int(file.get(*INFO, "spacing").ravel()[0]) + 1
        said = file.text(*INFO, "units").strip().lower()
        # Untouched, Ncorr says "pixels" or 1 unit a pixel
        self._unit, self._factor = UNITS.get(
            said, ("pixel" if self._pixel_length == 1 else "", 1.0)
        )

    @property
    def facts(self) -> Facts:
        """Unit as calibrated in Ncorr, or pixels."""
        measure = "green_lagrange" if self.file.has(*STRAINS, 0, "plot_exx_ref_formatted") else ""
        return Facts(tool="ncorr", unit=self._unit, measure="green_lagrange" if measure else "")

    def __len__(self) -> int:
        return 1 + self.file.size(*DISPLACEMENTS)

    def name(self, number: int) -> str:
        """Name of the file, and the frame's number in it from 1, or that it is the reference."""
        path = self.file.path
        return f"{path.name}, frame {number}" if number else f"{path.name}, reference"

    def read(self, number: int) -> Frame:
        """Read frame `number`; a point without displacement, or outside the mask, is missing.

        Ncorr keeps the frames that it compared with the reference, not the reference: frame 0 is
        that, with the points of the first compared one.
        """
        if number == 0:
            first = self._compared(0)
            return replace(
                first,
                name=self.name(0),
                displacements=np.zeros_like(first.displacements),
                strains=None if first.strains is None else np.zeros_like(first.strains),
            )
        return self._compared(number - 1)

    def _compared(self, number: int) -> Frame:
        u, v = (
            self.file.get(*DISPLACEMENTS, number, f"plot_{name}_ref_formatted") for name in "uv"
        )
        found = self._mask(number, u, v)
        row, column = np.nonzero(found)
        step = self._spacing * self._pixel_length * self._factor
        points = step * np.column_stack((column, -row)).astype(np.float64)
        moved = self._factor * np.column_stack((u[found], -v[found]))
        good = sound(points, moved)
        strains = self._strains(number, found)
        return Frame(
            name=self.name(number + 1),
            points=points[good],
            displacements=moved[good],
            weights=np.ones(int(good.sum())),
            lost=int(u.size - good.sum()),
            strains=None if strains is None else strains[good],
        )

    def _mask(self, number: int, u: Values, v: Values) -> NDArray[np.bool_]:
        way = (*DISPLACEMENTS, number, "roi_ref_formatted", "mask")
        if self.file.has(*way):
            mask = np.asarray(self.file.get(*way) != 0)
            if mask.shape == u.shape:
                return mask
        return np.asarray((u != 0) | (v != 0))

    def _strains(self, number: int, found: NDArray[np.bool_]) -> Values | None:
        names = [f"plot_{name}_ref_formatted" for name in ("exx", "eyy", "exy")]
        if not all(self.file.has(*STRAINS, number, name) for name in names):
            return None
        fields = [self.file.get(*STRAINS, number, name) for name in names]
        if any(field.shape != found.shape for field in fields):
            return None
        return np.column_stack([fields[0][found], fields[1][found], -fields[2][found]])


class DuoDicPair:
    """Points of the reference camera of a DuoDIC pair, in pixels: Points{frame} (n, 2)."""

    def __init__(self, file: MatFile) -> None:
        self.file = file
        self._images = int(file.get(PAIR, "nImages").ravel()[0])
        self._reference = file.get(PAIR, "Points", 0)

    @property
    def facts(self) -> Facts:
        """Pixels of one camera; the shape in space is in DIC3DPPresults."""
        note = (
            "one camera of a stereo pair: only for a flat sheet square to it; "
            "DIC3DPPresults.mat holds both"
        )
        return Facts(tool="duodic", unit="pixel", notes=(note,))

    def __len__(self) -> int:
        return self._images

    def name(self, number: int) -> str:
        """Name of the file, and the frame's number in it from 1."""
        return f"{self.file.path.name}, frame {number + 1}"

    def read(self, number: int) -> Frame:
        """Read frame `number`; points that were not found are NaN or lie at 0."""
        points = self._reference
        moved = self.file.get(PAIR, "Points", number) - points
        scores = self.file.get(PAIR, "CorCoeffVec", number).ravel()
        found = np.isfinite(scores) & (points != 0).any(axis=1)
        good = found & sound(points, moved)
        up = np.array([1.0, -1.0])
        return Frame(
            name=self.name(number),
            points=points[good] * up,
            displacements=moved[good] * up,
            weights=np.ones(int(good.sum())),
            lost=int((~good).sum()),
        )


class DuoDicSpace:
    """Points in space of a DuoDIC reconstruction, mm: Points3D{frame} (n, 3)."""

    def __init__(self, file: MatFile, name: str) -> None:
        self.file, self._group = file, name
        self._reference = file.get(name, "Points3D", 0)

    @property
    def facts(self) -> Facts:
        """Millimetres of the calibration object."""
        return Facts(tool="duodic", unit="mm")

    def __len__(self) -> int:
        return self.file.size(self._group, "Points3D")

    def name(self, number: int) -> str:
        """Name of the file, and the frame's number in it from 1."""
        return f"{self.file.path.name}, frame {number + 1}"

    def read(self, number: int) -> Frame:
        """Read frame `number`; points that were not found are NaN."""
        points = self._reference
        moved = self.file.get(self._group, "Points3D", number) - points
        good = sound(points, moved)
        return Frame(
            name=self.name(number),
            points=points[good],
            displacements=moved[good],
            weights=np.ones(int(good.sum())),
            lost=int((~good).sum()),
        )


class Grids:
    """One frame as arrays of any shape: X, Y, U_x and U_y, or as they are named by hand."""

    NAMES = {
        "x": ("X", "x", "X_ref", "x_ref"),
        "y": ("Y", "y", "Y_ref", "y_ref"),
        "u": ("U_x", "U", "u", "ux", "Ux"),
        "v": ("U_y", "V", "v", "uy", "Uy"),
    }

    def __init__(self, files: list[MatFile]) -> None:
        self.files = files
        self._found = {
            meaning: next((name for name in names if name in files[0].names), "")
            for meaning, names in self.NAMES.items()
        }
        missing = [meaning for meaning, name in self._found.items() if not name]
        if missing:
            raise BadInput(
                f"{files[0].path}: no array for {', '.join(missing)}; it has "
                f"{', '.join(files[0].names) or 'nothing'}"
            )

    @property
    def facts(self) -> Facts:
        """Nothing but the names that were not read."""
        unread = tuple(n for n in self.files[0].names if n not in self._found.values())
        return Facts(tool="matlab", unit="", unknown=unread)

    def __len__(self) -> int:
        return len(self.files)

    def name(self, number: int) -> str:
        """Name of the frame's file."""
        return self.files[number].path.name

    def read(self, number: int) -> Frame:
        """Read frame `number`; NaN is missing."""
        file = self.files[number]
        x, y, u, v = (file.get(name).ravel() for name in self._found.values())
        points, moved = np.column_stack((x, y)), np.column_stack((u, v))
        good = sound(points, moved)
        return Frame(
            name=self.name(number),
            points=points[good],
            displacements=moved[good],
            weights=np.ones(int(good.sum())),
            lost=int((~good).sum()),
        )


def open_mat(paths: list[Path]) -> "Ncorr | DuoDicPair | DuoDicSpace | Grids":
    """Recognise whose MATLAB file it is; raises BadInput naming what it holds."""
    file = MatFile(paths[0])
    names = file.names
    if "data_dic_save" in names:
        return Ncorr(file)
    for name in RECONSTRUCTIONS:
        if name in names:
            return DuoDicSpace(file, name)
    if PAIR in names:
        return DuoDicPair(file)
    return Grids([file, *map(MatFile, paths[1:])])
