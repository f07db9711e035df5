"""ARAMIS, ZEISS Inspect and GOM Correlate: a table a stage, normal strains in percent, shear not.

Points that were lost are nan in the nodemap, and left out of a stage's CSV.
"""

from pathlib import Path

import numpy as np

from hpc_jobs.measurement.camera.layouts.table import write_table
from hpc_jobs.measurement.camera.picture import Picture

RULE = "#" * 100


def write_nodemap(folder: Path, picture: Picture) -> str:
    """Write a file a stage, whose header of '#' lines holds the stage's time and force."""
    names = ["x_undef [mm]", "y_undef [mm]", "z_undef [mm]", "u [mm]", "v [mm]", "w [mm]"]
    names += ["epsx [%]", "epsy [%]", "epsxy [1]", "epseqv [%]"]
    titles = "; ".join([f"#{'ID':>10}", *(f"{name:>20}" for name in names)])
    numbers = np.arange(1, int(picture.inside.sum()) + 1, dtype=np.float64)
    for stage, (time, force) in enumerate(zip(picture.times_s, picture.forces_n, strict=True)):
        lines = [
            RULE,
            "# Process data:",
            f"# {'specimen':<30}: Specimen",
            f"# {'stage':<30}: {stage}",
            f"# {'stage_relative_time [s]':<30}: {time:.6f}",
            RULE,
            "# SIGNALS:",
            f"# {'force':<30}: value_element       : {force:.4f}",
            RULE,
            titles,
        ]
        lost = picture.lost[stage][picture.inside]
        gap = np.where(lost, np.nan, 0.0)
        xx, yy, xy = picture.strains[stage][picture.inside].T
        moved = picture.displacements[stage][picture.inside]
        equivalent = 2 / np.sqrt(3) * np.sqrt(xx**2 + xx * yy + yy**2 + xy**2)
        columns = [numbers, *picture.positions[picture.inside].T, 0 * xx]
        columns += [column + gap for column in (*moved.T, -0.01 * moved[:, 0])]
        columns += [100 * xx + gap, 100 * yy + gap, xy + gap, 100 * equivalent + gap]
        write_table(
            folder / f"Specimen_nodemap_{stage:04d}.txt", "\n".join(lines), columns, "%.9g", "; "
        )
    return "Specimen_nodemap_*.txt"


def write_stage(folder: Path, picture: Picture) -> str:
    """Write a CSV a stage, with semicolons and decimal commas, as a German desktop exports it."""
    names = ["id", "x [mm]", "y [mm]", "z [mm]", "displacement_x [mm]", "displacement_y [mm]"]
    names += ["displacement_z [mm]", "epsilon_x [%]", "epsilon_y [%]", "epsilon_xy [%]"]
    for stage in range(len(picture.displacements)):
        kept = picture.inside & ~picture.lost[stage]
        xx, yy, xy = picture.strains[stage][kept].T
        moved = picture.displacements[stage][kept]
        numbers = np.flatnonzero(kept).astype(np.float64)
        columns = [numbers, *picture.positions[kept].T, 0 * xx, *moved.T, -0.01 * moved[:, 0]]
        columns += [100 * xx, 100 * yy, 100 * xy]
        path = folder / f"Stage {stage}.csv"
        write_table(path, ";".join(names), columns, "%.7g", ";")
        path.write_text(path.read_text().replace(".", ","), encoding="utf-8-sig")
    return "Stage *.csv"
