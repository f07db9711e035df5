"""Judge a network by the measurements: verdict.json, figures, pages, cards, and a tracking spool.

Each measurement has a page for people; an identified sheet also its own file and material cards.
"""

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpc_jobs.cards import publish_cards
from hpc_jobs.contract.answers import reported
from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.facts import ScoreFacts
from hpc_jobs.contract.identified import IdentifiedSheet
from hpc_jobs.contract.records import publish_model, read_model
from hpc_jobs.contract.speedup import Updating
from hpc_jobs.contract.validation import Estimate, Estimates, Judgement, Verdict
from hpc_jobs.identification.by_fem import answered
from hpc_jobs.identification.by_surrogate import Identifier
from hpc_jobs.identification.fem_updating import update, update_family
from hpc_jobs.identification.figures import draw_case
from hpc_jobs.identification.mesh_bias import read_mesh_bias
from hpc_jobs.identification.resimulated import read_field
from hpc_jobs.identification.verdict import Case, score, verdict
from hpc_jobs.measurement.file import read_for
from hpc_jobs.measurement_page.page import publish_measurement_page
from hpc_jobs.runtime import element
from hpc_jobs.runtime.answers import asked_of
from hpc_jobs.tracking.spool import Spool

log = logging.getLogger(__name__)


def work(job: element.Element) -> ScoreFacts:
    """Compare, judge, draw."""
    name = job.arguments.validation
    estimates = read_model(Estimates, job.run.estimates(name))
    cases, refined = [], []
    for estimate in estimates.estimates:
        cases.append(_compare(job, estimate))
        job.progress(len(cases), len(estimates.estimates), "measurements")
    for estimate in answered(job.run, estimates):
        refined.append(_compare(job, estimate, refined=True))
    result = verdict(job.campaign, estimates, cases, refined)
    if job.campaign.validation.updating:
        result = result.model_copy(update={"updating": _update(job, estimates)})
    sheets = _publish_pages(job, result, cases, refined)
    publish_model(job.run.verdict(name), result)
    _track(job, result, sheets)
    return ScoreFacts(verdict=result, lookups=estimates.lookups)


def _publish_pages(
    job: element.Element, result: Verdict, cases: Sequence[Case], refined: Sequence[Case]
) -> dict[str, list[Path]]:
    """Write pages, identified sheets and cards; returns each measurement's files for MLflow."""
    published = {}
    second = {case.measurement.name: case for case in refined}
    for case in cases:
        name = case.measurement.name
        names = (result.validation, name)
        asked = asked_of(job.run, job.frozen, result, case, second.get(name))
        if asked.sheet is not None:
            publish_model(job.run.sheet(*names), asked.sheet)
        publish_measurement_page(job.run.page(*names), job.campaign, asked)
        published[name] = [job.run.page(*names), *_publish_cards(job, asked.sheet, names)]
    return published


def _publish_cards(
    job: element.Element, sheet: IdentifiedSheet | None, names: tuple[str, str]
) -> list[Path]:
    """Write a sheet's cards, unless its answer failed or no density is told: its page says so."""
    if sheet is None or sheet.verdict == "fail":
        return []
    try:
        return publish_cards(job.run.cards(*names), sheet)
    except BadInput as error:
        log.warning("%s: no cards: %s", sheet.measurement, error)
        return []


def _update(job: element.Element, estimates: Estimates) -> Updating:
    """Identify one measurement by FEM updating, if there is one that was answered: it."""
    both = (*estimates.estimates, *estimates.refined)
    answered = [each.measurement for each in both if each.parameters is not None]
    name = next(iter(answered), estimates.estimates[0].measurement)
    if not job.campaign.family.is_single_sheet:
        measured = read_for(job.campaign, job.run.measurement(name))
        return update_family(job.campaign, measured, read_mesh_bias(job.run, job.campaign))
    return update(
        Identifier.of(job.run, read_mesh_bias(job.run, job.campaign)),
        read_for(job.campaign, job.run.measurement(name)),
    )


def _compare(job: element.Element, estimate: Estimate, *, refined: bool = False) -> Case:
    """Compare one estimate with its measurement, and draw the page."""
    field, figure = job.run.field, job.run.figure
    if refined:
        field, figure = job.run.refined_field, job.run.refined_figure
    names = job.arguments.validation, estimate.measurement
    measurement = read_for(job.campaign, job.run.measurement(estimate.measurement))
    found = read_field(field(*names), estimate)
    case = score(job.campaign, measurement, found, refined=refined)
    draw_case(figure(*names), job.campaign, case)
    return case


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which validation."""
    parser.add_argument("--validation", required=True, help="name of the validation")


def _track(job: element.Element, result: Verdict, files: Mapping[str, Sequence[Path]]) -> None:
    name = f"validation-{result.validation}"
    tags = {"model": result.model, "passed": str(result.passed).lower()}
    with Spool(job.spool_file(name), name=name, tags=tags) as spool, spool.ended():
        spool.params(result.limits.model_dump())
        spool.metrics(_metrics(result), step=0)
        spool.artifact(
            str(job.run.verdict(result.validation).relative_to(job.run.root)), "validation"
        )
        for name in result.measurements:
            figure = job.run.figure(result.validation, name)
            spool.artifact(str(figure.relative_to(job.run.root)), "figures")
        for name in result.refined:
            figure = job.run.refined_figure(result.validation, name)
            spool.artifact(str(figure.relative_to(job.run.root)), "figures/refined")
        for name, published in files.items():
            for path in published:
                folder = "measurements" if path.suffix == ".html" else f"cards/{name}"
                spool.artifact(str(path.relative_to(job.run.root)), folder)


def _metrics(result: Verdict) -> dict[str, float]:
    metrics = {"validation/passed": float(result.passed)}
    for name, judgement in result.measurements.items():
        metrics |= _judgement_metrics(f"validation/{name}", judgement)
    for name, judgement in result.refined.items():
        metrics |= _judgement_metrics(f"refined/{name}", judgement)
    return metrics


def _judgement_metrics(prefix: str, judgement: Judgement) -> dict[str, float]:
    metrics = {
        f"{prefix}/failed": float(judgement.verdict == "fail"),
        f"{prefix}/outside": float(judgement.verdict == "outside"),
    }
    if judgement.novelty:  # 0: nothing was found that could have one
        metrics[f"{prefix}/novelty"] = judgement.novelty / judgement.novelty_limit
    metrics |= {f"{prefix}/{error}": value for error, value in judgement.errors.items()}
    for one in reported(judgement):
        if one.value is not None and one.name not in judgement.quantities:
            metrics[f"{prefix}/{one.name}"] = one.value
        if one.error is not None:
            kind = "relative_error" if one.is_stress else "error"
            metrics[f"{prefix}/{one.name}_{kind}"] = one.error
    return metrics


if __name__ == "__main__":
    element.main(work, arguments)
