"""What a campaign's learning was worth: cost ratios and speedups from what its jobs measured.

Simulations count the core-seconds that the scheduler granted, those of test and failed records
included; trainings the seconds that their elements ran, all networks together; both with every try
and every start of Python.
"""

import math
from typing import TYPE_CHECKING

from hpc_jobs.contract.facts import ScoreFacts
from hpc_jobs.contract.report import UsageReport
from hpc_jobs.contract.run import RunHandle
from hpc_jobs.contract.speedup import ANSWERS, Answer, LookupCosts, Lookups, SpeedupReport, Updating
from operators.hooks.mlflow import MlflowHook

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HOUR_S = 3600.0
LOOKUPS = (1_000, 1_000_000)
FIGURE = "figures/speedup.svg"
DECADES = 7  # of lookups in the figure
COLOURS: dict[Answer, str] = {
    "network": "#2166ac",
    "refinement": "#e08214",
    "surrogate": "#5aae61",
}


def speedup_report(
    score: ScoreFacts, records: int, solved: UsageReport, trained: UsageReport
) -> SpeedupReport | None:
    """Say what each learned answer replaces, and what that is worth; None where nobody measured.

    records: of the training. solved, trained: what simulations and trainings took.
    """
    lookups, updating = score.lookups, score.verdict.updating
    if lookups is None or updating is None or not records:
        return None
    record_s = solved.core_hours * HOUR_S / records
    classical = _classical(lookups, updating, trained.run_s)
    return SpeedupReport(
        simulation_s=updating.seconds / updating.simulations,
        updating_s=updating.seconds,
        updating_simulations=updating.simulations,
        record_s=record_s,
        records=records,
        lookups=(len(score.verdict.measurements), *LOOKUPS),
        answers={
            name: LookupCosts(
                sequential_s=sequential_s,
                lookup_s=lookup_s,
                train_s=record_s,
                learn_s=learn_s / records,
                train_records=records,
            )
            for name, (sequential_s, lookup_s, learn_s) in classical.items()
        },
    )


def _classical(
    lookups: Lookups, updating: Updating, learned_s: float
) -> dict[Answer, tuple[float, float, float]]:
    """Name -> the classical answer, the learned one, all that was learned for it; s."""
    found: dict[Answer, tuple[float, float, float]] = {
        "network": (updating.seconds, lookups.network_s, learned_s)
    }
    if lookups.refinement_s and lookups.surrogate_s and lookups.fit_s:
        found["refinement"] = (updating.seconds, lookups.refinement_s, lookups.fit_s)
        simulation_s = updating.seconds / updating.simulations
        found["surrogate"] = (simulation_s, lookups.surrogate_s, lookups.fit_s)
    return found


def speedup_metrics(report: SpeedupReport) -> dict[str, float]:
    """Keys speedup/<answer>/<value>; a break-even that never comes is absent."""
    metrics: dict[str, float] = {}
    for name, costs in report.answers.items():
        values: dict[str, float] = {
            f"cost_ratio_at_{lookups}": costs.cost_ratio(lookups) for lookups in LOOKUPS
        }
        values |= {f"fox_s_at_{lookups}": costs.effective_speedup(lookups) for lookups in LOOKUPS}
        values |= {key: getattr(costs, key) for key in ("sequential_s", "lookup_s", "train_s")}
        values |= {"learn_s": costs.learn_s, "limit": costs.limit, "break_even": costs.break_even}
        metrics |= {f"speedup/{name}/{k}": float(v) for k, v in values.items() if math.isfinite(v)}
    return metrics


def log_speedup(run: RunHandle, report: SpeedupReport, mlflow: MlflowHook | None = None) -> None:
    """Write the metrics and the figure into the campaign's run; may be repeated."""
    from mlflow.entities import Metric

    client = (mlflow or MlflowHook()).require()
    metrics = [Metric(key, value, 0, 0) for key, value in speedup_metrics(report).items()]
    client.log_batch(run.mlflow_run_id, metrics=metrics)
    client.log_text(run.mlflow_run_id, speedup_svg(report), FIGURE)


def speedup_svg(report: SpeedupReport) -> str:
    """Draw the figure."""
    from hpc_jobs.figure_style import in_style, svg_text

    with in_style():
        return svg_text(speedup_figure(report), "speedup")


def speedup_figure(report: SpeedupReport) -> "Figure":
    """Draw the ratio of total costs against the number of answers, log-log, and faintly Fox's S."""
    from matplotlib.figure import Figure

    from hpc_jobs.figure_style import FAINT, SHEET, title

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    axes.axhline(1, color=SHEET, linewidth=1, zorder=0)
    lookups = [10 ** (step / 10) for step in range(10 * DECADES + 1)]
    for name, costs in report.answers.items():
        even, label = costs.break_even, ANSWERS[name]
        if even <= lookups[-1]:
            label += f"\n○ pays from {int(even):,}"
            axes.plot(
                max(int(even), 1), 1, "o", color="white", markersize=6,
                markeredgecolor=COLOURS[name], markeredgewidth=2, zorder=3,
            )  # fmt: skip
        ratios = [costs.cost_ratio(round(count)) for count in lookups]
        axes.plot(lookups, ratios, color=COLOURS[name], linewidth=2, label=label)
        fox = [costs.effective_speedup(round(count)) for count in lookups]
        axes.plot(lookups, fox, color=COLOURS[name], linewidth=1, linestyle=":", alpha=0.7)
    axes.plot([], [], color=FAINT, linewidth=1, linestyle=":", label="Fox's S of the same")
    axes.set(xscale="log", yscale="log", xlabel="answers", xlim=(1, lookups[-1]))
    title(axes, "Cost of computing over cost of learning, records and training included")
    axes.tick_params(which="minor", length=0)
    figure.legend(loc="outside right upper", labelcolor=FAINT)
    return figure
