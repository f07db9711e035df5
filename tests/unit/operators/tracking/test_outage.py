"""A training's metrics arrive once each, whatever happens to the server and to the replayer.

The server is down for OUTAGE_S seconds, and the client's own patience is scaled with them:
OUTAGE_S=60 is a minute with MLflow's own settings. OUTAGE_SEED draws other moments of the kills.
"""

import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from hpc_jobs.tracking.spool import Spool
from operators.tracking.chunk import OFFSET
from tests.harness.waiting import wait_until
from tests.unit.mlflow_server import MlflowServer
from tests.unit.operators.tracking.replayer import follow

OUTAGE_S = float(os.environ.get("OUTAGE_S", "3"))
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": str(max(1, round(2 * OUTAGE_S / 60))),
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": str(OUTAGE_S / 60),
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "7" if OUTAGE_S >= 60 else "2",
}
PACE_S, PATIENCE_S = 0.05, 240
DRAWS = random.Random(int(os.environ.get("OUTAGE_SEED", "2026")))
KEYS = ("train/loss", "val/loss", "io/input_wait", *(f"val_mp{n}/mse" for n in range(1, 9)))
TAGS = {"network": "mlp", "dataset_sha256": "ab" * 32}
FIGURES = ("loss", "parity", "worst")


class Training(threading.Thread):
    """Writes what a training writes until it is told to end; repeats some, as a resumed one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.file, self.epoch = folder / "spool/mlp.jsonl", 0
        self.enough = threading.Event()
        (folder / "figures").mkdir()

    def run(self) -> None:
        with Spool(self.file, name="mlp", tags={"network": "mlp"}) as spool:
            spool.params({"hidden": [256, 256], "learning_rate": 1e-3})
            while not self.enough.wait(PACE_S):
                self.epoch += 1
                self._write(spool, self.epoch)
                if self.epoch % 50 == 0:
                    for again in range(self.epoch - 9, self.epoch):
                        self._write(spool, again)
            spool.tags({"dataset_sha256": TAGS["dataset_sha256"]})
            for name in FIGURES:
                figure = self.file.parents[1] / f"figures/{name}.png"
                figure.write_bytes(name.encode())
                spool.artifact(f"figures/{name}.png", "figures")
            spool.end("FINISHED")

    def _write(self, spool: Spool, epoch: int) -> None:
        spool.metrics({key: value(key, epoch) for key in KEYS}, step=epoch)


def value(key: str, epoch: int) -> float:
    """Of a metric at an epoch; no two are the same."""
    return KEYS.index(key) + 1.0 / epoch


def kill(process: Any) -> None:
    time.sleep(DRAWS.uniform(0, 0.3))  # at any moment of what it does
    assert process.is_alive()
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def test_every_metric_once_though_the_server_was_down_and_the_replayer_killed(
    mlflow_process: MlflowServer, tmp_path: Path
) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(mlflow_process.address)
    experiment = client.create_experiment(f"outage/{tmp_path}")
    parent = client.create_run(experiment).info.run_id
    id, training = "outage/spool/mlp.jsonl", Training(tmp_path)
    context = multiprocessing.get_context("forkserver")  # MLflow is imported once for all
    context.set_forkserver_preload(["mlflow", "tests.unit.operators.tracking.replayer"])

    def replayer(last_save: int = 0) -> Any:
        arguments = (mlflow_process.address, parent, id, training.file, SETTINGS, last_save)
        process = context.Process(target=follow, args=arguments, daemon=True)
        process.start()
        return process

    def replayed() -> int:
        runs = client.search_runs([experiment], f"tags.`spool.id` = '{id}'")
        return max((int(run.data.tags.get(OFFSET, 0)) for run in runs), default=0)

    training.start()
    first = replayer(last_save=3)
    first.join(PATIENCE_S)
    saved = replayed()
    assert first.exitcode == -signal.SIGKILL and saved > 0
    second = replayer()
    wait_until(lambda: replayed() > saved)
    mlflow_process.kill()  # with a request under way, more likely than not
    written = training.epoch
    time.sleep(OUTAGE_S / 2)
    kill(second)
    third = replayer()
    time.sleep(OUTAGE_S / 2)
    wait_until(lambda: training.epoch > written, what="the training goes on without a server")
    assert third.is_alive()  # and the replayer waits
    mlflow_process.start()
    reached = replayed()
    wait_until(lambda: replayed() > reached)
    kill(third)
    training.enough.set()
    training.join()
    last = replayer()
    last.join(PATIENCE_S)
    assert last.exitcode == 0
    check(client, experiment, training.epoch)


def check(client: Any, experiment: str, epochs: int) -> None:
    """Compare what MLflow holds with what the training said: nothing less, nothing twice."""
    [run] = client.search_runs([experiment], "tags.`spool.id` != ''")
    assert run.info.status == "FINISHED" and run.info.run_name == "mlp"
    assert run.data.params == {"hidden": "[256, 256]", "learning_rate": "0.001"}
    assert run.data.tags.items() >= TAGS.items() and "spool.skipped" not in run.data.tags
    assert set(run.data.metrics) == set(KEYS)
    for key in KEYS:
        history = client.get_metric_history(run.info.run_id, key)
        said = Counter((metric.step, metric.value) for metric in history)
        assert said == {(epoch, value(key, epoch)): 1 for epoch in range(1, epochs + 1)}
    files = client.list_artifacts(run.info.run_id, "figures")
    assert sorted(file.path for file in files) == sorted(f"figures/{f}.png" for f in FIGURES)
    for name in FIGURES:
        path = Path(client.download_artifacts(run.info.run_id, f"figures/{name}.png"))
        assert path.read_bytes() == name.encode()
    print(f"down for {OUTAGE_S:g} s: {epochs} epochs x {len(KEYS)} metrics, each once")
