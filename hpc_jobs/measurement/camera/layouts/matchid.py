"""MatchID: CSV with long names, those of 2023 with short ones, and HDF5 with all frames.

Points that were lost are left out of the CSV of long names; they are NaN in the others. y counts
downwards, in millimetres as in pixels.
"""

from pathlib import Path

import h5py
import numpy as np

from hpc_jobs.measurement.camera.layouts.table import write_table
from hpc_jobs.measurement.camera.picture import Picture

LONG = (
    "Coordinates.Image X [Pixel]",
    "Coordinates.Image Y [Pixel]",
    "coor.X [mm]",
    "coor.Y [mm]",
    "disp.Horizontal Displacement U [mm]",
    "disp.Vertical Displacement V [mm]",
    "strain.Strain-global frame: Exx [ ]",
    "strain.Strain-global frame: Eyy [ ]",
    "strain.Strain-global frame: Exy [ ]",
)
SHORT = ("x_pic", "y_pic", "x", "y", "u", "v", "exx", "eyy", "exy")


def write_csv(folder: Path, picture: Picture) -> str:
    """Long names, semicolons."""
    for frame in range(len(picture.displacements)):
        kept = picture.inside & ~picture.lost[frame]
        columns = [*picture.pixels[kept].T, *picture.positions[kept].T]
        columns += [*picture.displacements[frame][kept].T, *picture.strains[frame][kept].T]
        write_table(folder / f"Numbered_{frame}.csv", ";".join(LONG), columns, "%.9g", ";")
    return "Numbered_*.csv"


def write_csv_2023(folder: Path, picture: Picture) -> str:
    """Short names, commas, NaN where lost."""
    for frame in range(len(picture.displacements)):
        gap = np.where(picture.lost[frame][picture.inside], np.nan, 0.0)[:, None]
        moved = picture.displacements[frame][picture.inside] + gap
        strains = picture.strains[frame][picture.inside] + gap
        columns = [*picture.pixels[picture.inside].T, *picture.positions[picture.inside].T]
        columns += [*moved.T, *strains.T]
        write_table(folder / f"frame_{frame:04d}.csv", ",".join(SHORT), columns, "%.9g")
    return "frame_*.csv"


def write_hdf5(folder: Path, picture: Picture) -> str:
    """One file: datasets (frames, points), times and forces."""
    gap = np.where(picture.lost[:, picture.inside], np.nan, 0.0)
    moved = picture.displacements[:, picture.inside]
    strains = picture.strains[:, picture.inside]
    positions = np.broadcast_to(picture.positions[picture.inside], moved.shape)
    points = {
        "X": positions[..., 0],
        "Y": positions[..., 1],
        "Horizontal Displacement U": moved[..., 0] + gap,
        "Vertical Displacement V": moved[..., 1] + gap,
        "Strain-global frame: Exx": strains[..., 0] + gap,
        "Strain-global frame: Eyy": strains[..., 1] + gap,
        "Strain-global frame: Exy": strains[..., 2] + gap,
    }
    with h5py.File(folder / "matchid.h5", "w") as file:
        for name, values in points.items():
            file[f"DIC Data/Point Data/{name}"] = values.astype(np.float32)
        pixels = picture.pixels[picture.inside].astype(np.int64)
        file["DIC Data/Mapping Data/Spatial - Point Locations"] = pixels
        file["DIC Data/Temporal Data/Time"] = picture.times_s[:, None]
        file["DIC Data/Temporal Data/Force"] = picture.forces_n[:, None]
    return "matchid.h5"
