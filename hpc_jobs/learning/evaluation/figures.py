"""What a person wants to look at after a training."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hpc_jobs.contract.records import publish
from hpc_jobs.dataset.dataset import Examples
from hpc_jobs.dataset.facts import TargetScaler
from hpc_jobs.figure_style import ACCENT, EDGE, INK, in_style, panels
from hpc_jobs.learning.evaluation.coverage_figure import coverage_figure
from hpc_jobs.learning.evaluation.test_set import Answers, TestReport
from hpc_jobs.learning.training.state import Evaluation

TITLES = {
    "mean": "mean of the training records",
    "pca_ridge": "linear PCA-ridge",
    "pca_ridge_quadratic": "quadratic PCA-ridge",
    "surrogate": "forward surrogate, inverted",
}

Scaled = NDArray[np.floating[Any]]


def draw_all(
    folder: Path,
    name: str,
    history: Sequence[Evaluation],
    answers: Answers,
    test: Examples,
    scaler: TargetScaler,
    report: TestReport,
    members: Mapping[str, Sequence[Evaluation]] | None = None,
) -> list[Path]:
    """Draw every figure of a model into a folder; returns the files.

    history: the epochs; none of a committee, whose members have theirs, by name.
    """
    with in_style(grid=True):
        figures = {
            "parity.png": parity_figure(name, answers.scaled, test, scaler, report),
            "errors.png": error_figure(name, answers.scaled, test, scaler, report),
            "coverage.png": coverage_figure(name, answers, test, scaler, report),
        }
        if history:
            figures["loss.png"] = loss_figure(name, history, scaler, report)
        elif members:
            figures["loss.png"] = members_figure(name, members, report)
        paths = []
        for file, figure in figures.items():
            paths.append(folder / file)
            with publish(folder / file) as temporary:
                figure.savefig(temporary, format="png")
    return paths


def loss_figure(
    name: str, history: Sequence[Evaluation], scaler: TargetScaler, report: TestReport
) -> Figure:
    """Sum and each output over the epochs, beside the best baseline's test error."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [one.epoch for one in history]
    left.semilogy(epochs, [one.train_loss for one in history], color=EDGE, label="training")
    left.semilogy(epochs, [one.val_loss for one in history], color=INK, label="validation")
    best = min(history, key=lambda one: one.val_loss)
    left.plot(best.epoch, best.val_loss, "o", color=ACCENT, label=f"best, epoch {best.epoch}")
    rival, errors = min(report.baselines.items(), key=lambda item: item[1].sum_mse)
    left.axhline(errors.sum_mse, color=ACCENT, linestyle="--", linewidth=1)
    left.annotate(
        f"{TITLES.get(rival, rival)}, test set",
        (1, errors.sum_mse),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="bottom",
        color=ACCENT,
        fontsize=8,
    )
    left.set(title=f"{name}: sum over the outputs", xlabel="epoch", ylabel="mean squared error")
    left.legend(loc="upper right")
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, len(scaler.targets)))
    for k, (target, colour) in enumerate(zip(scaler.targets, colours, strict=True)):
        values = [one.val_mse[k] for one in history]
        right.semilogy(epochs, values, color=colour, linewidth=1.2, label=target)
    right.set(title="validation, each output", xlabel="epoch")
    right.legend(ncols=2, loc="upper right", fontsize=8)
    return figure


def members_figure(
    name: str, members: Mapping[str, Sequence[Evaluation]], report: TestReport
) -> Figure:
    """Draw the losses of a committee's members over the epochs, beside the committee's error."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    panels_ = figure.subplots(1, 2, sharey=True)
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, len(members)))
    for (member, history), colour in zip(members.items(), colours, strict=True):
        epochs = [one.epoch for one in history]
        for axes, losses in zip(
            panels_,
            ([one.train_loss for one in history], [one.val_loss for one in history]),
            strict=True,
        ):
            axes.semilogy(epochs, losses, color=colour, linewidth=1.2, label=member)
        best = min(history, key=lambda one: one.val_loss)
        panels_[1].plot(best.epoch, best.val_loss, "o", color=colour)
    left, right = panels_
    left.set(title=f"{name}: training", xlabel="epoch", ylabel="mean squared error")
    right.set(title="validation; dots: the weights that were kept", xlabel="epoch")
    error = report.network.sum_mse
    right.axhline(error, color=ACCENT, linestyle="--", linewidth=1, label="committee, test set")
    right.legend(loc="upper right", fontsize=8)
    return figure


def parity_figure(
    name: str, estimates: Scaled, test: Examples, scaler: TargetScaler, report: TestReport
) -> Figure:
    """Predicted against true, each target in its physical units."""
    figure, axes = panels(len(scaler.targets))
    for k, (axis, target) in enumerate(zip(axes, scaler.targets, strict=False)):
        low, high = scaler.low[k], scaler.high[k]
        answer = low + (high - low) * estimates[:, k]
        axis.plot([low, high], [low, high], color=EDGE, linewidth=1)
        axis.plot(test.physical[:, k], answer, "o", ms=2.5, mew=0, alpha=0.6, color=INK)
        errors = report.network.targets[target]
        axis.text(
            0.04,
            0.96,
            f"$R^2$ {errors.r2:.4f}\nmedian error {errors.median:.2g}",
            transform=axis.transAxes,
            va="top",
            fontsize=8,
        )
        axis.set(title=target, aspect="equal", adjustable="datalim")
    figure.supxlabel("true", fontsize=9)
    figure.supylabel("identified", fontsize=9)
    figure.suptitle(f"{name}: {report.records} off-grid test records", fontsize=11)
    return figure


def error_figure(
    name: str, estimates: Scaled, test: Examples, scaler: TargetScaler, report: TestReport
) -> Figure:
    """Histogram of the error of each target, in min-max units, one scale for all."""
    figure, axes = panels(len(scaler.targets))
    deviation = estimates - test.scaled
    limit = float(np.quantile(np.abs(deviation), 0.995)) or 1.0
    count = 2 * int(np.clip(np.sqrt(len(deviation)), 12, 60) / 2) + 1  # odd: one bin around zero
    bins = np.linspace(-limit, limit, count + 1).tolist()
    for k, (axis, target) in enumerate(zip(axes, scaler.targets, strict=False)):
        axis.hist(np.clip(deviation[:, k], -limit, limit), bins=bins, color=INK, alpha=0.85)
        axis.axvline(0, color=ACCENT, linewidth=1)
        root = report.network.targets[target].mse ** 0.5
        axis.set(title=f"{target}   rms {root:.4f}")
        axis.tick_params(labelleft=False)
    figure.supxlabel("identified - true, share of the training range", fontsize=9)
    figure.suptitle(
        f"{name}: errors on {report.records} test records, "
        f"sum of mean squares {report.network.sum_mse:.2e}",
        fontsize=11,
    )
    return figure
