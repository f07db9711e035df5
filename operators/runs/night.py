"""What a night did: planned, spent, gained, left out; and where it failed, what to do.

Nothing of a failed night counts: the dataset grows only when a round is packed whole, and the
champion changes only at the gate. The next night finishes what this one left.
"""

import logging
from collections.abc import Sequence
from html import escape

from hpc_jobs.contract.facts import DesignFacts, LearningCurve, PackedFacts, ShardFacts
from hpc_jobs.contract.report import ArrayReport, NightReport, RoundPlan
from hpc_jobs.contract.run import RunHandle
from operators.hooks.mlflow import MlflowHook

log = logging.getLogger(__name__)
WIDTH, HEIGHT, EDGE = 420, 220, 40
"""Of the learning curve's figure, in pixels."""


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
    grown = dataset is not None and good > 0 and not failed
    return NightReport(
        run_id=run.run_id,
        plan=plan,
        design=design,
        records_by_status=facts.by_status if facts else {},
        core_hours=hours,
        core_hours_per_good_record=hours / good if good else None,
        grown=grown,
        failed=tuple(failed),
        sentence=_sentence(plan, design, good, hours, failed, packed=dataset),
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
        return (
            f"round {plan.round} failed in {', '.join(failed)}: dataset and champion are as they "
            f"were. {hours:.3g} core-hours were spent, and what was solved is kept: clear the "
            "failed task, or let the next night finish the round"
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
    rows = [("how it ended", report.sentence)]
    plan, design = report.plan, report.design
    rows.append(("planned", f"round {plan.round}, {plan.records} records, {plan.shards} shards"))
    if plan.budget_core_hours is not None:
        rows.append(("budget", f"{plan.budget_core_hours:g} core-hours"))
    rows += [(f"records: {name}", str(n)) for name, n in report.records_by_status.items()]
    if report.core_hours_per_good_record is not None:
        rows.append(("core-hours a good record", f"{report.core_hours_per_good_record:.3g}"))
    if design:
        rows += [(f"aimed at: {name}", f"{count} points") for name, count in design.by_aim.items()]
        rows += [(f"not aimed at: {name}", why) for name, why in design.notes.items()]
        if design.skipped:
            told = f"{design.skipped} points, foreseen within noise; {design.audited} of such "
            rows.append(("skipped", f"{told}were simulated as an audit"))
        if design.audit is not None:
            told = f"{design.audit:.2g} noise units missed at points that seemed known"
            rows.append(("audit so far", told))
        if design.curve:
            rows.append(("learning curve", design.curve.sentence))
    table = "".join(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in rows)
    figure = _figure(design.curve) if design and design.curve else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Night</title>'
        "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto}"
        "th{text-align:left;padding-right:1rem;vertical-align:top}</style>"
        f"<h1>Run {escape(report.run_id)}, round {plan.round}</h1><table>{table}</table>{figure}"
        "</html>"
    )


def _figure(curve: LearningCurve) -> str:
    """Draw error over records, and what is expected of the further ones, as SVG."""
    last = curve.records[-1]
    x = [*curve.records, last + curve.further]
    y = [*curve.error, curve.error[-1] * (1 - curve.gain)]
    ends = [curve.error[-1] * (1 - gain) for gain in (curve.gain_low, curve.gain_high)]
    top, bottom = max(*y, *ends), min(*y, *ends)
    spread = top - bottom or 1.0

    def at(records: float, error: float) -> tuple[float, float]:
        across = EDGE + (WIDTH - 2 * EDGE) * records / x[-1]
        return across, EDGE + (HEIGHT - 2 * EDGE) * (top - error) / spread

    points = [at(*pair) for pair in zip(x, y, strict=True)]
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in points[:-1])
    ahead = " ".join(f"{a:.1f},{b:.1f}" for a, b in points[-2:])
    (right, low), (_, high) = at(x[-1], ends[0]), at(x[-1], ends[1])
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" '
        'aria-label="error over records"><g fill="none" stroke="#2166ac" stroke-width="2">'
        f'<polyline points="{line}"/><polyline points="{ahead}" stroke-dasharray="5 4"/>'
        f'<line x1="{right:.1f}" x2="{right:.1f}" y1="{low:.1f}" y2="{high:.1f}"/></g>'
        f'<g font-size="12"><text x="{EDGE}" y="{HEIGHT - 8}">records, up to {x[-1]}</text>'
        f'<text x="4" y="20">standard error at the measured sheets over its floor, {top:.3g} to '
        f"{bottom:.3g}</text></g></svg>"
    )
