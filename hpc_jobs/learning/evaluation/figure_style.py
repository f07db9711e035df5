"""Colours, fonts and the layout that the figures of a training share."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "figure.dpi": 120,
}
TITLES = {
    "mean": "mean of the training records",
    "pca_ridge": "linear PCA-ridge",
    "pca_ridge_quadratic": "quadratic PCA-ridge",
    "surrogate": "forward surrogate, inverted",
}
INK, ACCENT, MUTED = "#1b3a57", "#d1495b", "#8d99a6"


def grid(count: int) -> tuple[Figure, list[Axes]]:
    """Lay out one panel per target."""
    columns = min(count, 4)
    rows = -(-count // columns)
    figure = Figure(figsize=(2.7 * columns, 2.5 * rows + 0.6), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(rows, columns)).ravel())
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]
