"""A shard on one page: forces, strain fields, and where in parameter space records failed."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, SubplotSpec
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from hpc_jobs.contract.records import ShardFields
from hpc_jobs.fem.records.shard_file import ShardFile
from hpc_jobs.fem.specimen.patch_map import draw_patches
from hpc_jobs.figure_style import (
    BAD,
    DPI,
    FAINT,
    GOOD,
    INK,
    badge,
    in_style,
    publish_page,
    specimen_colour,
    title,
)

SIZE_IN = (12.6, 7.6)
OK_COLOUR = "#c3cdd7"
STATUS_COLOURS = ("#c0392b", "#e08214", "#762a83", "#2166ac", "#8c510a", "#35978f", "#b7791f")
BANDS = ((0, 100, 0.18), (5, 95, 0.35))  # percentiles, opacity


def draw_shard(path: Path, shard: ShardFile) -> None:
    """Publish the page as PNG."""
    with in_style():
        figure = Figure(figsize=SIZE_IN, dpi=DPI)
        page = GridSpec(
            3, 1, figure, height_ratios=(0.5, 3.6, 1.6), hspace=0.36,
            left=0.05, right=0.955, top=0.97, bottom=0.04,
        )  # fmt: skip
        upper = page[1].subgridspec(1, 2, width_ratios=(1.2, 1), wspace=0.2)
        _header(figure.add_subplot(page[0]), shard)
        _forces(figure, upper[0], shard)
        _parameters(figure.add_subplot(upper[1]), shard)
        _fields(figure, page[2], shard)
        publish_page(path, figure)


def _header(axes: Axes, shard: ShardFile) -> None:
    axes.axis("off")
    said = shard.attributes
    name = f"{said['campaign']}, round {said['round']}, shard {said['shard']}"
    axes.text(0, 0.95, name.upper(), size=17, weight="bold", color=INK, va="top")
    meshes = ", ".join(f"{mesh.level} ({mesh.along} x {mesh.across})" for mesh in shard.meshes)
    axes.text(
        0, 0.1,
        f"{len(shard.columns[ShardFields.STATUS])} records by solver '{said['solver']}', "
        f"mesh {meshes}, campaign {said['campaign_fingerprint'][:12]}, "
        f"code {said['code_sha256'][:12]}",
        size=9.5, color=FAINT, va="top",
    )  # fmt: skip
    badge(axes, "NOT VERIFIED" if shard.doubt else "VERIFIED", BAD if shard.doubt else GOOD)


def _forces(figure: Figure, cell: SubplotSpec, shard: ShardFile) -> None:
    """Median force of the good records, and the bands of all and of nine tenths of them."""
    tests = shard.specimens.tests
    inner = cell.subgridspec(1, len(tests), wspace=0.08)
    first: Axes | None = None
    for i, test in enumerate(tests):
        axes = figure.add_subplot(inner[i], sharey=first)
        axes.text(0.06, 0.97, f"{test.label}°", transform=axes.transAxes, va="top", weight="bold")
        axes.set(xlabel="end displacement, mm" if i == len(tests) // 2 else "")
        axes.tick_params(labelleft=first is None)
        colour, forces = specimen_colour(i), shard.forces[:, i] / 1000
        if first is None:
            title(axes, "Force, kN: median, 90 % and all of the records of status ok")
        first = first or axes
        if not len(forces):
            continue
        displacement = np.median(shard.displacements[:, i], axis=0)
        for low, high, opacity in BANDS:
            edges = np.percentile(forces, [low, high], axis=0)
            axes.fill_between(displacement, *edges, color=colour, alpha=opacity, lw=0)
        axes.plot(displacement, np.median(forces, axis=0), color=colour, lw=1.6)


def _parameters(axes: Axes, shard: ShardFile) -> None:
    """Each parameter's range as a line of records: the good ones grey, the failed ones coloured."""
    title(axes, "Failures in parameter space")
    values, labels = shard.varied
    low, high = values.min(axis=0), values.max(axis=0)
    places = (values - low) / np.where(high > low, high - low, 1.0)
    jitter = np.random.default_rng(0).uniform(0.06, 0.34, len(values))
    failed = [name for name in shard.status_names if name != "ok" and shard.ended(name).any()]
    colours = {name: STATUS_COLOURS[i % len(STATUS_COLOURS)] for i, name in enumerate(failed)}
    for row in range(values.shape[1]):
        _records(axes, places[:, row], -row + jitter, shard.ended("ok"), OK_COLOUR)
        for name, colour in colours.items():
            _records(axes, places[:, row], -row - jitter, shard.ended(name), colour)
        for x, value, side in ((0.0, low[row], "left"), (1.0, high[row], "right")):
            axes.text(x, -row + 0.38, f"{value:.3g}", size=7, color=FAINT, ha=side, va="bottom")
    axes.set(xticks=[], yticks=-np.arange(len(labels)), yticklabels=labels, xlim=(-0.02, 1.02))
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_visible(False)
    _legend(axes, shard, {"ok": OK_COLOUR, **colours})


def _records(
    axes: Axes, x: NDArray[Any], y: NDArray[Any], chosen: NDArray[np.bool_], colour: str
) -> None:
    axes.plot(x[chosen], y[chosen], "|", ms=4, mew=0.9, color=colour, rasterized=True)


def _legend(axes: Axes, shard: ShardFile, colours: dict[str, str]) -> None:
    keys = [
        Line2D([], [], color=colour, lw=5, label=f"{name} {int(shard.ended(name).sum())}")
        for name, colour in colours.items()
    ]
    axes.legend(
        handles=keys, loc="upper left", bbox_to_anchor=(0.0, 0.02), ncols=4, handlelength=0.8
    )


def _fields(figure: Figure, cell: SubplotSpec, shard: ShardFile) -> None:
    """Mean axial and lateral strain at the last time, by patch and specimen."""
    halves = cell.subgridspec(1, 2, wspace=0.14)
    components = (("along", "viridis"), ("across", "cividis"))
    for component, (name, colours) in enumerate(components):
        half = halves[component]
        box = half.get_position(figure)
        figure.text(
            box.x0, box.y1 + 0.012, f"Mean strain {name}, status ok, last time", size=10.5,
            weight="bold", color=INK,
        )  # fmt: skip
        if len(shard.strains):
            mean = shard.strains[:, component, ..., -1].mean(axis=0, dtype=np.float64)
            _field(figure, half, shard, mean, colours)


def _field(
    figure: Figure, cell: SubplotSpec, shard: ShardFile, values: NDArray[np.float64], colours: str
) -> None:
    """One map per specimen of values [specimen, patch], and the scale of all."""
    specimens = shard.specimens
    tests = specimens.tests
    inner = cell.subgridspec(1, len(tests) + 1, width_ratios=[10] * len(tests) + [0.5], wspace=0.07)
    limits = Normalize(min(0.0, float(values.min())), max(0.0, float(values.max())))
    mapped = ScalarMappable(limits, colormaps[colours].resampled(12))
    for i, test in enumerate(tests):
        axes = figure.add_subplot(inner[i])
        draw_patches(axes, test.geometry, specimens.patches, mapped.to_rgba(values[i]))
        axes.text(0.02, 0.99, f"{test.label}°", transform=axes.transAxes, size=8.5, va="top")
    bar = figure.colorbar(mapped, cax=figure.add_subplot(inner[-1]))
    bar.outline.set_visible(False)
