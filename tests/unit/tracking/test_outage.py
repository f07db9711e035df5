"""A training's metrics arrive once each, whatever happens to the server and to the replayer."""

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpc_jobs.tracking.replay import Replayer, is_unavailable
from hpc_jobs.tracking.spool import Spool
from tests.unit.tracking.door import Door

EPOCHS, PACE_S = 150, 0.02
KEYS = ("train/loss", "val/loss", "io/input_wait", *(f"val_mp{n}/mse" for n in range(1, 9)))
PATIENCE_S = 120


def follow(address: str, parent: str, id: str, file: Path) -> None:
    """Be the replayer: tail the spool until its run has ended, waiting while MLflow is away."""
    from mlflow import MlflowClient

    def read(offset: int, limit: int) -> bytes:
        return file.read_bytes()[offset : offset + limit] if file.exists() else b""

    while True:
        try:
            progress = Replayer(MlflowClient(address), parent, fetch=_nothing).replay(id, read)
        except Exception as error:
            if not is_unavailable(error):
                raise
        else:
            if progress and progress.ended:
                return
        time.sleep(0.05)


def _nothing(path: str, limit: int) -> bytes:
    raise FileNotFoundError(path)


def train(file: Path) -> None:
    """Write what a training writes, epoch after epoch, and repeat some as a resumed one does."""
    with Spool(file, name="mlp", tags={"network": "mlp"}) as spool:
        spool.params({"epochs": EPOCHS})
        for epoch in [*range(1, 101), *range(91, EPOCHS + 1)]:
            spool.metrics({key: 1.0 / epoch for key in KEYS}, step=epoch)
            time.sleep(PACE_S)
        spool.end("FINISHED")


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def door(mlflow_server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # the replayer's own patience
    door = Door(int(mlflow_server.rpartition(":")[2]))
    yield door
    door.shut()


def test_every_metric_once_though_the_server_was_down_and_the_replayer_killed_twice(
    mlflow_server: str, door: Door, tmp_path: Path
):
    from mlflow import MlflowClient

    client = MlflowClient(mlflow_server)
    experiment = client.create_experiment(f"outage/{tmp_path}")
    parent = client.create_run(experiment).info.run_id
    file, id = tmp_path / "spool/mlp.jsonl", "outage/spool/mlp.jsonl"
    context = multiprocessing.get_context("forkserver")  # MLflow is imported once for all three
    context.set_forkserver_preload(["mlflow"])

    def replayer() -> Any:
        arguments = (f"http://127.0.0.1:{door.port}", parent, id, file)
        process = context.Process(target=follow, args=arguments, daemon=True)
        process.start()
        return process

    def step() -> int:
        runs = client.search_runs([experiment], f"tags.`spool.id` = '{id}'")
        histories = [client.get_metric_history(run.info.run_id, "val/loss") for run in runs]
        return max((metric.step for history in histories for metric in history), default=0)

    first = replayer()
    training = threading.Thread(target=train, args=(file,))
    training.start()
    wait_for(lambda: step() > 5)
    os.kill(first.pid, signal.SIGKILL)
    first.join()
    second = replayer()
    reached = step()
    wait_for(lambda: step() > reached)
    door.shut()  # with a request under way, more likely than not
    time.sleep(1.0)
    at_outage, size = step(), file.stat().st_size
    os.kill(second.pid, signal.SIGKILL)
    second.join()
    third = replayer()
    time.sleep(1.0)
    assert third.is_alive() and step() == at_outage  # it waits
    assert file.stat().st_size > size or not training.is_alive()  # the training does not
    door.open()
    third.join(PATIENCE_S)
    training.join()
    assert third.exitcode == 0
    [run] = client.search_runs([experiment], "tags.`spool.id` != ''")
    assert run.info.status == "FINISHED" and run.data.params == {"epochs": str(EPOCHS)}
    for key in KEYS:
        history = client.get_metric_history(run.info.run_id, key)
        assert Counter(metric.step for metric in history) == dict.fromkeys(range(1, EPOCHS + 1), 1)
        assert all(metric.value == 1.0 / metric.step for metric in history)
