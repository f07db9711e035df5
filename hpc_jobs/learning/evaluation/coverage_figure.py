"""Whether the intervals hold what they promise, and whether they are wide where it is needed."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from hpc_jobs.dataset.dataset import Examples
from hpc_jobs.dataset.facts import TargetScaler
from hpc_jobs.figure_style import ACCENT, EDGE, INK
from hpc_jobs.learning.evaluation.coverage import REGIONS, Coverage
from hpc_jobs.learning.evaluation.test_set import Answers, TestReport

MARKERS = dict(zip(REGIONS, ("v", "o", "^"), strict=True))
CHANCE = 1.96  # standard deviations: 19 of 20 regions, were all covered as they should


def coverage_figure(
    name: str, answers: Answers, test: Examples, scaler: TargetScaler, report: TestReport
) -> Figure:
    """Share of truths inside, per target and region; misses against half widths."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_shares(left, report.coverage)
    _draw_misses(right, answers, test, scaler)
    figure.suptitle(
        f"{name}: {report.coverage.level:.0%} intervals on {report.records} off-grid test records",
        fontsize=11,
    )
    return figure


def _draw_shares(axes: Axes, coverage: Coverage) -> None:
    """Of each target whole (bar) and in thirds by its true value; grey: what chance allows."""
    level, found = coverage.level, list(coverage.targets.values())
    smallest = min(region.records for one in found for region in one.regions.values())
    chance = CHANCE * np.sqrt(level * (1 - level) / smallest)
    axes.axhspan(
        level - chance, min(level + chance, 1), color=EDGE, alpha=0.2, lw=0, label="chance, a third"
    )
    axes.axhline(level, color=ACCENT, linewidth=1, label="promised")
    for place, one in enumerate(found):
        axes.plot([place - 0.36, place + 0.36], [one.share] * 2, color=INK, linewidth=2.5,
                  label=None if place else "target, whole")  # fmt: skip
        for step, (region, covered) in enumerate(one.regions.items()):
            axes.plot(
                place + 0.22 * (step - 1), covered.share, MARKERS[region], ms=5, mew=0, color=INK,
                alpha=0.6, label=f"{region} third" if place == 0 else None,
            )  # fmt: skip
    shares = [region.share for one in found for region in one.regions.values()]
    axes.set(title="truth inside, by target and its value", ylim=(min(*shares, 0.7) - 0.03, 1.01))
    axes.set_xticks(range(len(found)), list(coverage.targets))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(loc="lower right", ncols=2, fontsize=8)


def _draw_misses(axes: Axes, answers: Answers, test: Examples, scaler: TargetScaler) -> None:
    """Below the line the interval holds the truth; a vertical stripe says the same of all."""
    span = np.array(scaler.high) - np.array(scaler.low)
    low, high = answers.intervals
    half, miss = (high - low) / 2 / span, np.abs(answers.scaled - test.scaled)
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, len(scaler.targets)))
    for k, (target, colour) in enumerate(zip(scaler.targets, colours, strict=True)):
        axes.plot(half[:, k], miss[:, k], "o", ms=2.2, mew=0, alpha=0.5, color=colour, label=target)
    ends = np.array([half.min(), half.max()])
    axes.plot(ends, ends, color=ACCENT, linewidth=1, label="below: truth inside")
    axes.set(
        title="miss against half width",
        xlabel="half width of the interval, share of the training range",
        ylabel="|identified - true|",
        xscale="log",
        yscale="log",
        ylim=(max(float(half.min()), 1e-6) / 100, None),
    )
    axes.legend(ncols=2, loc="lower right", fontsize=7, markerscale=2)
