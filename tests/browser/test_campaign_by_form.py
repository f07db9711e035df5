"""A person's way through a campaign: form, live page, report, model, a failed element's log.

A whole stack runs, and Chromium looks at it: what is checked is what a person reads.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from quickstart.stack.airflow_api import AirflowApi
from quickstart.stack.components import mlflow_url
from quickstart.stack.supervisor import Stack
from tests.browser.chromium import Browser
from tests.harness.waiting import wait_until

DAG = "hybrid_campaign"
PATIENCE_S = 1500.0
"""For a campaign on a machine that has other work as well."""
RECORDS = "321"
TESTS, SHARD = 40, 80
"""Test records, and records of a shard, of the small campaign."""


def without_paths(window: Browser, stack: Stack) -> None:
    """Let no picture show where this machine keeps the test's files."""
    script = (
        "const log = document.querySelector('#element-log');"
        "log.innerText = log.innerText.replaceAll(arguments[0], '~');"
        "log.scrollTop = log.scrollHeight;"
    )
    window.run(script, str(stack.layout.root))


def runs(api: AirflowApi) -> list[dict[str, Any]]:
    found = api.get(f"dags/{DAG}/dagRuns", order_by="-run_after")
    return list(found["dag_runs"])


def left_by(api: AirflowApi, run_id: str, key: str) -> dict[str, Any] | None:
    """Read what the simulations' task left under a key; None before it did."""
    path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances/simulate.solve_shards/xcomEntries"
    if key not in {one["key"] for one in api.get(path)["xcom_entries"]}:
        return None
    value = api.get(f"{path}/{key}", stringify=False)["value"]
    return dict(json.loads(value) if isinstance(value, str) else value)


@pytest.fixture(scope="module")
def triggered(window: Browser, home: str, api: AirflowApi) -> str:
    """Trigger the small campaign by its form; returns the DAG run's id.

    Beside it run one whose elements all fail, and one that is refused.
    """
    window.open(f"{home}/dags/{DAG}")
    window.press("Trigger")
    window.unfold("Simulation", "input[name=element_train_records]")
    window.type("input[name=element_train_records]", RECORDS)
    if folder := os.environ.get("SCREENSHOTS"):
        window.screenshot(Path(folder) / "trigger-form.png")
    before = {one["dag_run_id"] for one in runs(api)}
    window.press("Trigger")
    [made] = wait_until(
        lambda: [one for one in runs(api) if one["dag_run_id"] not in before], what="a DAG run"
    )
    assert (made["conf"]["campaign"], made["conf"]["train_records"]) == ("small", int(RECORDS))
    for run_id, given in (
        ("broken", {"campaign": "unsolvable"}),
        ("refused", {"campaign": "small", "train_records": 8}),
    ):
        body = {"conf": given, "dag_run_id": run_id, "logical_date": None}
        api.create(f"dags/{DAG}/dagRuns", body)
    return str(made["dag_run_id"])


@pytest.fixture(scope="module")
def broken(api: AirflowApi, triggered: str) -> dict[str, Any]:
    """A campaign whose elements all fail, and what Airflow says of it in the end."""

    def ended() -> dict[str, Any] | None:
        run = api.get(f"dags/{DAG}/dagRuns/broken")
        return dict(run) if run["state"] in ("success", "failed") else None

    return wait_until(ended, PATIENCE_S, "the broken campaign ends")


def test_the_page_follows_the_campaign_live(window, home, api, triggered, keep):
    window.open(f"{home}/dags/{DAG}/runs/{triggered}/plugin/campaign")
    window.reads("Stages", PATIENCE_S)
    records = int(RECORDS) + TESTS
    planned, done = f"of {records} records", "shards simulated"

    def seen() -> bool:
        state = api.get(f"dags/{DAG}/dagRuns/{triggered}")["state"]
        assert state != "failed", window.text
        return planned in window.text or left_by(api, triggered, "return_value") is not None

    wait_until(seen, PATIENCE_S, f"the page says '{planned}' while records are simulated")
    keep("campaign-live.png")
    assert done in window.text
    window.reads("as of", PATIENCE_S)  # after a look that failed the page says so, for some seconds
    told = left_by(api, triggered, "progress")
    assert told is not None and told["work_planned"] == records, "not of those begun alone"
    assert len(json.dumps(told)) < 1024
    window.reads("Champion before: none", PATIENCE_S)
    assert "upstream failed" not in window.text


