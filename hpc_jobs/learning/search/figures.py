"""A search for people: the Pareto front, and the finalists' seeds."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpc_jobs.contract.study import Choice, Finalists
from hpc_jobs.figure_style import BAD, DOUBTFUL, EDGE, FAINT, GOOD, INK, title

ERROR = "validation error: sum of mean squares, target ranges"
KIND_MARKS = ("o", "s", "^", "D")


def front_figure(finalists: Finalists, choice: Choice) -> Figure:
    """Error against samples/s of every trial; the front, and where the contenders came to lie."""
    figure = Figure(figsize=(7.6, 4.8), layout="constrained")
    axes = figure.subplots()
    kinds = sorted({trial.network.kind for trial in finalists.trials})
    for kind, mark in zip(kinds, KIND_MARKS, strict=False):
        trials = [trial for trial in finalists.trials if trial.network.kind == kind]
        axes.plot(
            [trial.samples_per_s for trial in trials],
            [trial.error for trial in trials],
            mark,
            ms=5,
            color=EDGE,
            label=f"trials, {kind}",
        )
    axes.plot(
        [trial.samples_per_s for trial in choice.front],
        [trial.error for trial in choice.front],
        "-o",
        ms=5,
        lw=1.2,
        color=INK,
        label="Pareto front",
    )
    for name, contender in choice.contenders.items():
        colour = _colour(choice, name)
        low, high = min(contender.errors), max(contender.errors)
        axes.plot([contender.samples_per_s] * 2, [low, high], "-", lw=2.5, color=colour)
        axes.plot(contender.samples_per_s, contender.mean, "D", ms=6, color=colour)
        axes.annotate(
            name,
            (contender.samples_per_s, contender.mean),
            xytext=(6, -3),
            textcoords="offset points",
            size=8,
            color=colour,
        )
    axes.plot([], [], "-D", color=FAINT, label="finalists: mean and range over the seeds")
    axes.set(xscale="log", yscale="log", xlabel="samples/s, measured on the node", ylabel=ERROR)
    axes.legend(loc="upper left")
    title(axes, f"{choice.trials} trials: lower right is better")
    return figure


def seeds_figure(choice: Choice) -> Figure:
    """Each contender's error by seed, with its mean and the adjusted p."""
    figure = Figure(figsize=(7.6, 0.6 * len(choice.contenders) + 1.6), layout="constrained")
    axes = figure.subplots()
    names = list(reversed(choice.contenders))
    for place, name in enumerate(names):
        _seeds(axes, place, choice, name)
    axes.set_yticks(range(len(names)), [_label(choice, name) for name in names])
    axes.set(xlabel=ERROR, xscale="log", ylim=(-0.6, len(names) - 0.4))
    title(axes, f"errors over the seeds; present: {choice.present}")
    return figure


def _seeds(axes: Axes, place: int, choice: Choice, name: str) -> None:
    contender, colour = choice.contenders[name], _colour(choice, name)
    axes.plot(contender.errors, np.full(len(contender.errors), place), "o", ms=4, color=EDGE)
    axes.plot(contender.mean, place, "D", ms=6, color=colour)


def _label(choice: Choice, name: str) -> str:
    p = choice.contenders[name].p
    return name if p is None else f"{name}\np = {p:.2g}"


def _colour(choice: Choice, name: str) -> str:
    if name == choice.present:
        return DOUBTFUL
    return GOOD if choice.contenders[name].better else BAD
