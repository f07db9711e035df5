"""`campaign`: what is asked for, what is shown meanwhile, what is printed in the end."""

import io
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.cells import cell_len
from rich.console import Console

from hpc_jobs.contract.report import (
    ArrayProgress,
    CampaignReport,
    ErrorsByTarget,
    NetworkErrors,
    UsageReport,
)
from operators.pages.speedup import speedup_report
from quickstart.campaign import follow as follow_module
from quickstart.campaign.command import WrongSetting, conf
from quickstart.campaign.follow import follow, told
from quickstart.campaign.result import comparison, print_result
from quickstart.campaign.run import CampaignFailed, CampaignRun, form_fields
from quickstart.stack.airflow_api import AirflowApi
from tests.harness.reports import REPORT, SCORE

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


def printed(report: CampaignReport, width: int) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO())
    print_result(report, console)
    return console.export_text().splitlines()


def test_the_result_says_everything_and_that_a_network_loses() -> None:
    text = "\n".join(printed(REPORT, 110))
    assert "1190 ok, 10 necked (of 1200)" in text
    assert "multitask_cnn beats mean: its error is 20.0 times lower; better on 2 of 2" in text
    assert "multitask_cnn LOSES to pca_ridge: its error is 2.0 times higher; better on 0" in text
    assert "0.781 ± 0.030 (0.800)" in text and "- (0.210)" in text
    assert "PASS" in text and "OUTSIDE" in text
    assert "0.792 ± 0.021 (0.800)" in text and "FAIL" in text  # refined, with its interval
    assert "aa2090: outside the <trained> range [r_value_0]" in text
    assert "mlp beats mean: its error is 50.0 times lower" in text
    assert "gate: t1-mlp: not promoted: [it] failed" in text


def test_the_core_hours_are_told_at_the_end() -> None:
    usage = UsageReport(tries=9, core_hours=1.234, efficiency=0.5, mean_queue_wait_s=3.0)
    text = " ".join(printed(REPORT.model_copy(update={"usage": usage}), 80))
    assert "used: 1.23 core-hours granted, 50% of them busy; 9 array elements" in text


@pytest.mark.parametrize("width", [60, 80])
def test_every_name_is_whole_and_stands_once_in_a_narrow_terminal(width: int) -> None:
    """Eight targets, six alloys, and baselines of networks with and without forces."""
    targets = [f"MP{number}" for number in range(1, 9)]
    errors = {"sum": 0.123456, "per_target": dict.fromkeys(targets, 0.0123456)}
    names = ("pca_ridge", "pca_ridge_quadratic")
    seen = {name: ErrorsByTarget.model_validate(errors) for name in names}
    other = ErrorsByTarget.model_validate(errors | {"sum": 0.2})
    cnn = NetworkErrors.model_validate(errors | {"baselines": seen})
    mlp = NetworkErrors.model_validate(errors | {"baselines": dict.fromkeys(names, other)})
    alloy = REPORT.verdict.measurements["dp780"]
    alloys = {f"alloy-{number}": alloy for number in range(6)}
    verdict = REPORT.verdict.model_copy(update={"measurements": alloys, "notes": {}})
    report = REPORT.model_copy(
        update={"networks": {"multitask_cnn": cnn, "mlp": mlp}, "verdict": verdict}
    )
    report = report.model_copy(
        update={"speedup": speedup_report(SCORE, 100, UsageReport(core_hours=1), UsageReport())}
    )
    lines = printed(report, width)
    assert max(map(cell_len, lines)) <= width
    text = "\n".join(lines)
    assert "…" not in text
    rows = [line.split("  ")[0] for line in lines]
    for name in (
        *("multitask_cnn", "mlp", "pca_ridge (mlp)", "pca_ridge_quadratic (mlp)"),
        *("pca_ridge (multitask_cnn)", "pca_ridge_quadratic (multitask_cnn)"),
    ):
        assert name in rows
    for head in (*targets, *alloys):
        assert re.search(rf"\b{head}\b", text)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (1.0, "cnn equals mean"),
        (0.999, "cnn beats mean: its error is less than 1% lower"),
        (0.96, "cnn beats mean: its error is 4% lower"),
        (0.25, "cnn beats mean: its error is 4.0 times lower"),
        (1.001, "cnn LOSES to mean: its error is less than 1% higher"),
        (1.04, "cnn LOSES to mean: its error is 4% higher"),
        (1.999, "cnn LOSES to mean: its error is 2.0 times higher"),
    ],
)
def test_a_small_difference_is_not_1_0_times(error: float, words: str) -> None:
    assert comparison("cnn", error, "mean", 1.0) == words


PROGRESS = ArrayProgress(
    as_of=0.0, elements=3, running=2, pending=1, work_done=140, work_planned=300, unit="records",
    rate_per_s=4.0, left_s=40.0,
)  # fmt: skip


class Airflow(AirflowApi):
    """The API of an Airflow that has one run; replies are those of 3.3, cut to what is read."""

    def __init__(self) -> None:
        self.progress: ArrayProgress | None = PROGRESS
        self.states = ["running", "success"]
        self.requests: list[tuple[str, str, Any]] = []
        self.refusal, self.code = "", 400
        self.down = 0

    def get(self, path: str, **parameters: Any) -> Any:
        self.requests.append(("GET", path, parameters))
        if self.down:
            self.down -= 1
            raise httpx.ConnectError("refused")
        if path.endswith("/simulate.solve_shards/xcomEntries/progress") and self.progress:
            return {"value": self.progress.model_dump(mode="json")}
        if path.endswith("/xcomEntries/progress"):
            request = httpx.Request("GET", path)
            raise httpx.HTTPStatusError("", request=request, response=httpx.Response(404))
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
def airflow() -> Airflow:
    return Airflow()


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


def test_progress_is_that_of_all_elements_as_planned(airflow: Airflow) -> None:
    run = CampaignRun(airflow, "manual__1")  # type: ignore[arg-type]
    snapshot = run.look()
    assert [task.name for task in snapshot.tasks] == ["open_run", "simulate.solve_shards", "report"]
    assert list(snapshot.progress) == ["simulate.solve_shards"]
    assert told(snapshot.progress["simulate.solve_shards"]) == "140 of 300 records, 40 s left"
    airflow.progress = None  # cleared for another try: the last word counts
    assert run.look().progress == snapshot.progress


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"work_planned": 0, "done": 2}, "2 of 3 elements, 40 s left"),
        ({"left_s": 8000.0, "failed": 1}, "140 of 300 records, 1 failed, 2.2 h left"),
        ({"left_s": None}, "140 of 300 records"),
        ({"trouble": "login"}, "140 of 300 records; login"),
        ({"done": 3, "work_done": 12_000, "work_planned": 12_000}, "12,000 of 12,000 records"),
    ],
)
def test_progress_says_what_is_planned_failed_and_left(changes: dict[str, Any], words: str) -> None:
    assert told(PROGRESS.model_copy(update=changes)) == words


def test_tasks_that_have_ended_are_not_asked_again(airflow: Airflow) -> None:
    airflow.states = ["success"]
    run = CampaignRun(airflow, "manual__1")  # type: ignore[arg-type]
    run.look()
    before = len(airflow.requests)
    run.look()
    assert not [one for one in airflow.requests[before:] if one[1].endswith("/progress")]


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
