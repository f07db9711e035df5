"""The report's figures: yield functions with their published points, and the notched strip."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.verification.strips import CPS8R_N, MOMENTS, Convergence
from benchmarks.verification.yield_loci import ISOTROPIC, SHEETS, sheet
from hpc_jobs.fem.materials.yield_locus import contour, plane_strain, r_value, yield_stress
from hpc_jobs.fem.materials.yld2000_2d import Yld2000
from hpc_jobs.figure_style import (
    DPI,
    EDGE,
    FAINT,
    INK,
    in_style,
    publish_page,
    specimen_colour,
    title,
)

SHOWN = ("AA2090-T3", "AA6022-T4, L''12 = L''21", "DP780", "TR1180")
ANGLES_DEG = np.linspace(0, 90, 181)


def draw_yield_functions(path: Path) -> None:
    """Stresses and r-values over the angle with their published points, and isotropic loci."""
    with in_style():
        figure = Figure(figsize=(12.6, 3.9), dpi=DPI)
        stresses, ratios, loci = figure.subplots(1, 3, width_ratios=(1, 1, 0.9))
        for i, name in enumerate(SHOWN):
            _, _, _, published_stress, published_r = SHEETS[name]
            colour, label = specimen_colour(i), name.split(",")[0]
            stresses.plot(ANGLES_DEG, yield_stress(sheet(name), ANGLES_DEG), color=colour)
            stresses.plot([0, 45, 90], published_stress[:3], "o", ms=5, color=colour, mew=0)
            ratios.plot(ANGLES_DEG, r_value(sheet(name), ANGLES_DEG), color=colour, label=label)
            ratios.plot([0, 45, 90], published_r[:3], "o", ms=5, color=colour, mew=0)
        title(stresses, "σ(θ)/k: lines ours, dots published")
        title(ratios, "r(θ)")
        ratios.legend(loc="upper right")
        for axes in (stresses, ratios):
            axes.set(xticks=range(0, 91, 15), xlabel="angle to rolling direction θ, °")
        _loci(loci)
        figure.subplots_adjust(left=0.045, right=0.985, top=0.9, bottom=0.13, wspace=0.16)
        publish_page(path, figure)


def _loci(axes: Axes) -> None:
    title(axes, "Isotropic loci, dots plane strain")
    for i, (exponent, (strain, _)) in enumerate(ISOTROPIC.items()):
        material = Yld2000(np.ones(8), exponent)
        axes.plot(
            *contour(material, 0.0).T, color=specimen_colour(i), label=f"a = {exponent}", lw=1.3
        )
        axes.plot(strain, plane_strain(material)[1], "o", ms=5, color=specimen_colour(i), mew=0)
    axes.set(xlabel="σ along rolling / k", ylabel="σ across / k", aspect="equal")
    axes.legend(loc="upper left")


def draw_strip(path: Path, found: Convergence) -> None:
    """Draw forces against CalculiX, and how errors fall with the mesh and the steps."""
    with in_style():
        figure = Figure(figsize=(12.6, 3.7), dpi=DPI)
        forces, meshes, steps = figure.subplots(1, 3)
        _forces(forces, found)
        _meshes(meshes, found)
        few = np.array(list(found.step_errors))
        errors = np.array(list(found.step_errors.values()))
        steps.loglog(few, errors, "o-", color=specimen_colour(1), mew=0)
        steps.loglog(few, errors[0] * few[0] / few, color=EDGE, lw=0.9, ls=(0, (4, 2)))
        steps.set(xlabel="steps per output time", xticks=few, xticklabels=few)
        steps.minorticks_off()
        steps.set_yticks([3e-5, 1e-4, 3e-4], labels=["3e-5", "1e-4", "3e-4"])
        title(steps, "Largest strain error; dashed: order 1")
        figure.subplots_adjust(left=0.045, right=0.985, top=0.9, bottom=0.14, wspace=0.2)
        publish_page(path, figure)


def _forces(axes: Axes, found: Convergence) -> None:
    finest = max(found.forces_n)
    displacement = np.linspace(0.1, 1.0, 10)
    for i, (elements, forces) in enumerate(found.forces_n.items()):
        shade = INK if elements == finest else EDGE
        axes.plot(displacement, forces / 1000, color=shade, lw=1.6 if i == 3 else 0.9)
    axes.plot(
        list(MOMENTS), np.array(CPS8R_N) / 1000, "o", color=specimen_colour(1), mew=0,
        label="CalculiX CPS8R, 96 x 48",
    )  # fmt: skip
    axes.plot([], [], color=INK, label="ours, 96 x 48")
    axes.plot([], [], color=EDGE, label="ours, coarser meshes")
    axes.legend(loc="lower right")
    axes.set(xlabel="end displacement, mm")
    title(axes, "Force of the notched strip, kN")


def _meshes(axes: Axes, found: Convergence) -> None:
    """Errors against Richardson's extrapolation from the two finest meshes."""
    forces = list(found.forces_n.values())
    limit = forces[-1] + (forces[-1] - forces[-2]) / 3
    across = np.sqrt(np.array(list(found.forces_n)) / 2)
    for i, (moment, output) in enumerate(MOMENTS.items()):
        errors = [abs(force[output] / limit[output] - 1) for force in forces]
        axes.loglog(
            across, errors, "o-", color=specimen_colour(i), mew=0, label=f"u = {moment:g} mm"
        )
        if i == 0:
            guide = 0.6 * errors[0] * (across[0] / across) ** 2
            axes.loglog(across, guide, color=EDGE, lw=0.9, ls=(0, (4, 2)))
    axes.set(xlabel="elements across", xticks=across, xticklabels=[f"{n:g}" for n in across])
    axes.minorticks_off()
    axes.tick_params(colors=FAINT)
    axes.legend(loc="lower left")
    title(axes, "Relative force error; dashed: order 2")
