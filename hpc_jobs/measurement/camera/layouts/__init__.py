"""Layouts of the tools' files, a module for each tool."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hpc_jobs.measurement.camera.layouts import aramis, dice, matchid, matlab, vic
from hpc_jobs.measurement.camera.picture import Picture
from hpc_jobs.measurement.camera.strains import Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a tool writes, and in what axes and measure it works."""

    format: str  # name of the tool's format in a description file
    write: Callable[[Path, Picture], str]  # into a folder; returns the frames' glob
    pixels: bool = False  # pixels with y down; otherwise mm
    y_down: bool = False  # of millimetres
    measure: Measure = "green_lagrange"
    forces: bool = False  # the files hold a force per frame


LAYOUTS: dict[str, Layout] = {
    "vic_2d": Layout(format="vic_2d", write=vic.write_2d, pixels=True),
    "vic_3d_old": Layout(format="vic_3d", write=vic.write_3d_old),
    "vic_3d": Layout(format="vic_3d", write=vic.write_3d),
    "vic_3d_hencky": Layout(format="vic_3d", write=vic.write_3d_hencky, measure="hencky"),
    "aramis": Layout(
        format="aramis", write=aramis.write_nodemap, measure="engineering", forces=True
    ),
    "gom": Layout(format="aramis", write=aramis.write_stage, measure="hencky"),
    "matchid": Layout(format="matchid", write=matchid.write_csv, y_down=True, measure="hencky"),
    "matchid_2023": Layout(format="matchid", write=matchid.write_csv_2023, y_down=True),
    "matchid_hdf5": Layout(format="matchid", write=matchid.write_hdf5, y_down=True, forces=True),
    "dice": Layout(format="dice", write=dice.write, pixels=True),
    "ncorr": Layout(format="ncorr", write=matlab.write_ncorr, pixels=True),
    "duodic": Layout(format="duodic", write=matlab.write_duodic, pixels=True),
}
"""Name -> layout: every tool in its old and its new form."""
