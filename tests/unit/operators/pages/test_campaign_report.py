"""The page holds what the terminal prints, its figures lie inside it, and MLflow has it."""

import base64
import re
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from hpc_jobs.contract.identified import IdentifiedSheet
from hpc_jobs.contract.report import CampaignReport, UsageReport
from operators.pages.campaign_report import error_table, log_campaign_page, render
from operators.pages.speedup import log_speedup, speedup_figure, speedup_metrics, speedup_report
from operators.runs.run import folder_of
from operators.tracking.summary import description
from tests.harness.reports import CNN, GATE, MLP, REPORT, RIDGE, SCORE, VERDICT
from tests.unit.cards.conftest import campaign, demo, parameters, sheet

__all__ = ["campaign", "demo", "parameters", "sheet"]

PNG = b"\x89PNG\r\n\x1a\n only its first bytes are looked at here"
NOTHING: dict[str, Any] = {"networks": [], "alloys": {}}
HOUR = UsageReport(core_hours=1.0, run_s=50.0)


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_each_column_once_and_the_sum_last() -> None:
    table = error_table(REPORT.networks)
    assert table["columns"] == ["mlp", "multitask_cnn", "mean", "pca_ridge"]
    assert [row["name"] for row in table["rows"]] == ["MP1", "MP2", "sum"]
    assert table["rows"][-1]["values"] == [0.004, 0.010, 0.2, 0.005]


def test_baselines_that_see_forces_stand_beside_those_that_do_not() -> None:
    seeing = RIDGE.model_copy(update={"sum": 0.0008})
    forces = MLP.model_copy(update={"baselines": CNN.baselines | {"pca_ridge": seeing}})
    table = error_table({"cnn": CNN, "mlp": forces})
    assert table["columns"] == ["mlp", "cnn", "mean", "pca_ridge (mlp)", "pca_ridge (cnn)"]
    assert table["rows"][-1]["values"][3:] == [0.0008, 0.005]


def as_a_database_returns_it(document: Any) -> Any:
    """PostgreSQL's JSONB: keys by their length, then by their bytes."""
    if isinstance(document, dict):
        ordered = sorted(document, key=lambda key: (len(key), key.encode()))
        return {key: as_a_database_returns_it(document[key]) for key in ordered}
    return [*map(as_a_database_returns_it, document)] if isinstance(document, list) else document


def test_a_report_that_went_through_a_database_is_the_same_page() -> None:
    stored = as_a_database_returns_it(REPORT.model_dump(mode="json"))
    assert list(stored["records_by_status"]) != list(REPORT.records_by_status)
    again = CampaignReport.model_validate(stored)
    assert render(again, NOTHING) == render(REPORT, NOTHING)
    assert description(again) == description(REPORT)


def test_the_page_says_everything_and_escapes_it() -> None:
    page = render(REPORT, NOTHING)
    text = text_of(page)
    assert "1200 simulated: 1190 ok, 10 necked." in text
    assert "0.800 0.781 ± 0.030 0.792 ± 0.021" in text
    assert GATE.reason in text and "OUTSIDE" in text.upper()
    assert "&lt;trained&gt;" in page and "<trained>" not in page
    assert page.count('class="best"') == 3  # one a row


def test_what_learning_was_worth_by_hand() -> None:
    """100 records of 1 core-second and 50 s of training, for answers of 10 s."""
    found = speedup_report(SCORE, 100, UsageReport(core_hours=100 / 3600), HOUR)
    assert found is not None
    network = found.answers["network"]
    assert found.lookups[0] == 2  # the measurements of this campaign
    assert network.effective_speedup(2) == pytest.approx(10 * 102 / (0.1 * 2 + 150))
    assert network.cost_ratio(2) == pytest.approx(10 * 2 / (0.1 * 2 + 150))
    assert network.cost_ratio(15) < 1 <= network.cost_ratio(16), "it crosses 1 at the break-even"
    assert network.limit == pytest.approx(100) and network.break_even == 16
    assert found.answers["surrogate"].sequential_s == pytest.approx(0.05)
    [pays] = [row for row in found.rows if row[0].startswith("cheaper from")]
    assert pays[2] == "never"  # the refinement is slower than FEM updating
    labels = [row[0] for row in found.rows]
    assert labels.index("cost ratio at 2") < labels.index("Fox's S at 2")
    metrics = speedup_metrics(found)
    assert metrics["speedup/network/fox_s_at_1000"] == pytest.approx(10 * 1100 / 250)
    assert metrics["speedup/network/cost_ratio_at_1000"] == pytest.approx(10 * 1000 / 250)
    assert metrics["speedup/network/break_even"] == 16
    assert "speedup/refinement/break_even" not in metrics
    page = render(REPORT.model_copy(update={"speedup": found}), NOTHING)
    text = text_of(page)
    assert "classical answer 10 s 10 s 0.05 s learned answer 0.1 s 20 s 0.0001 s" in text
    assert "cost ratio at 2 0.133" in text and "Fox's S at 2 6.79" in unescape(text)
    svg = base64.b64decode(re.findall(r"svg\+xml;base64,([^\"]+)", page)[0]).decode()
    words = [element.text or "" for element in ElementTree.fromstring(svg).iter()]
    assert sum("pays from" in word for word in words) == 2
    [axes] = speedup_figure(found).axes
    curves = {
        line.get_label(): line.get_ydata()
        for line in axes.lines
        if len(line.get_xdata()) > 9 and line.get_linestyle() == "-"
    }
    assert len(curves) == 3
    [rising] = [curve for label, curve in curves.items() if label.startswith("network")]
    assert rising[0] < 1 < rising[-1], "nobody gains by a single answer"
    assert np.all(np.diff(np.asarray(rising)) >= 0), "the more lookups, the faster"
    assert rising[-1] > 10 * rising[0]


