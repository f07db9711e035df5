"""The result of a campaign as one page: no file beside it, so that it can be mailed or archived."""

import base64
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.run import RunHandle
from operators.hooks.hpc import Connect, Session, open_session
from operators.hooks.mlflow import MlflowHook
from operators.pages.speedup_figure import draw_speedups
from operators.runs.run import folder_of

if TYPE_CHECKING:
    from jinja2 import Template

log = logging.getLogger(__name__)

TEMPLATES = Path(__file__).parent / "templates"
ARTIFACT = "report.html"
LARGEST_FIGURE_BYTES = 4 << 20
LABELS = {
    "stress_ratio_45": "σ45 / σ0",
    "stress_ratio_90": "σ90 / σ0",
    "stress_ratio_biaxial": "σb / σ0",
    "r_value_0": "r0",
    "r_value_45": "r45",
    "r_value_90": "r90",
    "r_value_biaxial": "rb",
}
NETWORK_FIGURES = {
    "loss.png": "loss over the epochs",
    "parity.png": "identified against true, test set",
    "errors.png": "errors on the test set",
    "coverage.png": "how often the intervals hold the truth, and how wide they are",
}

Report = Mapping[str, Any]
Figure = dict[str, str]


def log_html_report(
    run: RunHandle,
    report: Report,
    model: str,
    validation: str,
    mlflow: MlflowHook | None = None,
    connect: Connect = open_session,
) -> str:
    """Render a campaign's report and log it with the campaign's run; returns the artifact's path.

    model, validation: whose figures are shown. A figure that is missing or too large is left out.
    """
    site = run.sites["cpu"]
    with connect(site.cluster) as session:
        folder = folder_of(run.run_id, site)
        figures = {
            "networks": list(_network_figures(session, folder, model)),
            "alloys": {
                name: list(_alloy_figures(session, folder, validation, name))
                for name in report["alloys"]
            },
        }
    client = (mlflow or MlflowHook()).require()
    client.log_text(run.mlflow_run_id, render(report, figures), ARTIFACT)
    return ARTIFACT


def render(report: Report, figures: Mapping[str, Any]) -> str:
    """Return the page; everything that the report says is escaped."""
    return template("campaign.html.j2").render(
        report=report,
        figures=figures,
        errors=error_table(report["networks"]),
        labels=LABELS,
        number=_number,
        half_width=_half_width,
        speedup=_speedup(report.get("speedup")),
    )


def template(name: str) -> "Template":
    """Load a page of templates/; it escapes what it is given, and misses nothing silently."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(name)


def error_table(networks: Mapping[str, Report]) -> dict[str, Any]:
    """Columns of networks, then of baselines, each once; rows of targets, then their sum.

    A network with forces has baselines with forces: those bear its name.
    """
    columns = {name: (net["per_target"], net["test_sum_mse"]) for name, net in networks.items()}
    for network, report in networks.items():
        for name, errors in report["baselines"].items():
            found = (errors["per_target"], errors["sum"])
            if columns.setdefault(name, found) != found:
                columns[f"{name} ({network})"] = found
    targets = next(iter(columns.values()))[0]
    rows = [
        {"name": target, "values": [each[target] for each, _ in columns.values()]}
        for target in targets
    ]
    rows.append({"name": "sum", "values": [total for _, total in columns.values()]})
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


def embedded(session: Session, path: PurePosixPath, caption: str) -> Iterable[Figure]:
    """Read a figure to lie inside a page; nothing where it is missing or too large."""
    try:
        content = session.read(str(path), 0, LARGEST_FIGURE_BYTES + 1)
    except FileNotFoundError:
        log.info("%s: missing, left out of the report", path)
        return
    if len(content) > LARGEST_FIGURE_BYTES:
        log.warning("%s: over %d bytes, left out of the report", path, LARGEST_FIGURE_BYTES)
        return
    yield {"data": base64.b64encode(content).decode(), "caption": caption}


def _half_width(interval: Sequence[float] | None) -> str:
    return f"± {_number((interval[1] - interval[0]) / 2)}" if interval else ""


def _speedup(found: Report | None) -> dict[str, Any] | None:
    if not found:
        return None
    svg = base64.b64encode(draw_speedups(found).encode()).decode()
    return {**found["table"], "svg": svg, "measured": found["measured"]}


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
