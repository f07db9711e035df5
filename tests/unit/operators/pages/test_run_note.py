"""The note of a DAG run: verdict, parameters, causes; short, and never over a person's."""

from types import SimpleNamespace

import pytest

from operators.pages import run_note
from operators.pages.campaign_page import campaign_document
from operators.pages.run_note import LONGEST, MARK, note_of
from operators.pages.tasks import Task
from tests.harness.reports import GATE, REPORT


@pytest.fixture
def handle(cluster):
    return dict(cluster.handle())


def test_it_says_verdict_report_and_parameters(handle):
    report = REPORT.model_copy(update={"mlflow_experiment_id": "7"})
    tasks = [
        Task("open_run", "success", 1.0, handle),
        Task("gate", "success", 1.0, GATE.model_dump(mode="json")),
        Task("report", "success", 1.0, report.model_dump(mode="json")),
    ]
    note = note_of(campaign_document(tasks, "success", "http://mlflow"))
    assert note.startswith(MARK) and "not promoted" in note
    assert "/artifacts/report.html" in note and "dp780 (network): pass" in note
    assert len(note) <= LONGEST


def test_a_failure_is_told_with_the_first_line_of_its_cause(handle):
    tasks = [
        Task("open_run", "success", 1.0, handle),
        Task("train.train_networks", "failed", cause="4 of 4 failed:\nConfigurationError: x"),
    ]
    note = note_of(campaign_document(tasks, "failed"))
    assert "failed in `train.train_networks`: 4 of 4 failed:" in note.splitlines()[0]
    assert "ConfigurationError" not in note


def test_a_campaign_that_was_refused_says_why():
    refused = [Task("open_run", "failed", cause="design.train_records is 8: too few")]
    assert "too few" in note_of(campaign_document(refused, "failed"))
    assert note_of(campaign_document([Task("table", "success")], "success")) == ""


def test_what_a_person_wrote_stays(monkeypatch):
    page = {"campaign": False, "failed": [{"task_id": "t", "cause": "c"}]}
    monkeypatch.setattr(run_note, "_document", lambda *_: page)
    mine = SimpleNamespace(note="my own words", run_id="r")
    run_note.on_dag_run_failed(mine, "")
    assert mine.note == "my own words"
    ours = SimpleNamespace(note=f"{MARK}of before", run_id="r")
    run_note.on_dag_run_failed(ours, "")
    assert "`t`: c" in ours.note


def test_a_note_that_cannot_be_written_disturbs_nobody():
    run = SimpleNamespace(note=None, run_id="r")
    run_note.on_dag_run_success(run, "")
    assert run.note is None
