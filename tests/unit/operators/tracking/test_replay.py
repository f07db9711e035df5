"""Replaying spools into a real MLflow server."""

import itertools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpc_jobs.tracking.spool import Spool
from operators.tracking import chunk, lines
from operators.tracking.replay import Replayed, Replayer, is_unavailable

numbers = itertools.count()


class Bench:
    """A run folder with one spool, and a parent run in MLflow."""

    def __init__(self, server: str, folder: Path) -> None:
        from mlflow import MlflowClient

        self.client = MlflowClient(server)
        self.folder = folder
        self.file = folder / "jobs/token/spool/mlp.jsonl"
        self.id = f"run-{next(numbers)}/jobs/token/spool/mlp.jsonl"
        self.experiment = self.client.create_experiment(f"replay/{self.id}")
        self.parent = self.client.create_run(self.experiment).info.run_id

    def replay(self) -> Replayed | None:
        return Replayer(self.client, self.parent, self.fetch).replay(self.id, self.read)

    def read(self, offset: int, limit: int) -> bytes:
        return self.file.read_bytes()[offset : offset + limit] if self.file.exists() else b""

    def fetch(self, path: str, limit: int) -> bytes:
        return (self.folder / path).read_bytes()[:limit]

    def append(self, *lines: dict[str, Any] | str) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        texts = (line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
        with self.file.open("a") as file:
            file.write("".join(texts))

    @property
    def child(self) -> Any:
        [run] = self.client.search_runs([self.experiment], "tags.`spool.id` != ''")
        return run

    def steps(self, key: str) -> Counter[int]:
        history = self.client.get_metric_history(self.child.info.run_id, key)
        return Counter(metric.step for metric in history)


@pytest.fixture
def bench(mlflow_server: str, tmp_path: Path) -> Bench:
    return Bench(mlflow_server, tmp_path)


def metric(key: str, step: int, value: float = 1.0, time_ms: int = 1000) -> dict[str, Any]:
    return {"kind": "metric", "key": key, "value": value, "step": step, "time_ms": time_ms}


BEGIN = {"kind": "run", "name": "mlp", "tags": {"network": "mlp"}}


def test_what_the_writer_spools_arrives(bench: Bench):
    (bench.folder / "figures").mkdir()
    (bench.folder / "figures/parity.png").write_bytes(b"\x89PNG")
    with Spool(bench.file, name="mlp", tags={"network": "mlp"}) as spool:
        spool.params({"epochs": 3, "hidden": [256, 256]})
        for epoch in range(3):
            spool.metrics({"train/loss": 1.0 / (epoch + 1), "val/mp1": 0.5}, step=epoch)
        spool.artifact("figures/parity.png", "figures")
        spool.tags({"dataset": "abc"})
        spool.end("FINISHED")
    progress = bench.replay()
    assert progress and progress.ended and progress.metrics == 6
    assert progress.offset == bench.file.stat().st_size
    run = bench.child
    assert run.info.run_name == "mlp" and run.info.status == "FINISHED"
    assert run.data.params == {"epochs": "3", "hidden": "[256, 256]"}
    assert run.data.tags["network"] == "mlp" and run.data.tags["dataset"] == "abc"
    assert run.data.tags["mlflow.parentRunId"] == bench.parent
    assert run.data.metrics == {"train/loss": 1 / 3, "val/mp1": 0.5}
    files = bench.client.list_artifacts(run.info.run_id, "figures")
    assert [file.path for file in files] == ["figures/parity.png"]


def test_nothing_yet_makes_no_run(bench: Bench):
    assert bench.replay() is None
    bench.append('{"kind": "run", "na')
    assert bench.replay() is None
    assert bench.client.search_runs([bench.experiment], "tags.`spool.id` != ''") == []


def test_a_torn_line_waits_for_its_end(bench: Bench):
    bench.append(BEGIN, metric("loss", 0))
    whole = bench.file.stat().st_size
    bench.append('{"kind": "metric", "key": "loss", "va')
    progress = bench.replay()
    assert progress and progress.offset == whole
    bench.append('lue": 0.5, "step": 1, "time_ms": 1}\n')
    assert (progress := bench.replay()) and progress.metrics == 1
    assert bench.steps("loss") == {0: 1, 1: 1}


def test_replaying_again_changes_nothing(bench: Bench):
    bench.append(BEGIN, *(metric("loss", step) for step in range(5)))
    assert (first := bench.replay()) and first.metrics == 5
    assert (second := bench.replay()) and second.metrics == 0
    assert second.mlflow_run_id == first.mlflow_run_id


def test_a_resumed_writer_repeats_steps_with_other_values(bench: Bench):
    bench.append(BEGIN, *(metric("loss", step, 1.0, 1000) for step in range(6)))
    bench.replay()
    bench.append(BEGIN, *(metric("loss", step, 2.0, 9000) for step in range(3, 9)))
    assert (progress := bench.replay()) and progress.metrics == 3
    assert bench.steps("loss") == dict.fromkeys(range(9), 1)


def test_steps_out_of_order_are_kept(bench: Bench):
    bench.append(BEGIN, metric("loss", 7))
    bench.replay()
    bench.append(metric("loss", 3), metric("loss", 5), metric("loss", 3, 9.0))
    bench.replay()
    assert bench.steps("loss") == {3: 1, 5: 1, 7: 1}


CALLS = ("create_run", "log_batch", "log_artifact", "set_terminated", "set_tag")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_call_it_loses_and_repeats_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, call: str, when: str
):
    (bench.folder / "a.txt").write_text("a")
    bench.append(
        BEGIN,
        {"kind": "params", "values": {"epochs": 3}},
        *(metric("loss", step) for step in range(3)),
        {"kind": "artifact", "path": "a.txt", "to": ""},
        {"kind": "end", "status": "FINISHED"},
    )

    class Killed(BaseException):
        pass

    real: Callable[..., Any] = getattr(bench.client, call)

    def dies(*args: Any, **kwargs: Any) -> None:
        if when == "after":
            real(*args, **kwargs)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(bench.client, call, dies)
        bench.replay()
    bench.append(*(metric("loss", step, 5.0, 7000) for step in range(1, 5)))
    bench.append({"kind": "end", "status": "FINISHED"})
    assert (progress := bench.replay()) and progress.ended
    assert bench.steps("loss") == dict.fromkeys(range(5), 1)
    assert bench.child.data.params == {"epochs": "3"}
    assert [f.path for f in bench.client.list_artifacts(bench.child.info.run_id)] == ["a.txt"]


