"""The figures of a measurement's page, each with its own legend, as PNG to lie inside the page."""

import base64
import io
from typing import Any, cast

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from PIL import Image

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.specimen.patch_map import draw_patches
from hpc_jobs.figure_style import (
    DPI,
    EDGE,
    FAINT,
    PALETTE,
    in_style,
    specimen_colour,
    title,
)
from hpc_jobs.identification.figure_fields import RESIDUAL_LIMIT, draw_scatter, drawn_at
from hpc_jobs.identification.figures import draw_curve, draw_keys, draw_locus
from hpc_jobs.identification.verdict import Case

WIDTH_IN = 11.2
MISSING = EDGE

FloatArray = NDArray[np.float64]


def as_png(figure: Figure) -> str:
    """Return a figure in base64; few colours, so that a palette halves it."""
    canvas = FigureCanvasAgg(figure)
    cast(Any, canvas).draw()
    page = Image.fromarray(np.asarray(cast(Any, canvas).buffer_rgba())).convert("RGB")
    buffer = io.BytesIO()
    page.quantize(PALETTE).save(buffer, format="png", optimize=True, dpi=(DPI, DPI))
    return base64.b64encode(buffer.getvalue()).decode()


def anisotropy(campaign: Campaign, case: Case) -> str:
    """r(theta) and sigma(theta) with bands, and the yield locus with its shear contours."""
    with in_style():
        figure = Figure(figsize=(WIDTH_IN, 3.9), dpi=DPI, layout="constrained")
        cast(Any, figure.get_layout_engine()).set(rect=(0, 0.09, 1, 0.91))  # the legend's place
        one, other, locus = figure.subplots(1, 3, width_ratios=(1, 1, 0.95))
        draw_curve(one, campaign, case, "r_value")
        draw_curve(other, campaign, case, "stress_ratio")
        draw_locus(locus, campaign, case)
        draw_keys(figure, case)
        return as_png(figure)


def fields(case: Case) -> str:
    """Axial and lateral strain at the last time: measured, simulated again, and the difference.

    A column per specimen; a patch that was not measured has no colour.
    """
    specimens = case.measurement.header.specimens
    shape, noise = specimens.strain_shape, case.measurement.header.noise.strain
    measured = case.measurement.strains.reshape(shape)[..., -1]
    simulated = case.field.strains.reshape(shape)[..., -1]
    with in_style():
        figure = Figure(figsize=(WIDTH_IN, 4.3), dpi=DPI, layout="constrained")
        parts = cast(Any, figure.subfigures(1, 2, wspace=0.04))
        for component, (part, name) in enumerate(zip(parts, ("axial", "lateral"), strict=True)):
            pair = measured[component], simulated[component]
            _draw_component(part, specimens, *pair, noise, name)
        return as_png(figure)


def _draw_component(
    part: Any,
    specimens: Specimens,
    measured: FloatArray,
    simulated: FloatArray,
    noise: float,
    name: str,
) -> None:
    """Draw three rows of maps of one component, [specimen, patch] each."""
    grid = part.subplots(3, len(specimens.tests), squeeze=False)
    both = np.stack((measured, simulated))
    strain = ScalarMappable(
        Normalize(float(np.nanmin(both)), float(np.nanmax(both))), colormaps["viridis"]
    )
    apart = ScalarMappable(
        Normalize(-RESIDUAL_LIMIT, RESIDUAL_LIMIT), colormaps["RdBu_r"].resampled(17)
    )
    _draw_row(grid[0], specimens, measured, strain, "measured")
    _draw_row(grid[1], specimens, simulated, strain, "simulated")
    _draw_row(grid[2], specimens, (simulated - measured) / noise, apart, "difference")
    for mapped, label, rows in ((strain, f"{name} strain", grid[:2]), (apart, "noise", grid[2:])):
        bar = part.colorbar(mapped, ax=rows, label=label, pad=0.02, aspect=10 * len(rows))
        bar.outline.set_visible(False)
        bar.locator = MaxNLocator(4)
    for axes, test in zip(grid[0], specimens.tests, strict=True):
        title(axes, f"{name}, {test.label}°")


