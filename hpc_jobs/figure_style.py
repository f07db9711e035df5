"""Colours, fonts and the publication of a page: the same for every figure."""

import io
from pathlib import Path
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from hpc_jobs.contract.records import publish

INK = "#1d2733"
FAINT = "#5d6b7a"
EDGE = "#9aa5b1"
SHEET = "#eef1f4"
ACCENT = "#e4572e"  # what was found
TRUE = "#30404f"
GOOD, BAD, DOUBTFUL = "#2e8b57", "#c0392b", "#b7791f"
RANGE, TRAINED, TOLERANCE, BAND = "#dfe5ec", "#cfe3f5", "#dcdfe3", "#f6c3b3"  # areas
SPECIMEN_COLOURS = ("#2166ac", "#e08214", "#5aae61", "#762a83", "#8c510a", "#35978f")
DPI = 150
PALETTE = 256  # colours

STYLE: dict[str, Any] = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.edgecolor": EDGE,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": RANGE,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.titlepad": 8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 2.2,
}


def in_style(*, grid: bool = False) -> Any:
    """Return a context within which figures are drawn in the house's style."""
    return matplotlib.rc_context(cast(Any, STYLE | {"axes.grid": grid}))


def title(axes: Axes, text: str) -> None:
    """Title a panel, left-aligned."""
    axes.set_title(text, loc="left", size=10.5, weight="bold", color=INK, pad=8)


def panels(count: int) -> tuple[Figure, list[Axes]]:
    """Lay out so many equal panels, four a row."""
    columns = min(count, 4)
    rows = -(-count // columns)
    figure = Figure(figsize=(2.7 * columns, 2.5 * rows + 0.6), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(rows, columns)).ravel())
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def badge(axes: Axes, text: str, colour: str) -> None:
    """Write a verdict into the upper right corner."""
    axes.text(
        1, 0.9, text, size=12, weight="bold", color="white", ha="right", va="top",
        transform=axes.transAxes, bbox={"boxstyle": "round,pad=0.45", "facecolor": colour, "lw": 0},
    )  # fmt: skip


def specimen_colour(specimen: int) -> str:
    """Colour of a specimen by its number."""
    return SPECIMEN_COLOURS[specimen % len(SPECIMEN_COLOURS)]


def publish_page(path: Path, figure: Figure) -> None:
    """Publish a figure as PNG; a page has few colours, and a palette halves the file."""
    canvas = FigureCanvasAgg(figure)
    cast(Any, canvas).draw()
    page = Image.fromarray(np.asarray(cast(Any, canvas).buffer_rgba())).convert("RGB")
    with publish(path) as temporary:
        page.quantize(PALETTE).save(temporary, format="png", optimize=True, dpi=(DPI, DPI))


def svg_text(figure: Figure, salt: str) -> str:
    """Draw a figure as SVG, the same one always; text stays text, so it is small and searchable.

    salt: tells the marks inside one figure of a page from those of another.
    """
    buffer = io.StringIO()
    with in_style(), matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