def test_three_clicks_lead_from_home_to_the_identified_parameters(window, home, triggered, keep):
    window.open(f"{home}/dags/{DAG}/runs/{triggered}/plugin/campaign")
    window.reads("Champion before: none", PATIENCE_S)
    window.open(f"{home}/dags")
    clicks = window.clicks_to("Hybrid campaign")
    clicks += open_latest_run(window)
    clicks += window.clicks_to("Campaign")
    window.reads("interval")
    window.reads("identified")
    assert clicks <= 3
    keep("campaign-page.png")


def open_latest_run(window: Browser) -> int:
    """Click the latest run in the DAG's page."""
    script = (
        "const found = [...document.querySelectorAll('a')].find((one) =>"
        " one.href.includes('/dags/hybrid_campaign/runs/manual'));"
        "if (found) found.click(); return Boolean(found);"
    )
    wait_until(lambda: window.run(script), what="a link to the run")
    return 1


def test_report_and_model_are_a_click_away(window, home, stack, triggered, keep):
    window.open(f"{home}/dags/{DAG}/runs/{triggered}/plugin/campaign")

    def linked() -> dict[str, str]:
        found = window.run(
            "return Object.fromEntries([...document.querySelectorAll('#campaign-page a')]"
            ".map((one) => [one.innerText, one.href]))"
        )
        return dict(found) if "Report" in found else {}

    # The run's note says the verdict, too, and comes sooner than the tab
    links = wait_until(linked, PATIENCE_S, "the tab links the report")
    for label, name, words in (
        ("Report", "mlflow-report.png", "report.html"),
        ("Model", "mlflow-model.png", "small-material-identifier"),
        ("MLflow run", "mlflow-run.png", "verdict"),
    ):
        assert links[label].startswith(mlflow_url(stack.ports))
        window.open(links[label])
        window.reads(words)
        assert "Judges" not in window.text, "MLflow's pages are those for models"
        keep(name)


def test_the_note_says_the_verdict(api, triggered):
    run = wait_until(
        lambda: (one := api.get(f"dags/{DAG}/dagRuns/{triggered}"))["note"] and one, what="a note"
    )
    assert run["state"] == "success" and run["note"].startswith("**Campaign** small")
    assert "report.html" in run["note"]


def test_elements_are_squares_and_one_shows_its_output(window, home, triggered, keep):
    window.open(f"{home}/dags/{DAG}/runs/{triggered}/plugin/campaign")
    window.click("shards simulated")
    window.reads("elements of solve_shard")
    squares = "return document.querySelectorAll('#elements-grid button').length"
    shards = -(-(int(RECORDS) + TESTS) // SHARD)
    drawn = wait_until(
        lambda: (seen := window.run(squares)) >= shards and seen, PATIENCE_S, "a square each"
    )
    assert drawn == shards, "one for each shard"
    window.run("document.querySelector('#elements-grid button').click()")
    window.reads("node")
    keep("elements.png")


def test_a_failed_campaign_is_red_with_its_cause_first(window, home, api, stack, broken, keep):
    assert broken["state"] == "failed"
    window.open(f"{home}/dags/{DAG}/runs/broken/plugin/campaign")
    window.reads("This run failed.")
    window.reads("no_such_package")
    top = window.run(
        "return [...document.querySelectorAll('pre')]"
        ".find((one) => one.innerText.includes('no_such_package')).getBoundingClientRect().top"
    )
    assert top < window.run("return window.innerHeight")
    keep("campaign-failed.png")
    assert "no_such_package" in broken["note"]
    states = {
        one["task_id"]: one["state"]
        for one in api.get(f"dags/{DAG}/dagRuns/broken/taskInstances")["task_instances"]
    }
    [failed] = [task for task, state in states.items() if state == "failed"]
    window.open(f"{home}/dags/{DAG}/runs/broken/tasks/{failed}/plugin/elements")
    window.reads("Failures by cause")
    window.press("log of element 0")
    window.reads("Traceback")
    without_paths(window, stack)
    keep("elements-failed.png")


def test_a_campaign_that_cannot_work_is_refused_in_words(window, home, triggered, keep):
    window.open(f"{home}/dags/{DAG}/runs/refused/plugin/campaign")
    window.reads("The campaign could not be opened.", PATIENCE_S)
    window.reads("design.train_records is 8", PATIENCE_S)
    assert "Stages" not in window.text
    keep("campaign-refused.png")


def test_the_clusters_page_shows_who_answers(window, home, triggered, keep):
    window.open(f"{home}/plugin/hpc")
    window.reads("Clusters")
    window.reads("reached")
    window.reads("Never checked: trigger cluster_check.")
    keep("hpc.png")