def test_what_nobody_measured_has_no_speedup() -> None:
    silent = VERDICT.model_copy(update={"updating": None})
    assert speedup_report(SCORE.model_copy(update={"verdict": silent}), 100, HOUR, HOUR) is None
    assert speedup_report(SCORE.model_copy(update={"lookups": None}), 100, HOUR, HOUR) is None
    assert speedup_report(SCORE, 0, HOUR, HOUR) is None


def test_it_lands_in_mlflow_with_its_figures_inside(bench: Any) -> None:
    run = bench.open()
    folder = folder_of(run.run_id, run.sites["cpu"])
    figures = [
        folder.model("t1-mlp") / "figures" / "loss.png",
        folder.figure("v1", "dp780"),
        folder.refined_figure("v1", "dp780"),
    ]
    with bench.connect("cpu") as hook:
        for path in figures:
            hook.write(str(path), PNG)
    path = log_campaign_page(run, REPORT, bench.mlflow, bench.connect)
    found = speedup_report(SCORE, 100, HOUR, HOUR)
    assert found is not None
    log_speedup(run, found, bench.mlflow)
    client = bench.mlflow.require()
    logged = client.get_run(run.mlflow_run_id).data.metrics
    assert {key: logged[key] for key in speedup_metrics(found)} == speedup_metrics(found)
    figures = client.list_artifacts(run.mlflow_run_id, "figures")
    assert [file.path for file in figures] == ["figures/speedup.svg"]
    page = Path(client.download_artifacts(run.mlflow_run_id, path)).read_text()
    assert page.count(base64.b64encode(PNG).decode()) == 3
    assert not re.search(r'(src|href)="(?!data:|#)', page)  # nothing outside the page is needed


def test_it_begins_with_the_answers_and_publishes_pages_and_cards(
    bench: Any, sheet: IdentifiedSheet
) -> None:
    run = bench.open()
    folder = folder_of(run.run_id, run.sites["cpu"])
    named = sheet.model_copy(update={"measurement": "dp780"})
    with bench.connect("cpu") as hook:
        hook.write(str(folder.sheet("v1", "dp780")), named.model_dump_json().encode())
        hook.write(str(folder.page("v1", "dp780")), b"<p>a 'page' of its own</p>")
        hook.write(str(folder.cards("v1", "dp780") / "dp780_mat133.k"), b"*MAT_BARLAT_YLD2000")
    path = log_campaign_page(run, REPORT, bench.mlflow, bench.connect)
    client = bench.mlflow.require()
    page = Path(client.download_artifacts(run.mlflow_run_id, path)).read_text()
    text = text_of(page)
    r45 = sheet.quantities["r_value_45"].value
    assert f"{r45:.3f} ± 0.020" in text.partition("Test errors")[0]
    assert f"α1 MP1 {sheet.parameters['alpha1'].value:.4f} ± 0.0100" in text
    assert text.index("Answers") < text.index("Settings") < text.index("Records")
    assert "*MAT_BARLAT_YLD2000" in page and "Hardening: given by the campaign" in text
    assert 'srcdoc="&lt;p&gt;a &#39;page&#39;' in page
    logged = {file.path for file in client.list_artifacts(run.mlflow_run_id, "measurements")}
    assert logged == {"measurements/dp780.html"}
    cards = {file.path for file in client.list_artifacts(run.mlflow_run_id, "cards/dp780")}
    assert cards == {"cards/dp780/dp780_mat133.k"}


def test_a_retraining_is_called_so_and_a_campaign_without_speedup_is_not() -> None:
    assert "Campaign demo" in text_of(render(REPORT, NOTHING))
    report = REPORT.model_copy(update={"of": "retraining"})
    assert "Retraining of demo" in text_of(render(report, NOTHING))
