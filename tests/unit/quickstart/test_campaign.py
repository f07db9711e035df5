"""`campaign`: what is asked for, what is shown meanwhile, what is printed in the end."""

import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.run import RunHandle, SiteHandle
from hpc_jobs.job_folder.folder import ElementProgress
from hpc_jobs.job_folder.writer import publish_progress
from quickstart.campaign import follow as follow_module
from quickstart.campaign.command import WrongSetting, conf
from quickstart.campaign.follow import follow
from quickstart.campaign.result import comparison, print_result
from quickstart.campaign.run import CampaignFailed, CampaignRun, form_fields
from tests.harness.reports import REPORT

FORM = {"campaign", "train_records", "angles_deg", "overrides"}


def test_settings_fill_the_form_or_override_the_campaign() -> None:
    settings = [
        "train_records=200",
        "angles_deg=[0, 90]",
        "training.learning_rate=2.0e-3",
        "solver=reference",
        "training.schedule={kind: cosine}",
    ]
    assert conf("demo", settings, FORM) == {
        "campaign": "demo",
        "train_records": 200,
        "angles_deg": "0, 90",
        "overrides": {
            "training": {"learning_rate": 0.002, "schedule": {"kind": "cosine"}},
            "solver": "reference",
        },
    }
    assert conf("demo", [], FORM) == {"campaign": "demo"}


