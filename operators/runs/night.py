"""What a night did: planned, spent, gained, left out; and where it failed, what to do.

Nothing of a failed night counts: the dataset grows only when a round is packed whole, and the
champion changes only at the gate. The next night finishes what this one left.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from hpc_jobs.contract.facts import DesignFacts, LearningCurve, PackedFacts, ShardFacts
from hpc_jobs.contract.report import ArrayReport, NightReport, RoundPlan
from hpc_jobs.contract.run import RunHandle
from hpc_jobs.page_style import data_uri, template
from operators.hooks.mlflow import MlflowHook
from operators.runs.rounds import newly_solved

log = logging.getLogger(__name__)
TEMPLATES = Path(__file__).parent / "templates"


def night_report(
    run: RunHandle,
    plan: RoundPlan,
    points: ArrayReport | None,
    solved: ArrayReport | None,
    dataset: ArrayReport | None,
    failed: Sequence[str] = (),
) -> NightReport:
    """Put together what a night's tasks returned; None where one did not come to its end."""
    design = points.read(DesignFacts) if points else None
    facts = None
    if solved and solved.elements:
        facts = solved.read(ShardFacts)
    hours = solved.cpu_hours if solved else 0.0
    good = facts.by_status.get("ok", 0) if facts else 0
    new = newly_solved(plan, facts.records) if facts else 1.0
    grown = dataset is not None and good > 0 and not failed
    return NightReport(
        run_id=run.run_id,
        plan=plan,
        design=design,
        records_by_status=facts.by_status if facts else {},
        core_hours=hours,
        core_hours_per_good_record=hours / (good * new) if good else None,
        grown=grown,
        failed=tuple(failed),
        sentence=_sentence(plan, design, round(good * new), hours, failed, packed=dataset),
    )


def log_night(report: NightReport, run: RunHandle, mlflow: MlflowHook | None = None) -> None:
    """Keep the report as data and as a page, night/round-NNN.{json,html}; may be repeated."""
    client = (mlflow or MlflowHook()).require()
    name = f"night/round-{report.plan.round:03d}"
    client.log_dict(run.mlflow_run_id, report.model_dump(mode="json"), f"{name}.json")
    client.log_text(run.mlflow_run_id, night_page(report), f"{name}.html")
    client.set_tag(run.mlflow_run_id, "night", report.sentence[:5000])
    log.info("%s", report.sentence)


def _sentence(
    plan: RoundPlan,
    design: DesignFacts | None,
    good: int,
    hours: float,
    failed: Sequence[str],
    packed: ArrayReport | None,
) -> str:
    if failed:
        spent = f"{hours:.3g} core-hours were spent. " if hours else ""
        return (
            f"round {plan.round} failed in {', '.join(failed)}: dataset and champion are as they "
            f"were. {spent}What was solved is kept: clear the failed task, or let the next night "
            "finish the round"
        )
    if design and design.stopped:
        return f"no simulation tonight: {design.stopped}"
    told = f"round {plan.round} added {good} good records for {hours:.3g} core-hours"
    if plan.expected_core_hours is not None:
        told += f" ({plan.expected_core_hours:.3g} were expected)"
    if plan.resumed:
        told += "; it had been left unfinished by an earlier night"
    if packed:
        told += f"; the dataset has {packed.read(PackedFacts).train} training records"
    return told


def night_page(report: NightReport) -> str:
    """Return one self-contained page."""
    design = report.design
    curve = design.curve if design else None
    return template(TEMPLATES, "night.html.j2").render(
        report=report, plan=report.plan, design=design, figure=curve and data_uri(curve_svg(curve))
    )


def curve_svg(curve: LearningCurve) -> str:
    """Draw error over records, and what is expected of the further ones with its interval."""
    from matplotlib.figure import Figure

    from hpc_jobs.figure_style import ACCENT, FAINT, in_style, svg_text

    last, error = curve.records[-1], curve.error[-1]
    end = last + curve.further
    expected, best, worst = (
        error * (1 - gain) for gain in (curve.gain, curve.gain_high, curve.gain_low)
    )
    with in_style():
        figure = Figure(figsize=(6, 3), layout="constrained")
        axes = figure.subplots()
        axes.plot(curve.records, curve.error, "o-", color=FAINT, label="measured")
        axes.plot(
            (last, end), (error, expected), "--", color=ACCENT, label="expected of this round"
        )
        axes.errorbar(
            end,
            expected,
            ([max(0.0, expected - best)], [max(0.0, worst - expected)]),
            color=ACCENT,
            capsize=3,
        )
        axes.set(xlabel="records", ylabel="standard error\nover its floor, measured sheets")
        axes.legend()
        return svg_text(figure, "curve")
