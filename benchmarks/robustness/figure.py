"""Failure rates by region as a heat map."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.robustness.regions import BINS, LABELS, Regions
from hpc_jobs.figure_style import DPI, FAINT, in_style, publish_page, title


def draw(path: Path, regions: Regions) -> None:
    """Publish one cell per mechanical value and bin, in per cent."""
    with in_style():
        figure = Figure(figsize=(8.4, 4.0), dpi=DPI)
        axes = figure.subplots()
        percent = 100 * regions.rates
        axes.imshow(percent, cmap="Oranges", vmin=0, vmax=max(1.0, 1.3 * percent.max()), aspect=0.5)
        for axis in range(len(LABELS)):
            for place in range(BINS):
                low, high = regions.edges[axis, place : place + 2]
                axes.text(
                    place, axis - 0.13, f"{percent[axis, place]:.1f} %", ha="center", va="center",
                    weight="bold" if (axis, place) == regions.worst else "normal",
                )  # fmt: skip
                axes.text(
                    place, axis + 0.25, f"{low:.3g} – {high:.3g}", ha="center", va="center",
                    size=6.5, color=FAINT,
                )  # fmt: skip
        names = (f"{place + 1}. fifth" for place in range(BINS))
        axes.set(yticks=range(len(LABELS)), yticklabels=LABELS)
        axes.set_xticks(np.arange(BINS), labels=list(names))
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        title(axes, "Failed records by region of the box")
        figure.subplots_adjust(left=0.09, right=0.99, top=0.91, bottom=0.07)
        publish_page(path, figure)
