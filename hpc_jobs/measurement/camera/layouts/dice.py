"""DICe: text with commas, a file a frame, pixels with y down.

Points that were lost have SIGMA, GAMMA and MATCH -1.
"""

from pathlib import Path

import numpy as np

from hpc_jobs.measurement.camera.layouts.table import write_table
from hpc_jobs.measurement.camera.picture import Picture

NAMES = (
    "SUBSET_ID",
    "COORDINATE_X",
    "COORDINATE_Y",
    "DISPLACEMENT_X",
    "DISPLACEMENT_Y",
    "SIGMA",
    "GAMMA",
    "MATCH",
    "VSG_STRAIN_XX",
    "VSG_STRAIN_YY",
    "VSG_STRAIN_XY",
)
SIGMA, GAMMA = 8e-3, 2e-2  # of a good match


def write(folder: Path, picture: Picture) -> str:
    """Write a file a frame, DICe_solution_00.txt and on."""
    inside = picture.inside
    digits = len(str(len(picture.displacements) - 1))
    for frame in range(len(picture.displacements)):
        lost = picture.lost[frame][inside]
        strains = np.where(lost[:, None], 0.0, picture.strains[frame][inside])
        columns = [np.arange(inside.sum()), *picture.positions[inside].T]
        columns += [*np.where(lost[:, None], 0.0, picture.displacements[frame][inside]).T]
        columns += [np.where(lost, -1.0, SIGMA), np.where(lost, -1.0, GAMMA)]
        columns += [np.where(lost, -1.0, 0.0), *strains.T]
        path = folder / f"DICe_solution_{frame:0{digits}d}.txt"
        write_table(path, ",".join(NAMES), columns, "%.6E")
    return "DICe_solution_*.txt"
