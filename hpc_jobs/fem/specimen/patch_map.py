"""A specimen's notch with its measurement patches coloured."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from hpc_jobs.contract.geometry import Geometry, Patches
from hpc_jobs.fem.specimen.mesh import half_width
from hpc_jobs.figure_style import EDGE, SHEET


def draw_patches(
    axes: Axes, geometry: Geometry, patches: Patches, colours: NDArray[np.float64]
) -> None:
    """Draw the patches, colours (patches, 4) RGBA; the tensile axis runs to the right."""
    x = np.linspace(-0.62, 0.62, 121) * patches.region_length_mm
    edge = half_width(geometry, x)
    window = 0.58 * max(patches.region_width_mm, geometry.notch_width_mm)
    axes.fill_between(x, -edge, edge, color=SHEET, lw=0)
    axes.plot(x, edge, x, -edge, color=EDGE, lw=0.8)
    length = patches.region_length_mm / patches.along
    width = patches.region_width_mm / patches.across
    for patch, colour in enumerate(colours):
        along, across = divmod(patch, patches.across)
        corner = (
            along * length - patches.region_length_mm / 2,
            across * width - patches.region_width_mm / 2,
        )
        axes.add_patch(
            Rectangle(corner, length, width, facecolor=tuple(colour), ec="white", lw=0.6)
        )
    axes.set(xlim=(x[0], x[-1]), ylim=(-window, window), aspect="equal")
    axes.axis("off")
