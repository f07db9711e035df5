"""The picture of an import: a row per specimen, for a person to see that it is right.

Patches over the last frame with the points that were lost since the first in red; frames on the
force-displacement curve; exx and eyy against an isotropic simulation; residuals by patch and time.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hpc_jobs.contract.geometry import Patches
from hpc_jobs.fem.specimen.mesh import half_width
from hpc_jobs.figure_style import BAD, EDGE, FAINT, INK, SHEET, in_style, publish_page, title
from hpc_jobs.measurement.importer import Imported

Values = NDArray[np.float64]

EVERY = 4000  # points drawn of a frame
AXIAL, LATERAL = "#2166ac", "#e08214"


def publish_picture(path: Path, name: str, imported: list[Imported], patches: Patches) -> None:
    """Publish the picture of an import as PNG."""
    with in_style():
        figure = Figure(figsize=(15, 3.6 * len(imported) + 0.6), layout="constrained")
        figure.suptitle(f"Import of {name}", x=0.01, ha="left", size=13, weight="bold", color=INK)
        grid = figure.subplots(len(imported), 4, squeeze=False)
        for row, one in zip(grid, imported, strict=True):
            _specimen(row[0], one, patches)
            _curve(row[1], one)
            _against_isotropic(row[2], one)
            _residuals(row[3], one)
        publish_page(path, figure)


def _specimen(axes: Axes, one: Imported, patches: Patches) -> None:
    """Patches over the last frame; in red the points that were lost on the way."""
    geometry, points, first = (
        one.watched.test.geometry,
        one.watched.last_points,
        one.watched.first_points,
    )
    x = np.linspace(-geometry.length_mm / 2, geometry.length_mm / 2, 201)
    edge = half_width(geometry, x)
    axes.fill_between(x, -edge, edge, color=SHEET, lw=0)
    axes.plot(x, edge, x, -edge, color=EDGE, lw=0.8)
    step = max(1, len(points) // EVERY)
    axes.plot(*points[::step].T, ".", color=FAINT, ms=1, rasterized=True)
    apart, _ = cKDTree(points).query(first)
    lost = first[apart > 0.5 * one.watched.placement.spacing]
    axes.plot(*lost.T, ".", color=BAD, ms=2.5, rasterized=True, label=f"{len(lost)} lost")
    size = np.array(
        [patches.region_length_mm / patches.along, patches.region_width_mm / patches.across]
    )
    for patch in range(patches.count):
        along, across = divmod(patch, patches.across)
        corner = np.array([along, across]) * size - [
            patches.region_length_mm / 2,
            patches.region_width_mm / 2,
        ]
        missing = np.isnan(one.strains[0, patch, -1])
        axes.add_patch(
            Rectangle(
                (float(corner[0]), float(corner[1])), *size, fill=bool(missing), alpha=0.6,
                facecolor=BAD, edgecolor=INK, lw=0.8,
            )
        )  # fmt: skip
    half = one.watched.extensometer.half_length_mm
    for side in (-half, half):
        axes.axvline(side, color=AXIAL, lw=0.8, ls=":")
    reach = 1.08 * max(half, patches.region_length_mm / 2)
    axes.set(xlim=(-reach, reach), aspect="equal", xlabel="mm along the axis")
    if len(lost):
        axes.legend(loc="upper right", markerscale=3)
    title(axes, f"specimen {one.label}: {one.watched.facts.tool}")


def _curve(axes: Axes, one: Imported) -> None:
    """Frames and output times on the force-displacement curve, beside an isotropic sheet's."""
    told = one.curve.displacement_at(np.maximum(one.extensions, 0.0))
    axes.plot(
        one.curve.displacements, one.curve.forces / 1000, color=EDGE, lw=1.2, label="isotropic"
    )
    if one.joined is not None and one.forces is not None:
        force = (one.joined.forces - one.forces.zero_n) / one.forces.thickness_share / 1000
        axes.plot(told, force, ".", color=FAINT, ms=4, label="frames")
        axes.plot(one.displacements, one.forces.values / 1000, "o", color=AXIAL, ms=4, mfc="none",
                  label="output times")  # fmt: skip
    else:
        axes.plot(told, np.zeros_like(told), "|", color=FAINT, label="frames")
        axes.plot(one.displacements, np.zeros_like(one.displacements), "o", color=AXIAL, ms=4,
                  mfc="none", label="output times")  # fmt: skip
    axes.set(xlabel="displacement of the ends, mm", ylabel="force, kN", ylim=(None, None))
    axes.legend(loc="lower right")
    title(axes, "Frames on the curve")


def _against_isotropic(axes: Axes, one: Imported) -> None:
    """Strains at the last time against an isotropic sheet's."""
    for component, colour, name in ((0, AXIAL, "exx"), (1, LATERAL, "eyy")):
        axes.plot(
            one.expected[component, :, -1], one.strains[component, :, -1], ".", color=colour,
            label=name,
        )  # fmt: skip
    low, high = float(one.expected[..., -1].min()), float(one.expected[..., -1].max())
    axes.plot([low, high], [low, high], color=EDGE, lw=0.8)
    axes.set(xlabel="isotropic sheet", ylabel="measured")
    axes.legend(loc="upper left")
    title(axes, "Strains of the patches at the end")


def _residuals(axes: Axes, one: Imported) -> None:
    """Measured less isotropic exx by patch and time; what is missing is grey."""
    residual = 1e3 * (one.strains[0] - one.expected[0])
    limit = float(np.nanmax(np.abs(residual))) or 1.0
    axes.set_facecolor(EDGE)
    image = axes.imshow(
        residual, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit, origin="lower",
        extent=(0.5, residual.shape[1] + 0.5, 0.5, residual.shape[0] + 0.5),
    )  # fmt: skip
    figure = axes.get_figure()
    assert figure is not None
    figure.colorbar(image, ax=axes, label="exx less isotropic, 1e-3")
    axes.set(xlabel="time", ylabel="patch")
    title(axes, "Residuals by patch and time")