@pytest.mark.parametrize(
    ("setting", "remedy"),
    [
        ("x", "write key=value"),
        ("records=3", "train_records"),
        ("trainings.epochs=3", "a campaign has"),
        ("train_records=[", "YAML"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_remedy(setting: str, remedy: str) -> None:
    with pytest.raises(WrongSetting, match=remedy):
        conf("demo", [setting], FORM)


def test_the_result_says_everything_and_that_a_network_loses() -> None:
    console = Console(width=110, record=True, file=io.StringIO())
    print_result(REPORT, console)
    text = console.export_text()
    assert "1190 ok, 10 necked (of 1200)" in text
    assert "multitask_cnn beats mean: its error is 20.0 times lower; better on 2 of 2" in text
    assert "multitask_cnn LOSES to pca_ridge: its error is 2.0 times higher; better on 0" in text
    assert "0.781 ± 0.030 (0.800)" in text and "- (0.210)" in text
    assert "PASS" in text and "OUTSIDE" in text
    assert "0.792 ± 0.021 (0.800)" in text and "FAIL" in text  # refined, with its interval
    assert "aa2090: outside the <trained> range [r_value_0]" in text
    assert "mlp beats mean: its error is 50.0 times lower" in text
    [header] = [line for line in text.splitlines() if "target" in line and "┃" in line]
    columns = [column.strip() for column in header.strip("┃").split("┃")]
    assert columns == ["target", "multitask_cnn", "mlp", "mean", "pca_ridge"]  # each one once
    assert "gate: t1-mlp: not promoted: [it] failed" in text


def test_a_comparison_of_equals_names_no_winner() -> None:
    assert comparison("cnn", 1.0, "mean", 1.0) == "cnn equals mean"


def handle(workspace: Path) -> RunHandle:
    return RunHandle(
        run_id="demo-1",
        campaign="demo",
        code_sha256="c" * 64,
        sites={"cpu": SiteHandle(cluster="cpu", workspace=str(workspace))},
        networks=2,
        measurements=3,
        resources={},
        allowed_loss=0.0,
        tries_per_element=2,
        mlflow_experiment="demo",
        mlflow_run_id="0",
    )


class Airflow:
    """The API of an Airflow that has one run; replies are those of 3.3, cut to what is read."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self.states = ["running", "success"]
        self.requests: list[tuple[str, str, Any]] = []
        self.refusal, self.code = "", 400
        self.down = 0

    def get(self, path: str, **parameters: Any) -> Any:
        self.requests.append(("GET", path, parameters))
        if self.down:
            self.down -= 1
            raise httpx.ConnectError("refused")
        if path.endswith("/open_run/xcomEntries/return_value"):
            return {"value": handle(self.workspace).model_dump(mode="json")}
        if path.endswith("/report/xcomEntries/return_value"):
            return {"value": REPORT.model_dump(mode="json")}
        if path == "dags/hybrid_campaign/tasks":
            return {
                "tasks": [
                    {"task_id": "report", "downstream_task_ids": []},
                    {"task_id": "simulate.solve_shards", "downstream_task_ids": ["report"]},
                    {"task_id": "open_run", "downstream_task_ids": ["simulate.solve_shards"]},
                ]
            }
        if path.endswith("/taskInstances"):
            return {"task_instances": self.tasks()}
        if "/logs/" in path:
            return {
                "content": [
                    {"event": "::group::Log message source details"},
                    {"event": "3 elements failed", "timestamp": "2026-11-20T12:00:00Z"},
                    {"event": "Task failed", "error_detail": [
                        {"exc_type": "ArrayFailed", "exc_value": "shards 3, 4"}
                    ]},
                ]
            }  # fmt: skip
        return {"state": self.states[0] if len(self.states) == 1 else self.states.pop(0)}

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        self.requests.append((method, path, options.get("json")))
        reply = httpx.Response(200, json={})
        if method == "POST" and self.refusal:
            request = httpx.Request(method, path)
            reply = httpx.Response(self.code, json={"detail": self.refusal}, request=request)
            reply.raise_for_status()
        return reply

    def tasks(self) -> list[dict[str, Any]]:
        solving = "deferred" if self.states[0] == "running" else self.states[0]
        states = {"report": None, "simulate.solve_shards": solving, "open_run": "success"}
        common = {"try_number": 1, "duration": 2.5}
        return [{"task_id": name, "state": state} | common for name, state in states.items()]


@pytest.fixture
def airflow(tmp_path: Path) -> Airflow:
    job = RunFolder(tmp_path / "demo-1").job("simulate-solve-shards-0123456789")
    job.root.mkdir(parents=True)
    intent = {"dag_id": "hybrid_campaign", "task_id": "simulate.solve_shards"}
    job.intent.write_text(json.dumps(intent | {"run_id": "manual__1"}))
    job.elements(0).write_text("0\n1\n2\n")
    for element, done in enumerate((100, 40)):
        publish_progress(job, element, ElementProgress(done, 100, "records"))
    return Airflow(tmp_path)


def test_a_run_is_unpaused_and_triggered_with_its_conf(airflow: Airflow) -> None:
    run = CampaignRun.trigger(airflow, {"campaign": "demo"})  # type: ignore[arg-type]
    body = {"dag_run_id": run.run_id, "conf": {"campaign": "demo"}, "logical_date": None}
    assert airflow.requests[:2] == [
        ("PATCH", "dags/hybrid_campaign", {"is_paused": False}),
        ("POST", "dags/hybrid_campaign/dagRuns", body),
    ]


def test_a_run_that_an_unanswered_try_has_begun_is_followed(airflow: Airflow) -> None:
    airflow.refusal, airflow.code = "the dag run exists", 409
    assert CampaignRun.trigger(airflow, {}).run_id  # type: ignore[arg-type]


def test_what_airflow_refuses_is_said_in_its_words(airflow: Airflow) -> None:
    airflow.refusal = "Invalid input for param train_records: -1 is less than the minimum of 8"
    with pytest.raises(CampaignFailed, match="less than the minimum of 8"):
        CampaignRun.trigger(airflow, {"train_records": -1})  # type: ignore[arg-type]


def test_progress_adds_up_elements_and_those_that_have_not_begun(airflow: Airflow) -> None:
    snapshot = CampaignRun(airflow, "manual__1").look()  # type: ignore[arg-type]
    assert [task.name for task in snapshot.tasks] == ["open_run", "simulate.solve_shards", "report"]
    assert str(snapshot.progress["simulate.solve_shards"]) == "140 of 300 records"


def test_jobs_of_other_runs_of_the_same_folder_are_not_counted(airflow: Airflow) -> None:
    assert CampaignRun(airflow, "manual__2").look().progress == {}  # type: ignore[arg-type]


def test_an_api_server_that_is_away_for_a_while_is_waited_for(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = CampaignRun(airflow, "manual__1")  # type: ignore[arg-type]
    before = run.look()
    airflow.down = 1
    assert run.look() == before
    monkeypatch.setattr("quickstart.campaign.run.LOST_S", 0.0)
    airflow.down = 1
    with pytest.raises(CampaignFailed, match="has not answered"):
        run.look()


@pytest.mark.parametrize("terminal", [True, False])
def test_following_shows_states_and_progress_until_the_end(
    airflow: Airflow, terminal: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(follow_module, "LOOK_S", 0.0)
    with (tmp_path / "screen").open("w") as screen:
        console = Console(file=screen, force_terminal=terminal, width=110)
        snapshot = follow(CampaignRun(airflow, "manual__1"), console)  # type: ignore[arg-type]
    text = (tmp_path / "screen").read_text()
    assert snapshot.state == "success"
    assert "simulate.solve_shards" in text and "140 of 300 records" in text
    assert ("\x1b[" in text) is terminal
    if not terminal:
        assert "open_run: success after 2.5 s" in text


def test_the_result_is_what_the_last_task_returned(airflow: Airflow) -> None:
    assert CampaignRun(airflow, "manual__1").result() == REPORT  # type: ignore[arg-type]


def test_failed_tasks_are_named_with_the_end_of_their_log(airflow: Airflow) -> None:
    airflow.states = ["failed"]
    run = CampaignRun(airflow, "manual__1")  # type: ignore[arg-type]
    text = run.failures(run.look())
    assert "task simulate.solve_shards failed" in text
    assert "3 elements failed" in text and "ArrayFailed: shards 3, 4" in text
    assert "::group::" not in text and "open_run" not in text


def test_a_dag_that_cannot_be_read_is_reported_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        def get(self, path: str, **parameters: Any) -> Any:
            if path == "importErrors":
                return {"import_errors": [{"filename": "stages.py", "stack_trace": "TypeError: x"}]}
            request = httpx.Request("GET", path)
            raise httpx.HTTPStatusError("", request=request, response=httpx.Response(404))

    monkeypatch.setattr("quickstart.campaign.run.DAG_TIMEOUT_S", 0.1)
    with pytest.raises(CampaignFailed, match=r"(?s)stages.py.*TypeError: x"):
        form_fields(Broken())  # type: ignore[arg-type]