def test_a_line_that_is_none_is_skipped_and_said(bench: Bench):
    bench.append(
        BEGIN,
        "not json\n",
        {"kind": "unheard"},
        metric("loss//../x", 0),
        {"kind": "artifact", "path": "../../etc/passwd", "to": ""},
        {"kind": "artifact", "path": "gone.png", "to": ""},
        metric("loss", 0),
    )
    assert (progress := bench.replay()) and progress.metrics == 1
    assert progress.offset == bench.file.stat().st_size
    said = bench.child.data.tags[chunk.SKIPPED]
    for reason in ("not json", "unheard", "loss//../x", "leaves its folder", "gone.png is missing"):
        assert reason in said


def test_an_artifact_that_is_too_large_is_skipped(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chunk, "ARTIFACT_LIMIT_BYTES", 10)
    (bench.folder / "big").write_bytes(b"x" * 11)
    (bench.folder / "small").write_bytes(b"x" * 10)
    lines = ({"kind": "artifact", "path": name, "to": ""} for name in ("big", "small"))
    bench.append(BEGIN, *lines)
    bench.replay()
    assert [f.path for f in bench.client.list_artifacts(bench.child.info.run_id)] == ["small"]


def test_a_changed_param_keeps_its_first_value(bench: Bench):
    bench.append(BEGIN, {"kind": "params", "values": {"lr": 0.1}})
    bench.replay()
    bench.append({"kind": "params", "values": {"lr": 0.2, "more": 1}})
    bench.replay()
    assert bench.child.data.params == {"lr": "0.1", "more": "1"}
    assert "param lr" in bench.child.data.tags[chunk.SKIPPED]


def test_a_job_that_tries_again_reopens_its_run(bench: Bench):
    bench.append(BEGIN, {"kind": "end", "status": "FAILED"})
    bench.replay()
    assert bench.child.info.status == "FAILED"
    bench.append(metric("loss", 0))
    bench.replay()
    assert bench.child.info.status == "RUNNING"
    bench.append({"kind": "end", "status": "FINISHED"})
    bench.replay()
    assert bench.child.info.status == "FINISHED"


def test_a_job_that_never_said_how_it_ended_is_closed(bench: Bench):
    bench.append(BEGIN)
    bench.replay()
    Replayer(bench.client, bench.parent, bench.fetch).abandon(bench.id)
    assert bench.child.info.status == "KILLED"


def test_of_two_runs_made_in_a_race_one_stays(bench: Bench):
    bench.append(BEGIN, metric("loss", 0))
    bench.replay()
    tags = {"mlflow.parentRunId": bench.parent, chunk.SPOOL_ID: bench.id}
    bench.client.create_run(bench.experiment, tags=tags)
    bench.append(metric("loss", 1))
    bench.replay()
    assert bench.steps("loss") == {0: 1, 1: 1}


def test_more_than_one_batch_and_more_than_one_chunk(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lines, "CHUNK_BYTES", 150_000)
    bench.append(BEGIN, *(metric("loss", step, 1 / (step + 1)) for step in range(2500)))
    assert bench.file.stat().st_size > 150_000
    assert (progress := bench.replay()) and progress.metrics == 2500
    assert len(bench.steps("loss")) == 2500


def test_a_line_longer_than_a_chunk(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lines, "CHUNK_BYTES", 64)
    bench.append(BEGIN, {"kind": "tags", "values": {"note": "x" * 1000}}, metric("loss", 0))
    bench.replay()
    assert bench.child.data.tags["note"] == "x" * 1000
    assert bench.steps("loss") == {0: 1}


def test_a_server_that_is_down_is_told_from_a_refusal(bench: Bench, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(MlflowException) as down:
        MlflowClient("http://127.0.0.1:9").search_experiments()
    with pytest.raises(MlflowException) as refused:
        bench.client.get_run("0" * 32)
    assert is_unavailable(down.value) and not is_unavailable(refused.value)
