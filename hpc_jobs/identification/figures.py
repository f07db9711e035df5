"""One page per measurement: the identified sheet against the true one, and what it explains."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.measurement import QUANTITY_LABELS
from hpc_jobs.contract.validation import INTERVAL_LEVEL
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.figure_style import (
    ACCENT,
    BAD,
    BAND,
    DOUBTFUL,
    DPI,
    FAINT,
    GOOD,
    INK,
    RANGE,
    TOLERANCE,
    TRAINED,
    TRUE,
    badge,
    in_style,
    publish_page,
    title,
)
from hpc_jobs.identification.family_answer import material_of
from hpc_jobs.identification.figure_fields import draw_forces, draw_maps, draw_scatter
from hpc_jobs.identification.intervals import band
from hpc_jobs.identification.verdict import QUANTITIES, Case

SIZE_IN = (12.6, 9.0)
DASHES = (0, (4, 1.6))
VERDICT_COLOURS = {
    "PASS": GOOD,
    "ANSWERED": GOOD,
    "FAIL": BAD,
    "OUTSIDE": DOUBTFUL,
    "RESERVATIONS": DOUBTFUL,
}
LOCUS_SHEARS = (0.0, 0.3, 0.45)
FINE_ANGLES_DEG = np.linspace(0, 90, 91)


def draw_case(path: Path, campaign: Campaign, case: Case) -> None:
    """Publish the page as PNG."""
    with in_style():
        figure = Figure(figsize=SIZE_IN, dpi=DPI)
        page = GridSpec(
            4, 1, figure, height_ratios=(0.6, 3.4, 1.0, 3.2), hspace=0.42,
            left=0.05, right=0.975, top=0.975, bottom=0.065,
        )  # fmt: skip
        upper = page[1].subgridspec(1, 3, width_ratios=(1, 1, 0.8), wspace=0.2)
        lower = page[3].subgridspec(1, 3, width_ratios=(6.3, 3, 3), wspace=0.33)
        _header(figure.add_subplot(page[0]), case)
        draw_curve(figure.add_subplot(upper[0]), campaign, case, "r_value")
        draw_curve(figure.add_subplot(upper[1]), campaign, case, "stress_ratio")
        draw_locus(figure.add_subplot(upper[2]), campaign, case)
        _table(figure.add_subplot(page[2]), campaign, case)
        draw_maps(figure, lower[0], case)
        draw_scatter(figure.add_subplot(lower[1]), case)
        draw_forces(figure.add_subplot(lower[2]), case)
        publish_page(path, figure)


def _header(axes: Axes, case: Case) -> None:
    axes.axis("off")
    judgement = case.judgement
    axes.text(0, 0.95, case.measurement.name.upper(), size=19, weight="bold", color=INK, va="top")
    badge(axes, judgement.verdict.upper(), VERDICT_COLOURS[judgement.verdict.upper()])
    axes.text(0, 0.2, _outcome(case), size=9.5, color=FAINT, va="top")
    axes.legend(
        handles=_keys(case), loc="center right", ncols=5, bbox_to_anchor=(0.93, 0.72), borderpad=0,
        borderaxespad=0, columnspacing=1.6, fontsize=8.5,
    )  # fmt: skip


def draw_keys(figure: Figure, case: Case) -> None:
    """Draw the legend of bars, bands and lines along a figure's lower edge."""
    figure.legend(handles=_keys(case), loc="lower center", ncols=5, columnspacing=1.6)


def _keys(case: Case) -> list[Line2D]:
    keys = [Line2D([], [], color=TRAINED, lw=7, label="trained range")]
    if case.measurement.header.truth:
        keys.append(Line2D([], [], color=TOLERANCE, lw=7, label="tolerance"))
        keys.append(Line2D([], [], color=TRUE, lw=1.8, label="true"))
    if case.identified:
        keys.append(Line2D([], [], color=ACCENT, lw=2.2, ls=DASHES, label="identified"))
    if case.draws:
        keys.append(Line2D([], [], color=BAND, lw=7, label=f"{INTERVAL_LEVEL:.0%} interval"))
    return keys


def _outcome(case: Case) -> str:
    """Tell the outcome in one line; the first reason stands for all."""
    judgement = case.judgement
    novelty = f"novelty {judgement.novelty:.2f} of at most {judgement.novelty_limit:.2f}"
    if judgement.reasons:
        more = f"  (+{len(judgement.reasons) - 1} more)" if judgement.reasons[1:] else ""
        lead = "Not answered: " if judgement.verdict == "outside" else ""
        return f"{lead}{judgement.reasons[0]}{more}"
    strains = f"strains reproduced to {judgement.errors['strain_rms']:.2f} × noise"
    force = judgement.errors.get("force")
    forces = "" if force is None else f", forces to {100 * force:.1f} %"
    how = "Refined" if case.refined else "Identified by the network"
    return f"{how}; {strains}{forces}; {novelty}"


