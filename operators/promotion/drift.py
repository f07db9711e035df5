"""Watching production: each validation adds to a campaign's stream, and its charts may alarm.

The stream outlives runs and champions: it lies in a run of MLflow of its own, one a campaign, as
drift/stream.json with a page beside it.
"""

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_jobs.contract.drift import Chart, DriftReport, Observation, Stream
from hpc_jobs.contract.validation import Judgement, Verdict
from hpc_jobs.page_style import data_uri, template
from operators.hooks.mlflow import MlflowHook, find_or_create_run
from operators.promotion.control_chart import charts_of, not_answered
from operators.runs.run import experiment_name

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

STREAM = "stream.of"
"""Tag of the run in MLflow that holds a campaign's stream."""
FILE, PAGE = "drift/stream.json", "drift/charts.html"
TEMPLATES = Path(__file__).parent / "templates"


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
    values = {}
    if judged.novelty:  # 0: nothing was found that could have one
        values["novelty"] = judged.novelty / judged.novelty_limit
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
    """Return one self-contained page, a figure for each measurement, those with alarms first."""
    by_measurement: dict[str, list[Chart]] = {}
    for one in sorted(charts, key=lambda one: (not one.alarm, one.measurement, one.value)):
        by_measurement.setdefault(one.measurement, []).append(one)
    return template(TEMPLATES, "drift.html.j2").render(
        report=report,
        figures={name: data_uri(charts_svg(name, some)) for name, some in by_measurement.items()},
        charts=by_measurement,
    )


def charts_svg(measurement: str, charts: Sequence[Chart]) -> str:
    """Draw a measurement's charts: observations, their weighted mean, and its limits."""
    from hpc_jobs.figure_style import ACCENT, BAD, FAINT, INK, TRUE, in_style, panels, svg_text

    with in_style():
        figure, axes = panels(len(charts))
        for panel, one in zip(axes, charts, strict=True):
            days = range(len(one.observed))
            watched = days[one.learned_from :]
            panel.plot(days, one.observed, ".", color=FAINT, markersize=4)
            for limit in (one.low, one.high):
                panel.plot(watched[: len(limit)], limit, "--", color=TRUE, linewidth=1)
            panel.plot(watched[: len(one.smoothed)], one.smoothed, color=ACCENT, linewidth=1.6)
            panel.set_title(one.value, color=BAD if one.alarm else INK)
            panel.set_xlabel("observation")
        return svg_text(figure, measurement)


def _read(client: "MlflowClient", run_id: str, campaign: str) -> Stream:
    folder, name = FILE.split("/")
    if FILE not in {one.path for one in client.list_artifacts(run_id, folder)}:
        return Stream(campaign=campaign)
    path = Path(client.download_artifacts(run_id, f"{folder}/{name}"))
    return Stream.model_validate(json.loads(path.read_text()))
