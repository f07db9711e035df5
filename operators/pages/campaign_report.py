"""The result of a campaign: put together from what its tasks handed over, and drawn as a page."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hpc_jobs.contract.answers import given_in_words, order_of
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.facts import PackedFacts, ScoreFacts
from hpc_jobs.contract.identified import Value
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.measurement import QUANTITY_LABELS, Quantity
from hpc_jobs.contract.ordering import by_status, error_columns
from hpc_jobs.contract.records import Manifest
from hpc_jobs.contract.report import (
    ArrayReport,
    CampaignReport,
    Challenger,
    GateReport,
    NetworkErrors,
)
from hpc_jobs.contract.run import RunHandle
from hpc_jobs.contract.speedup import SpeedupReport
from hpc_jobs.contract.validation import INTERVAL_LEVEL
from hpc_jobs.page_style import data_uri
from operators.hooks.hpc import Connect, Session, open_session
from operators.hooks.mlflow import MlflowHook
from operators.pages.answers_section import Answer, read_answers, without_files
from operators.pages.money import PRICES, costs_of
from operators.pages.page import Figure, embedded, template
from operators.pages.speedup import log_speedup, speedup_report, speedup_svg
from operators.runs.run import folder_of, read_frozen
from operators.tracking.summary import describe_result

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

TOLD: tuple[Quantity, ...] = (
    "r_value_0",
    "r_value_45",
    "r_value_90",
    "stress_ratio_45",
    "stress_ratio_90",
    "stress_ratio_biaxial",
)
"""Columns of the table of all answers."""
NETWORK_FIGURES = {
    "loss.png": "loss over the epochs",
    "parity.png": "identified against true, test set",
    "errors.png": "errors on the test set",
    "coverage.png": "how often the intervals hold the truth, and how wide they are",
}


def campaign_report(
    run: RunHandle,
    dataset: ArrayReport,
    challenger: Challenger,
    scored: ArrayReport,
    gate: GateReport,
    solved: ArrayReport,
    trained: ArrayReport,
) -> CampaignReport:
    """Assemble the result; its size is that of the campaign file.

    dataset, scored, solved, trained: what the array jobs of `publish_dataset`, `score`,
    `solve_shard` and `train` returned. Raises CorruptFile where one of them does not say what this
    version reads.
    """
    packed, score = dataset.read(PackedFacts), scored.read(ScoreFacts)
    return CampaignReport(
        run_id=run.run_id,
        campaign=run.campaign,
        mlflow_run_id=run.mlflow_run_id,
        records_by_status=packed.by_status,
        networks=challenger.networks,
        verdict=score.verdict,
        gate=gate,
        speedup=speedup_report(score, packed.train, solved.usage, trained.usage),
    )


def retraining_report(
    run: RunHandle,
    challenger: Challenger,
    scored: ArrayReport,
    gate: GateReport,
    connect: Connect = open_session,
) -> CampaignReport:
    """Assemble the result of a retraining: all records that the dataset has by now; no speedup.

    Raises CorruptFile where the dataset's manifest or what was scored is not of this version.
    """
    site = run.sites["cpu"]
    path = folder_of(run.run_id, site).dataset_manifest
    with connect(site.cluster) as session:
        try:
            manifest = Manifest.model_validate_json(session.read(str(path)))
        except (FileNotFoundError, ValidationError) as error:
            raise CorruptFile(f"{session.cluster}:{path}: {error}") from None
    return CampaignReport(
        run_id=run.run_id,
        campaign=run.campaign,
        mlflow_run_id=run.mlflow_run_id,
        of="retraining",
        records_by_status=manifest.facts["by_status"],
        networks=challenger.networks,
        verdict=scored.read(ScoreFacts).verdict,
        gate=gate,
    )


def publish_report(
    run: RunHandle,
    report: CampaignReport,
    mlflow: MlflowHook | None = None,
    connect: Connect = open_session,
) -> tuple[CampaignReport, str]:
    """Put a result where people look in MLflow; returns it, and the address of its page."""
    mlflow = mlflow or MlflowHook()
    experiment = str(mlflow.require().get_run(run.mlflow_run_id).info.experiment_id)
    report = report.model_copy(update={"mlflow_experiment_id": experiment})
    if report.speedup:
        log_speedup(run, report.speedup, mlflow)
    page = log_campaign_page(run, report, mlflow, connect)
    describe_result(run, report, mlflow)
    return report, mlflow.artifact_link(experiment, run.mlflow_run_id, page)


def log_campaign_page(
    run: RunHandle,
    report: CampaignReport,
    mlflow: MlflowHook | None = None,
    connect: Connect = open_session,
) -> str:
    """Render a campaign's report and log it with the campaign's run; returns the artifact's path.

    The measurements' pages and the sheets' cards go into the same run: measurements/NAME.html and
    cards/NAME/. What is missing or too large is left out.
    """
    site = run.sites["cpu"]
    client = (mlflow or MlflowHook()).require()
    with connect(site.cluster) as session:
        folder = folder_of(run.run_id, site)
        answers = list(read_answers(session, folder, report.verdict))
        figures = {
            "networks": list(_network_figures(session, folder, report.gate.model)),
            "alloys": {
                name: list(_alloy_figures(session, folder, report.gate.validation, name))
                for name in _without_page(answers)
            },
        }
        settings = settings_of(read_frozen(session, folder).campaign)
    for answer in answers:
        _publish(client, run, answer)
    page = render(report, figures, answers, settings)
    client.log_text(run.mlflow_run_id, page, report.page)
    return report.page


def _without_page(answers: Sequence[Answer]) -> list[str]:
    """Measurements whose figures the report has to show itself."""
    return [answer.name for answer in answers if not answer.html]


def _publish(client: "MlflowClient", run: RunHandle, answer: Answer) -> None:
    """Log a measurement's page and cards with the campaign's run."""
    for card in answer.cards:
        client.log_text(run.mlflow_run_id, card["text"], f"cards/{answer.name}/{card['file']}")
    if answer.html:
        client.log_text(run.mlflow_run_id, answer.html, answer.page)


def settings_of(campaign: Campaign) -> dict[str, str]:
    """Say in a line each what decides over the answers."""
    sheet, specimens = campaign.sheet, campaign.specimens
    identified = [one.name for one in campaign.family.coordinates if one.role == "identified"]
    networks = ", ".join(network.name for network in campaign.training.networks)
    mesh = specimens.mesh
    return {
        "yield function": sheet.yield_function,
        "identified": ", ".join((*campaign.targets.values(), *identified)),
        "hardening law": sheet.hardening.law,
        "specimens": ", ".join(f"{test.label}°" for test in specimens.tests),
        "mesh": f"{mesh.along} x {mesh.across} elements",
        "records": f"{campaign.design.train_records} to train, {campaign.design.test_records} to "
        "test, in the first round",
        "noise": f"{campaign.noise.strain:g} of strains, "
        f"{100 * campaign.noise.force_relative:g} % of forces",
        "networks": networks,
        "clusters": f"{campaign.execution.cpu_cluster}, {campaign.execution.gpu_cluster}",
    }


def render(
    report: CampaignReport,
    figures: Mapping[str, Any],
    answers: Sequence[Answer] = (),
    settings: Mapping[str, str] | None = None,
) -> str:
    """Return the page; everything that the report says is escaped.

    answers: by their verdict alone, if nobody read more of them.
    """
    shown = list(answers) or without_files(report.verdict)
    dates = {answer.sheet.identified_on for answer in shown if answer.sheet}
    return template("campaign.html.j2").render(
        report=report,
        title="Campaign" if report.of == "campaign" else "Retraining of",
        dates=sorted(dates),
        answers=shown,
        told=TOLD,
        level=f"{100 * INTERVAL_LEVEL:.0f} %",
        settings=settings or {},
        figures=figures,
        errors=error_table(report.networks),
        given=given_in_words,
        ordered=partial(sorted, key=order_of),
        records=by_status(report.records_by_status),
        labels=QUANTITY_LABELS,
        prices={PRICES[name]: price for name, price in costs_of(report).items()},
        number=_number,
        half_width=_half_width,
        with_interval=_with_interval,
        speedup=report.speedup,
        speedup_figure=_speedup_figure(report.speedup),
    )


def error_table(networks: dict[str, NetworkErrors]) -> dict[str, Any]:
    """Columns of networks, then of baselines; rows of targets, then their sum."""
    columns = error_columns(networks)
    targets = sorted(next(iter(columns.values())).per_target, key=order_of)
    rows = [
        {"name": target, "values": [each.per_target[target] for each in columns.values()]}
        for target in targets
    ]
    rows.append({"name": "sum", "values": [each.sum for each in columns.values()]})
    return {"columns": list(columns), "rows": rows}


def _network_figures(
    session: Session, folder: RunFolder[PurePosixPath], model: str
) -> Iterable[Figure]:
    for file, caption in NETWORK_FIGURES.items():
        yield from embedded(session, folder.model(model) / "figures" / file, f"{model}: {caption}")


def _alloy_figures(
    session: Session, folder: RunFolder[PurePosixPath], validation: str, name: str
) -> Iterable[Figure]:
    yield from embedded(session, folder.figure(validation, name), f"{name}: the network")
    yield from embedded(session, folder.refined_figure(validation, name), f"{name}: refined")


def _half_width(interval: tuple[float, float] | None) -> str:
    return f"± {_number((interval[1] - interval[0]) / 2)}" if interval else ""


def _with_interval(value: Value, digits: int = 3) -> str:
    half = "" if value.half_width is None else f" ± {value.half_width:.{digits}f}"
    return f"{value.value:.{digits}f}{half}"


def _speedup_figure(report: SpeedupReport | None) -> str:
    return data_uri(speedup_svg(report)) if report else ""


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
