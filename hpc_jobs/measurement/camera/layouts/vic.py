"""VIC-2D and VIC-3D (Correlated Solutions): CSV, a file a frame.

Points that were lost stay in the file with sigma -1: in 3D all at one coordinate, with garbage
beside it. Old headers do not say which strain they hold. There is neither time nor force; those
are in the log of the program that took the pictures.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.measurement.camera.layouts.table import write_table
from hpc_jobs.measurement.camera.picture import Picture

DISTANCE_MM = 410.0  # of the camera
LOST_AT = (-9.1778, -7.45817, 410.138)
GARBAGE = 1e18
VOLTS_PER_N = 1e-3
LOG = "vic_snap_log.csv"

FloatArray = NDArray[np.float64]


def write_2d(folder: Path, picture: Picture) -> str:
    """VIC-2D in pixels, y down."""
    names = ("x", "y", "u", "v", "exx", "eyy", "exy", "e1", "e2", "gamma", "sigma")
    header = ", ".join(f'"{name}"' for name in names)
    _write_log(folder, picture)
    for frame in range(len(picture.displacements)):
        lost = picture.lost[frame][picture.inside]
        moved = _garbled(picture.displacements[frame][picture.inside], lost)
        columns = [*picture.positions[picture.inside].T, *moved.T]
        columns += [*_strains(picture, frame, lost), _sigma(lost)]
        write_table(folder / f"image-{frame:04d}_0.csv", " " + header, columns)
    return "image-*_0.csv"


def write_3d_old(folder: Path, picture: Picture) -> str:
    """VIC-3D 7: short names, blanks before the quotes, no measure."""
    names = ("X", "Y", "Z", "U", "V", "W", "exx", "eyy", "exy", "e1", "e2", "gamma")
    return _write_3d(folder, picture, names, ",  ", " ")


def write_3d(folder: Path, picture: Picture) -> str:
    """VIC-3D 9 with Lagrangian strains."""
    return _write_3d(folder, picture, _new_names("Lagrange"), ",", "")


def write_3d_hencky(folder: Path, picture: Picture) -> str:
    """VIC-3D 9 with logarithmic strains."""
    return _write_3d(folder, picture, _new_names("Hencky"), ",", "")


def _new_names(measure: str) -> tuple[str, ...]:
    lengths = tuple(f"{name} [mm]" for name in ("X", "Y", "Z", "U", "V", "W"))
    strains = tuple(f"{name} [1] - {measure}" for name in ("exx", "eyy", "exy", "e1", "e2"))
    return (*lengths, *strains, f"gamma [rad] - {measure}")


def _write_3d(
    folder: Path, picture: Picture, names: tuple[str, ...], between: str, before: str
) -> str:
    header = between.join(f'"{name}"' for name in (*names, "sigma", "x", "y", "u", "v"))
    scale = picture.step_px / float(np.ptp(picture.positions[0, :2, 0]))  # px per mm
    _write_log(folder, picture)
    for frame in range(len(picture.displacements)):
        lost = picture.lost[frame][picture.inside]
        own = picture.displacements[frame][picture.inside]
        in_pixels = _garbled(own * scale * (1, -1), lost)
        positions = np.where(lost[:, None], LOST_AT[:2], picture.positions[picture.inside])
        depth = np.where(lost, LOST_AT[2], DISTANCE_MM - 0.002 * positions[:, 0])
        moved = np.where(lost[:, None], 0.0, own)
        columns = [*positions.T, depth, *moved.T, np.where(lost, 0.0, -0.01 * own[:, 0])]
        columns += [*_strains(picture, frame, lost), _sigma(lost)]
        columns += [*picture.pixels[picture.inside].T, *in_pixels.T]
        write_table(folder / f"image-{frame:04d}_0.csv", before + header, columns)
    return "image-*_0.csv"


def _garbled(moved: FloatArray, lost: NDArray[np.bool_]) -> FloatArray:
    """Displacements (points, 2) with garbage of all sizes where they were lost."""
    sizes = np.geomspace(1, GARBAGE, max(int(lost.sum()), 1))[: int(lost.sum())]
    found = moved.copy()
    found[lost] = sizes[:, None]
    return found


def _strains(picture: Picture, frame: int, lost: NDArray[np.bool_]) -> list[FloatArray]:
    """exx, eyy, exy, both principal ones and the angle; zero where lost."""
    xx, yy, xy = np.where(lost[:, None], 0.0, picture.strains[frame][picture.inside]).T
    middle, radius = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    return [xx, yy, xy, middle + radius, middle - radius, np.arctan2(2 * xy, xx - yy) / 2]


def _sigma(lost: NDArray[np.bool_]) -> FloatArray:
    return np.where(lost, -1.0, 0.018)


def _write_log(folder: Path, picture: Picture) -> None:
    """VIC-Snap's log: pictures, their times, and an analogue channel in volts.

    Minutes pass between the reference picture and the others.
    """
    times = picture.times_s + np.where(np.arange(len(picture.times_s)) > 0, 95.0, 0.0)
    count = np.arange(len(times), dtype=np.float64)
    columns = [count, times, picture.forces_n * VOLTS_PER_N]
    write_table(folder / LOG, "Count, Time_0_0, Dev1/ai0", columns, "%.7g", ", ")
