"""Links, and the page with a cluster job's output, read from a real login node."""

import os
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from hpc_jobs.contract.run import RunHandle
from operators.array.task_memory import job_token
from operators.hooks.mlflow import MODE
from operators.links import JobLogLink, MlflowRunLink, log_page
from operators.pages.job_log import TAIL_BYTES, find_handle, read_log, render

RUN_ID = "manual__2026-11-20T17:14:45+00:00/a&b #1"
TOKEN = job_token("hybrid_campaign", RUN_ID, "train")


@pytest.fixture
def handle(cluster) -> RunHandle:
    return RunHandle.model_validate(cluster.handle())


def write(cluster, name: str, text: str, age_s: int = 0) -> None:
    path = cluster.run.job(TOKEN).logs / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (1e9 - age_s, 1e9 - age_s))


def test_the_latest_output_is_shown_unless_another_is_named(cluster, handle):
    write(cluster, "1_0.out", "old", age_s=60)
    write(cluster, "1_1.out", "new")
    assert read_log(handle, TOKEN, None) == (["1_0.out", "1_1.out"], "1_1.out", "new")
    assert read_log(handle, TOKEN, "1_0.out")[2] == "old"


def test_of_a_long_output_the_end_is_shown(cluster, handle):
    write(cluster, "1_0.out", "x" * TAIL_BYTES + "the end")
    text = read_log(handle, TOKEN, None)[2]
    assert len(text) == TAIL_BYTES and text.endswith("the end")


@pytest.mark.parametrize("file", ["../intent.json", "/etc/passwd", "..", ".", "-n", "1_9.out"])
def test_only_files_of_the_log_folder_are_shown(cluster, handle, file):
    write(cluster, "1_0.out", "here")
    cluster.run.job(TOKEN).intent.write_text("{}")
    with pytest.raises(FileNotFoundError):
        read_log(handle, TOKEN, file)


def test_a_job_that_has_written_nothing(cluster, handle):
    with pytest.raises(FileNotFoundError):
        read_log(handle, TOKEN, None)


def test_what_a_job_writes_cannot_run_in_the_browser():
    evil = "<script>alert(1)</script>"
    page = render(evil, [(evil, '?file="><script>'), ("b", "?file=b")], "b", evil)
    assert "<script" not in page and page.count("&lt;script&gt;") == 5


def test_the_handle_is_found_among_all_that_tasks_returned(cluster, handle):
    returned = [None, 3, {"token": "x"}, handle.model_dump(mode="json"), "text"]
    assert find_handle(returned) == handle
    assert find_handle(returned[:3]) is None


def test_links(cluster, handle, monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://127.0.0.1:1/base/")
    key = SimpleNamespace(dag_id="d", run_id=RUN_ID, task_id="t", map_index=-1)
    link = urlsplit(JobLogLink().get_link(None, ti_key=key))
    assert link.path == "/base/hpc/logs/" and not link.fragment
    assert parse_qs(link.query)["run_id"] == [RUN_ID]
    assert parse_qs(urlsplit(log_page("d", "r", "t", 2, "a b&c")).query)["file"] == ["a b&c"]
    operator = SimpleNamespace(run=handle.model_dump(mode="json"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert MlflowRunLink().get_link(operator, ti_key=key) == ""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000/")
    assert MlflowRunLink().get_link(operator, ti_key=key) == f"http://127.0.0.1:5000/#/runs/0{MODE}"
    monkeypatch.setenv("MLFLOW_PUBLIC_URL", "https://mlflow.example")
    assert (
        MlflowRunLink().get_link(operator, ti_key=key) == f"https://mlflow.example/#/runs/0{MODE}"
    )
    assert MlflowRunLink().get_link(SimpleNamespace(run=None), ti_key=key) == ""
