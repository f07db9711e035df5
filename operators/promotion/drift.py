"""Watching production: each validation adds to a campaign's stream, and its charts may alarm.

The stream outlives runs and champions: it lies in a run of MLflow of its own, one a campaign, as
drift/stream.json with a page beside it.
"""

import json
import logging
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_jobs.contract.drift import Chart, DriftReport, Observation, Stream
from hpc_jobs.contract.validation import Judgement, Verdict
from operators.hooks.mlflow import MlflowHook, find_or_create_run
from operators.promotion.control_chart import charts_of, not_answered
from operators.runs.run import experiment_name

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

STREAM = "stream.of"
"""Tag of the run in MLflow that holds a campaign's stream."""
FILE, PAGE = "drift/stream.json", "drift/charts.html"
WIDTH, HEIGHT, EDGE = 460, 150, 30


def watch(
    campaign: str, verdict: Verdict, mlflow: MlflowHook | None = None, now: datetime | None = None
) -> DriftReport:
    """Add a validation's measurements to the stream and look at its charts; may be repeated."""
    mlflow = mlflow or MlflowHook()
    client = mlflow.require()
    experiment = mlflow.experiment(experiment_name(campaign))
    run = find_or_create_run(client, experiment, STREAM, campaign, name="production")
    run_id = str(run.info.run_id)
    stream = extended(_read(client, run_id, campaign), verdict, now or datetime.now(UTC))
    charts, report = charts_of(stream), report_on(stream)
    client.log_dict(run_id, stream.model_dump(mode="json"), FILE)
    client.log_text(run_id, page(report, charts), PAGE)
    client.set_tag(run_id, "drift", report.sentence[:5000])
    client.set_terminated(run_id, "FINISHED")
    log.info("%s", report.sentence)
    return report


def extended(stream: Stream, verdict: Verdict, now: datetime) -> Stream:
    """Add what a validation says of each measurement, once."""
    known = {(one.validation, one.measurement) for one in stream.observations}
    added = [
        Observation(
            at=now.isoformat(timespec="seconds"),
            validation=verdict.validation,
            measurement=name,
            answered=judged.verdict != "outside",
            values=values_of(judged),
        )
        for name, judged in verdict.measurements.items()
        if (verdict.validation, name) not in known
    ]
    return stream.model_copy(update={"observations": (*stream.observations, *added)})


def values_of(judged: Judgement) -> dict[str, float]:
    """Name what is watched of an answer: novelty, residual, r-values and their intervals' width."""
    values = {"novelty": judged.novelty / judged.novelty_limit}
    if "strain_rms" in judged.errors:
        values["residual"] = judged.errors["strain_rms"]
    for quantity, (found, _) in judged.quantities.items():
        if found is not None and quantity.startswith("r_value"):
            values[quantity] = found
    ends: dict[str, tuple[float, float]] = {
        str(name): two for name, two in judged.intervals.items()
    }
    ends |= {name: (one.low, one.high) for name, one in judged.found.items()}
    for name, (low, high) in ends.items():
        if name.startswith("r_value"):
            values[f"width_{name}"] = high - low
    return values


def report_on(stream: Stream) -> DriftReport:
    """Say what is wrong with the newest observation of each measurement."""
    newest = {one.measurement: one for one in stream.observations}
    alarms = [said for one in newest.values() if (said := not_answered(one))]
    alarms += [f"{one.measurement}: {one.alarm}" for one in charts_of(stream) if one.alarm]
    sentence = "; ".join(alarms) or "production is within its control limits"
    if alarms:
        sentence += ": a targeted round and a retraining are asked for"
    return DriftReport(
        campaign=stream.campaign,
        alarms=tuple(alarms),
        observations=len(stream.observations),
        sentence=sentence,
    )


def page(report: DriftReport, charts: tuple[Chart, ...]) -> str:
    """Return one self-contained page with a figure for each chart, alarms first."""
    ordered = sorted(charts, key=lambda one: (not one.alarm, one.measurement, one.value))
    figures = "".join(_figure(one) for one in ordered)
    tone = "#b2182b" if report.alarms else "#1b7837"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Production</title>'
        "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto}"
        "figure{display:inline-block;margin:.5rem}figcaption{max-width:460px}</style>"
        f"<h1>{escape(report.campaign)}: production over time</h1>"
        f'<p style="color:{tone}"><b>{escape(report.sentence)}</b></p>{figures}</html>'
    )


def _figure(chart: Chart) -> str:
    """Draw observations as dots, their weighted mean as a line between its limits, as SVG."""
    every = [*chart.observed, *chart.low, *chart.high]
    bottom, top = min(every), max(every)
    spread = (top - bottom) or 1.0

    def at(index: int, value: float) -> tuple[float, float]:
        across = EDGE + (WIDTH - 2 * EDGE) * index / max(len(chart.observed) - 1, 1)
        return across, HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (value - bottom) / spread

    def line(values: tuple[float, ...], style: str) -> str:
        points = (at(i, v) for i, v in enumerate(values, start=chart.learned_from))
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        return f'<polyline fill="none" points="{joined}" {style}/>'

    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="#555"/>'
        for x, y in (at(i, v) for i, v in enumerate(chart.observed))
    )
    limits = line(chart.low, 'stroke="#b2182b" stroke-dasharray="4 3"')
    limits += line(chart.high, 'stroke="#b2182b" stroke-dasharray="4 3"')
    smoothed = line(chart.smoothed, 'stroke="#2166ac" stroke-width="2"')
    said = chart.alarm or ("within its limits" if chart.smoothed else "limits are being learned")
    caption = f"<b>{escape(chart.measurement)}, {escape(chart.value)}</b>: {escape(said)}"
    return (
        f'<figure><svg width="{WIDTH}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(chart.measurement)} {escape(chart.value)}">{limits}{smoothed}{dots}'
        f'<g font-size="11"><text x="0" y="12">{top:.3g}</text><text x="0" y="{HEIGHT - 4}">'
        f"{bottom:.3g}</text></g></svg><figcaption>{caption}</figcaption></figure>"
    )


def _read(client: "MlflowClient", run_id: str, campaign: str) -> Stream:
    folder, name = FILE.split("/")
    if FILE not in {one.path for one in client.list_artifacts(run_id, folder)}:
        return Stream(campaign=campaign)
    path = Path(client.download_artifacts(run_id, f"{folder}/{name}"))
    return Stream.model_validate(json.loads(path.read_text()))