def draw_curve(axes: Axes, campaign: Campaign, case: Case, kind: str) -> None:
    """Draw r(theta) or sigma(theta)/sigma(0), with what the network was trained for as bars."""
    truth, limits = case.measurement.header.truth, campaign.validation.limits
    tolerance = limits.r_value_tolerance if kind == "r_value" else limits.stress_ratio_tolerance
    shown = []
    if truth and truth.curves:
        angles, values = np.array(truth.curves.angles_deg), np.array(getattr(truth.curves, kind))
        if truth.parameters:
            angles = FINE_ANGLES_DEG
            values = getattr(_true_sheet(campaign, case), kind)(angles)
        axes.fill_between(angles, values - tolerance, values + tolerance, color=TOLERANCE, lw=0)
        axes.plot(angles, values, color=TRUE, lw=1.8)
        shown.append(values)
    if case.identified:
        values = getattr(case.identified, kind)(FINE_ANGLES_DEG)
        if case.draws:
            drawn = [getattr(sheet, kind)(FINE_ANGLES_DEG) for sheet in case.draws]
            axes.fill_between(FINE_ANGLES_DEG, *band(drawn), color=BAND, alpha=0.7, lw=0)
        axes.plot(FINE_ANGLES_DEG, values, color=ACCENT, lw=2.2, ls=DASHES)
        shown.append(values)
    if shown:  # closer than the trained range, which is wide
        values = np.concatenate(shown)
        axes.set_ylim(values.min() - 3 * tolerance, values.max() + 3 * tolerance)
    for angle in (0, 45, 90):
        low, high = getattr(campaign.design.box, f"{kind}_{angle}", (1.0, 1.0))
        axes.fill_between([angle - 2, angle + 2], low, high, color=TRAINED, lw=0, zorder=0)
    title(axes, "r-value" if kind == "r_value" else "Yield stress σ(θ) / σ(0°)")
    axes.set(xlim=(-3, 93), xticks=range(0, 91, 15), xlabel="angle to rolling direction θ, °")


def draw_locus(axes: Axes, campaign: Campaign, case: Case) -> None:
    """Draw the yield locus at a few shear stresses, true and identified, with its band."""
    truth = case.measurement.header.truth
    for shear in LOCUS_SHEARS:
        if truth and truth.parameters:
            contour = _true_sheet(campaign, case).locus(shear)
            axes.plot(*contour.T, color=TRUE, lw=1.8)
        if case.identified:
            _locus_band(axes, case, shear)
            axes.plot(*case.identified.locus(shear).T, color=ACCENT, lw=1.8, ls=DASHES)
    axes.axhline(0, color=RANGE, lw=0.8, zorder=0)
    axes.axvline(0, color=RANGE, lw=0.8, zorder=0)
    title(axes, "Yield locus, shear " + ", ".join(f"{shear:g}" for shear in LOCUS_SHEARS) + " k")
    axes.set(xlabel="σ along rolling / k", ylabel="σ across / k", aspect="equal", anchor="W")
    axes.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35))


def _true_sheet(campaign: Campaign, case: Case) -> Sheet:
    truth = case.measurement.header.truth
    assert truth and truth.parameters
    material = truth.material or material_of(campaign, case.field.estimate)
    return Sheet.of(truth.parameters, material)


def _locus_band(axes: Axes, case: Case, shear: float) -> None:
    """Shade the interval of the locus in each direction, where there are draws of it."""
    drawn = [contour for sheet in case.draws if len(contour := sheet.locus(shear))]
    if len(drawn) < 0.9 * len(case.draws) or not drawn:
        return
    direction = drawn[0] / np.linalg.norm(drawn[0], axis=1)[:, None]
    low, high = band([np.linalg.norm(contour, axis=1) for contour in drawn])
    ring = np.vstack([high[:, None] * direction, (low[:, None] * direction)[::-1]])
    axes.fill(*ring.T, color=BAND, alpha=0.7, lw=0)


def _table(axes: Axes, campaign: Campaign, case: Case) -> None:
    """Print identified, true and error of the seven values; beyond its limit an error is red."""
    axes.axis("off")
    axes.set(xlim=(0, 8), ylim=(0, 4.2))
    for row, name in ((2.4, "identified"), (1.3, "true"), (0.2, "error")):
        axes.text(0, row, name, size=9, color=FAINT)
    for column, quantity in enumerate(QUANTITIES, start=1):
        found, true = case.judgement.quantities[quantity]
        axes.text(column, 3.5, QUANTITY_LABELS[quantity], size=9.5, color=INK, ha="center")
        for row, value, colour in ((2.4, found, ACCENT), (1.3, true, TRUE)):
            text = "–" if value is None else f"{value:.3f}"
            if row == 2.4 and quantity in case.judgement.intervals:
                low, high = case.judgement.intervals[quantity]
                text += f" ± {(high - low) / 2:.3f}"
            axes.text(column, row, text, size=9.5, color=colour, ha="center")
        if found is None or true is None:
            continue
        bad = abs(found - true) > campaign.validation.limits.tolerance(quantity)
        colour = VERDICT_COLOURS["FAIL" if bad else "PASS"]
        weight = "bold" if bad else "normal"
        error = f"{found - true:+.3f}".replace("-", "−")
        axes.text(column, 0.2, error, size=9.5, color=colour, ha="center", weight=weight)
    for y in (3.25, 4.2, 0.0):
        axes.axhline(y, color=RANGE, lw=0.8)
