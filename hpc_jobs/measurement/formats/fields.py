"""Whose frames are these? The registry of tools, and the order in which they are asked."""

import re
from pathlib import Path

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.dataset.hdf5 import SIGNATURE
from hpc_jobs.measurement.formats.aramis import ARAMIS
from hpc_jobs.measurement.formats.columns import FieldColumns, by_hand
from hpc_jobs.measurement.formats.dice import DICE, DICE_STEREO
from hpc_jobs.measurement.formats.frame import Source
from hpc_jobs.measurement.formats.layouts import TextSource, TextTool
from hpc_jobs.measurement.formats.matchid import (
    MATCHID_2023,
    MATCHID_METRIC,
    MATCHID_PIXELS,
    MatchIdHdf5,
)
from hpc_jobs.measurement.formats.ncorr import open_mat
from hpc_jobs.measurement.formats.text import layout_of, spoken
from hpc_jobs.measurement.formats.vic import VIC_2D, VIC_2D_METRIC, VIC_3D

TEXT_TOOLS: tuple[TextTool, ...] = (
    *(VIC_3D, VIC_2D_METRIC, VIC_2D, MATCHID_METRIC, MATCHID_PIXELS, MATCHID_2023),
    *(DICE_STEREO, DICE, ARAMIS),
)
"""Asked in this order: the first whose signature a file carries reads it."""

MATLAB = ("ncorr", "duodic", "matlab")
FORMATS = ("auto", *dict.fromkeys(tool.name for tool in TEXT_TOOLS), *MATLAB, "columns")


def open_frames(
    files: list[Path], format: str = "auto", columns: FieldColumns | None = None
) -> Source:
    """Open the frames of a specimen, in the order of the files.

    Raises BadInput where nobody knows the layout, naming the columns that the file has.
    """
    first = files[0]
    if columns is not None:
        return TextSource(files, by_hand(columns))
    if first.suffix.lower() == ".mat" or format in MATLAB:
        return open_mat(files)
    if _is_hdf5(first):
        return MatchIdHdf5(first)
    layout = layout_of(first)
    tools = [tool for tool in TEXT_TOOLS if format in ("auto", tool.name)]
    for tool in tools:
        if tool.recognises(layout):
            return TextSource(files, tool)
    if format != "auto":
        return TextSource(files, tools[0])  # says which columns are missing
    has = spoken(layout.columns) if layout.named else "no column names"
    raise BadInput(
        f"{first}: the layout of no tool known here ({', '.join(FORMATS[1:-1])}); it has {has}. "
        "Name the columns by hand (format: columns), or export displacements with coordinates"
    )


def natural(path: Path) -> tuple[str | int, ...]:
    """Sort key in which frame_10 follows frame_9."""
    parts = re.split(r"(\d+)", path.name)
    return tuple(int(part) if part.isdigit() else part.lower() for part in parts)


def _is_hdf5(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(SIGNATURE)) == SIGNATURE
    except OSError:
        return False
