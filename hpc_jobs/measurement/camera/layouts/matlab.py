"""Ncorr (.mat version 5) and DuoDIC (.mat version 7.3, which is HDF5): all frames in one file.

Ncorr keeps lattices of every spacing + 1 pixels with a mask per frame; zero means missing.
DuoDIC keeps the points of each picture, displaced ones, NaN where they were lost, with their
correlation coefficients.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from hpc_jobs.measurement.camera.picture import CORNER_PX, Picture

HEADER_BYTES = 512  # MATLAB's own, in front of the HDF5 file


def write_ncorr(folder: Path, picture: Picture) -> str:
    """data_dic_save as Ncorr saves it; displacements in pixels, y down, strains of both kinds."""
    step = picture.step_px
    before = [round(CORNER_PX[axis] / step) for axis in (1, 0)]  # rows and columns of the image
    pad = [(before[0], 2), (before[1], 2)]
    displacements, strains = [], []
    for frame in range(1, len(picture.displacements)):  # the first is the reference
        found = picture.inside & ~picture.lost[frame]
        mask = np.pad(found, pad)
        u, v = (np.pad(one * found, pad) for one in np.moveaxis(picture.displacements[frame], 2, 0))
        xx, yy, xy = (np.pad(one * found, pad) for one in np.moveaxis(picture.strains[frame], 2, 0))
        roi = {"mask": mask}
        displacements.append(
            {"plot_u_ref_formatted": u, "plot_v_ref_formatted": v, "roi_ref_formatted": roi}
        )
        strains.append(
            {
                "plot_exx_ref_formatted": xx,
                "plot_exy_ref_formatted": xy,
                "plot_eyy_ref_formatted": yy,
                "roi_ref_formatted": roi,
            }
        )
    information = {
        "type": "regular",
        "radius": 10.0,
        "spacing": float(step - 1),
        "pixtounits": 1.0,
        "units": "pixels",
    }
    saved = {
        "displacements": np.array(displacements, dtype=object),
        "dispinfo": information,
        "strains": np.array(strains, dtype=object),
        "straininfo": {"radius": 5.0, "subsettrunc": 0.0},
    }
    savemat(folder / "ncorr.mat", {"data_dic_save": saved}, do_compression=True)
    return "ncorr.mat"


def write_duodic(folder: Path, picture: Picture) -> str:
    """DIC2DpairResults: points (2, n) of each picture, 1 the first pixel."""
    path = folder / "DIC2DpairResults_C_1_C_2.mat"
    inside = picture.inside
    start = picture.positions[inside] + 1.0
    with h5py.File(path, "w", userblock_size=HEADER_BYTES) as file:
        group = _struct(file, "DIC2DpairResults")
        points, coefficients = [], []
        for frame in range(len(picture.displacements)):
            lost = picture.lost[frame][inside]
            moved = start + np.where(lost[:, None], np.nan, picture.displacements[frame][inside])
            points.append(moved.T)
            coefficients.append(np.where(lost, np.nan, 5e-3)[None])
        _cell(file, group, "Points", points)
        _cell(file, group, "CorCoeffVec", coefficients)
        _number(group, "nCamRef", 1.0)
        _number(group, "nCamDef", 1.0)
        _number(group, "nImages", float(len(points)))
        _array(group, "Faces", _triangles(inside).T.astype(np.float64))
        information = _struct(group, "ncorrInfo")
        for name, value in (("radius", 10.0), ("spacing", picture.step_px - 1), ("pixtounits", 1)):
            _number(information, name, float(value))
    _write_matlab_header(path)
    return path.name


def _triangles(inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Numbers (faces, 3), from 1, of the points of each triangle of the lattice."""
    number = np.cumsum(inside.ravel()).reshape(inside.shape)
    corners = [inside[:-1, :-1], inside[:-1, 1:], inside[1:, :-1], inside[1:, 1:]]
    kept = np.logical_and.reduce(corners)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    one = np.stack([a[kept], b[kept], c[kept]], axis=1)
    other = np.stack([b[kept], d[kept], c[kept]], axis=1)
    return np.concatenate([one, other])


def _struct(parent: Any, name: str) -> Any:
    group = parent.create_group(name)
    group.attrs["MATLAB_class"] = np.bytes_("struct")
    return group


def _array(group: Any, name: str, values: NDArray[np.float64]) -> None:
    """Store a matrix of MATLAB's, whose first index runs fastest: pass it transposed."""
    group[name] = values
    group[name].attrs["MATLAB_class"] = np.bytes_("double")


def _number(group: Any, name: str, value: float) -> None:
    _array(group, name, np.array([[value]]))


def _cell(file: Any, group: Any, name: str, values: list[NDArray[np.float64]]) -> None:
    """Store a cell array (n, 1): references to datasets below #refs#."""
    references = file.require_group("#refs#")
    table = group.create_dataset(name, (1, len(values)), dtype=h5py.ref_dtype)
    table.attrs["MATLAB_class"] = np.bytes_("cell")
    for index, one in enumerate(values):
        key = f"{name}{index}"
        _array(references, key, one)
        table[0, index] = references[key].ref


def _write_matlab_header(path: Path) -> None:
    """128 bytes by which MATLAB, and whoever reads its files, knows the version."""
    when = datetime(2026, 3, 4, tzinfo=UTC).strftime("%a %b %d %H:%M:%S %Y")
    text = f"MATLAB 7.3 MAT-file, Platform: PCWIN64, Created on: {when} HDF5 schema 1.00 ."
    with path.open("r+b") as file:
        file.write(text.encode().ljust(116) + bytes(8) + b"\x00\x02IM")