def _draw_row(
    row: NDArray[Any], specimens: Specimens, values: FloatArray, mapped: ScalarMappable, name: str
) -> None:
    """Draw one map per specimen of values [specimen, patch]."""
    for axes, test, one in zip(row, specimens.tests, values, strict=True):
        colours = np.array(mapped.to_rgba(one))
        colours[~np.isfinite(one)] = (0, 0, 0, 0)  # the sheet shows through
        draw_patches(axes, test.geometry, specimens.patches, colours)
    row[0].text(
        -0.03, 0.5, name, transform=row[0].transAxes, size=8, va="center", ha="right", color=FAINT,
        rotation=90,
    )  # fmt: skip


def residual_map(case: Case) -> str:
    """Rms of both strains' residuals in noise, by patch and time; what is missing is grey.

    Of an examined answer with everything taken out that was fitted beside the sheet.
    """
    specimens = case.measurement.header.specimens
    examination = case.field.estimate.examination
    if examination is not None and examination.residuals:
        left = [np.nan if one is None else one for one in examination.residuals]
        rms = np.array(left).reshape(specimens.strain_shape[1:])
    else:
        residual = (case.field.strains - case.measurement.strains) / case.measurement.deviation
        rms = np.sqrt(np.mean(residual.reshape(specimens.strain_shape) ** 2, axis=0))
    with in_style():
        figure = Figure(figsize=(WIDTH_IN, 3.1), dpi=DPI, layout="constrained")
        panels = figure.subplots(1, len(specimens.tests), sharey=True, squeeze=False)[0]
        for axes, test, values in zip(panels, specimens.tests, rms, strict=True):
            axes.set_facecolor(MISSING)
            image = axes.imshow(
                values, aspect="auto", cmap="magma_r", vmin=0, vmax=RESIDUAL_LIMIT, origin="lower",
                extent=(0.5, values.shape[1] + 0.5, 0.5, values.shape[0] + 0.5),
            )  # fmt: skip
            axes.set_xlabel("output time")
            title(axes, f"specimen {test.label}°")
        panels[0].set_ylabel("patch")
        figure.colorbar(image, ax=panels, label="rms residual / noise", extend="max")
        return as_png(figure)


def forces_and_strains(case: Case) -> str:
    """Output times on the force-displacement curve, and all strains against each other."""
    with in_style():
        figure = Figure(figsize=(WIDTH_IN, 3.8), dpi=DPI, layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        _draw_curve(left, case)
        draw_scatter(right, case)
        return as_png(figure)


def _draw_curve(axes: Axes, case: Case) -> None:
    """Measured forces as dots, one per output time, on the re-simulated curve."""
    specimens = case.measurement.header.specimens
    count, times = specimens.force_shape
    displacements, label = drawn_at(specimens)
    for i, test in enumerate(specimens.tests):
        colour, displacement = specimen_colour(i), displacements[i]
        if case.field.status == "ok":
            force = case.field.forces.reshape(count, times)[i] / 1000
            axes.plot(displacement, force, color=colour, lw=1.3, label=f"{test.label}° simulated")
        if case.measurement.forces is not None:
            force = case.measurement.forces.reshape(count, times)[i] / 1000
            axes.plot(
                displacement, force, "o", ms=4, color=colour, mew=0, label=f"{test.label}° measured"
            )
    if case.measurement.forces is None:
        axes.text(0.03, 0.95, "forces were not measured", transform=axes.transAxes, color=FAINT)
    axes.set(xlabel=label, ylabel="force, kN")
    axes.legend(loc="lower right", ncols=2)
    title(axes, "Output times on the force-displacement curve")
