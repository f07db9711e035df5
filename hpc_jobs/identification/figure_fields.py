"""Panels of measured against re-simulated strains and forces."""

import textwrap

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpecFromSubplotSpec, SubplotSpec
from numpy.typing import NDArray

from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.specimen.patch_map import draw_patches
from hpc_jobs.figure_style import FAINT, INK, specimen_colour, title
from hpc_jobs.identification.verdict import Case

FloatArray = NDArray[np.float64]
RESIDUAL_LIMIT = 4.0  # in noise: what a colour scale centred on zero spans


def draw_maps(figure: Figure, cell: SubplotSpec, case: Case) -> None:
    """Draw each specimen's axial strain at the last time, and below it what was not explained."""
    specimens = case.measurement.header.specimens
    count = len(specimens.tests)
    inner = GridSpecFromSubplotSpec(
        2, count + 2, cell, width_ratios=[0.7, *[10] * count, 0.5], hspace=0.1, wspace=0.06
    )
    for row, (values, mapped, label) in enumerate(_map_rows(case)):
        for column, test in enumerate(specimens.tests):
            axes = figure.add_subplot(inner[row, column + 1])
            draw_patches(axes, test.geometry, specimens.patches, mapped.to_rgba(values[column]))
            axes.text(0.02, 0.99, f"{test.label}°", transform=axes.transAxes, size=8.5, va="top")
            if column == 0:
                axes.text(
                    -0.02, 0.5, label, transform=axes.transAxes, size=8, color=FAINT,
                    rotation=90, va="center", ha="right",
                )  # fmt: skip
        bar = figure.colorbar(mapped, cax=figure.add_subplot(inner[row, count + 1]))
        bar.outline.set_visible(False)
    box = cell.get_position(figure)
    figure.text(
        box.x0, box.y1 + 0.0123, "Strains at full load", size=10.5, weight="bold", color=INK
    )


def _map_rows(case: Case) -> list[tuple[FloatArray, ScalarMappable, str]]:
    """Values [specimen, patch] of each row of maps, with their colours and label."""
    shape = case.measurement.header.specimens.strain_shape
    axial, lateral = case.measurement.strains.reshape(shape)[..., -1]
    measured = ScalarMappable(
        Normalize(0, float(np.nanmax(axial))), colormaps["viridis"].resampled(12)
    )
    rows = [(axial, measured, "axial,\nmeasured")]
    if case.field.status == "ok":
        simulated = case.field.strains.reshape(shape)[0, ..., -1]
        residual = (simulated - axial) / case.measurement.header.noise.strain
        scale = Normalize(-RESIDUAL_LIMIT, RESIDUAL_LIMIT)
        diverging = ScalarMappable(scale, colormaps["RdBu_r"].resampled(9))
        rows.append((residual, diverging, "re-simulated −\nmeasured, in noise"))
    else:
        lowest = Normalize(float(np.nanmin(lateral)), 0)
        rows.append(
            (
                lateral,
                ScalarMappable(lowest, colormaps["cividis"].resampled(12)),
                "lateral,\nmeasured",
            )
        )
    return rows


def draw_scatter(axes: Axes, case: Case) -> None:
    """All strains: what the identified material does against what was measured."""
    specimens = case.measurement.header.specimens
    if case.field.status != "ok":
        _say_why(axes, case)
        return
    title(axes, "All strains")
    measured = case.measurement.strains.reshape(specimens.strain_shape)
    simulated = case.field.strains.reshape(specimens.strain_shape)
    low, high = float(np.nanmin(measured)), float(np.nanmax(measured))
    axes.plot([low, high], [low, high], color=FAINT, lw=0.8, zorder=0)
    for i, test in enumerate(specimens.tests):
        axes.plot(
            measured[:, i].ravel(), simulated[:, i].ravel(), ".", ms=4, alpha=0.7, mew=0,
            color=specimen_colour(i), label=f"{test.label}°",
        )  # fmt: skip
    axes.set(xlabel="measured", ylabel="re-simulated")
    axes.locator_params(nbins=5)
    axes.yaxis.labelpad = 0
    axes.legend(loc="upper left", markerscale=2.5, handlelength=1)
    residual = (simulated - measured).ravel() / case.measurement.header.noise.strain
    _histogram(axes.inset_axes((0.56, 0.1, 0.42, 0.34)), residual)


def drawn_at(specimens: Specimens) -> tuple[tuple[tuple[float, ...], ...], str]:
    """Where forces are drawn [specimen][time], and the axis's label.

    Over the output times' numbers where nobody knows the displacements that belong to them.
    """
    if specimens.is_timed:
        return specimens.displacements_mm, "end displacement, mm"
    numbers = tuple(float(i) for i in range(1, specimens.output_times + 1))
    return (numbers,) * len(specimens.tests), "output time"


def draw_forces(axes: Axes, case: Case) -> None:
    """Force over displacement, measured as dots and re-simulated as lines."""
    title(axes, "Force, kN")
    specimens = case.measurement.header.specimens
    count, times = specimens.force_shape
    displacements, label = drawn_at(specimens)
    for i, test in enumerate(specimens.tests):
        displacement = displacements[i]
        if case.measurement.forces is not None:
            force = case.measurement.forces.reshape(count, times)[i] / 1000
            axes.plot(
                displacement,
                force,
                "o",
                ms=4,
                color=specimen_colour(i),
                mew=0,
                label=f"{test.label}°",
            )
        if case.field.status == "ok":
            force = case.field.forces.reshape(count, times)[i] / 1000
            axes.plot(displacement, force, color=specimen_colour(i), lw=1.3)
    axes.set(xlabel=label)
    if case.measurement.forces is None:
        axes.text(0.03, 0.95, "not measured", transform=axes.transAxes, va="top", color=FAINT)
        return
    axes.legend(loc="lower right", handlelength=1, bbox_to_anchor=(1.0, 0.1))
    text = "dots measured" + (", lines re-simulated" if case.field.status == "ok" else "")
    axes.text(0.98, 0.04, text, transform=axes.transAxes, ha="right", size=8, color=FAINT)


def _histogram(axes: Axes, residual: FloatArray) -> None:
    """Residuals in units of the noise, and what noise alone would leave."""
    edges = np.linspace(-RESIDUAL_LIMIT, RESIDUAL_LIMIT, 33)
    axes.hist(residual[np.isfinite(residual)], bins=list(edges), density=True, color="#b8c4d0")
    axes.plot(edges, np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi), color=INK, lw=1)
    axes.set(yticks=[], xticks=[-3, 0, 3], xlim=(edges[0], edges[-1]))
    axes.spines["left"].set_visible(False)
    axes.tick_params(labelsize=7, length=2)
    axes.set_title("residual / noise", size=7.5, color=FAINT, pad=2)
    axes.patch.set_alpha(0)


def _say_why(axes: Axes, case: Case) -> None:
    """Tell, where the comparison would be, why there is none."""
    axes.axis("off")
    title(axes, "Not simulated again")
    reasons = [case.field.failure] if case.field.failure else list(case.field.estimate.outside)
    lines = [textwrap.fill(f"• {reason}", 40, subsequent_indent="   ") for reason in reasons[:6]]
    axes.text(0, 0.97, "\n".join(lines), transform=axes.transAxes, size=8.5, va="top", color=INK)
