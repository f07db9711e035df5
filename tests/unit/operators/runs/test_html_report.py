"""The page holds what the terminal prints, its figures lie inside it, and MLflow has it."""

import base64
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from operators.pages.html_report import error_table, log_html_report, render
from operators.pages.speedup import log_speedups, speedup_metrics, speedups
from operators.runs.run import folder_of

PNG = b"\x89PNG\r\n\x1a\n only its first bytes are looked at here"
NETWORK = {
    "test_sum_mse": 0.002,
    "per_target": {"MP1": 0.0005, "MP2": 0.0015},
    "baselines": {
        "mean": {"sum": 0.2, "per_target": {"MP1": 0.1, "MP2": 0.1}},
        "surrogate": {"sum": 0.0012, "per_target": {"MP1": 0.0006, "MP2": 0.0006}},
    },
}
REPORT: dict[str, Any] = {
    "run_id": "demo-1",
    "campaign": "demo",
    "records_by_status": {"ok": 9, "necked": 1},
    "networks": {"mlp": NETWORK, "cnn": NETWORK | {"test_sum_mse": 0.003}},
    "alloys": {
        "dp780": {
            "verdict": "pass",
            "quantities": {"r_value_0": [0.781, 0.776]},
            "intervals": {"r_value_0": [0.731, 0.831]},
            "note": "",
            "refined": {
                "verdict": "pass",
                "quantities": {"r_value_0": [0.779, 0.776]},
                "intervals": {"r_value_0": [0.760, 0.798]},
            },
        },
        "aa2090": {
            "verdict": "outside",
            "quantities": {"r_value_0": [None, 0.21]},
            "intervals": {},
            "note": "r_value_0 <below> the range",
            "refined": None,
        },
    },
    "gate": {"promoted": True, "reason": "the first one", "model": "t1-mlp", "validation": "v1"},
}


SCORED: dict[str, Any] = {
    "lookups": {"network_s": 0.1, "refinement_s": 20.0, "surrogate_s": 1e-4, "fit_s": 2.0},
    "updating": {"measurement": "dp780", "parameters": {}, "simulations": 200, "seconds": 10.0},
}
USAGE = {"usage": {"core_hours": 1.0, "run_s": 50.0}}


def test_each_column_once_and_the_sum_last() -> None:
    table = error_table(REPORT["networks"])
    assert table["columns"] == ["mlp", "cnn", "mean", "surrogate"]
    assert [row["name"] for row in table["rows"]] == ["MP1", "MP2", "sum"]
    assert table["rows"][-1]["values"] == [0.002, 0.003, 0.2, 0.0012]


def test_baselines_that_see_forces_stand_beside_those_that_do_not() -> None:
    seeing = {"sum": 0.0008, "per_target": {"MP1": 0.0004, "MP2": 0.0004}}
    forces = NETWORK | {"baselines": NETWORK["baselines"] | {"surrogate": seeing}}
    table = error_table({"cnn": NETWORK, "mlp": forces})
    assert table["columns"] == ["cnn", "mlp", "mean", "surrogate", "surrogate (mlp)"]
    assert table["rows"][-1]["values"][3:] == [0.0012, 0.0008]


def test_the_page_says_everything_and_escapes_it() -> None:
    page = render(REPORT, {"networks": [], "alloys": {}})
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "10 simulated: 9 ok, 1 necked." in text
    assert "0.776 0.781 ± 0.050 0.779 ± 0.019" in text
    assert "the first one" in text and "OUTSIDE" in text.upper()
    assert "&lt;below&gt;" in page and "<below>" not in page
    assert page.count('class="best"') == 4  # MP1 is shared by two networks


def test_what_learning_was_worth_by_hand() -> None:
    """100 records of 1 core-second and 50 s of training, for answers of 10 s."""
    found = speedups(SCORED, 100, 3, {"usage": {"core_hours": 100 / 3600}}, USAGE)
    assert found is not None
    network = found["answers"]["network"]
    assert network["at"]["3"] == pytest.approx(10 * 103 / (0.1 * 3 + 150))
    assert network["limit"] == pytest.approx(100) and network["break_even"] == 16
    assert found["answers"]["refinement"]["break_even"] is None  # slower than FEM updating
    assert found["answers"]["surrogate"]["sequential_s"] == pytest.approx(0.05)
    assert speedups(SCORED | {"updating": None}, 100, 3, USAGE, USAGE) is None
    metrics = speedup_metrics(found)
    assert metrics["speedup/network/at_1000"] == pytest.approx(10 * 1100 / 250)
    assert "speedup/refinement/break_even" not in metrics
    page = render(REPORT | {"speedup": found}, {"networks": [], "alloys": {}})
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "network for FEM updating 10 s 0.1 s 6.85 44 99.9 100 16" in text
    svg = base64.b64decode(re.findall(r"svg\+xml;base64,([^\"]+)", page)[0]).decode()
    curves = ElementTree.fromstring(svg).findall(".//{*}polyline")
    assert len(curves) == 3 and svg.count("pays from") == 2
    heights = [float(pair.split(",")[1]) for pair in curves[0].attrib["points"].split()]
    assert heights == sorted(heights, reverse=True), "the more lookups, the faster"


def test_it_lands_in_mlflow_with_its_figures_inside(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    path = log_html_report(run, REPORT, "t1-mlp", "v1", bench.mlflow, bench.connect)
    found = speedups(SCORED, 100, 3, USAGE, USAGE)
    assert found is not None
    log_speedups(run, found, bench.mlflow)
    client = bench.mlflow.require()
    logged = client.get_run(run.mlflow_run_id).data.metrics
    assert {key: logged[key] for key in speedup_metrics(found)} == speedup_metrics(found)
    figures = client.list_artifacts(run.mlflow_run_id, "figures")
    assert [file.path for file in figures] == ["figures/speedup.svg"]
    page = Path(client.download_artifacts(run.mlflow_run_id, path)).read_text()
    assert page.count(base64.b64encode(PNG).decode()) == 3
    assert not re.search(r'(src|href)="(?!data:)', page)  # nothing outside the page is needed
