"""A DAGs folder of its own, two clusters that are a folder of this machine, a real MLflow."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from hpc_jobs.contract.run import RunHandle
from operators.cluster.session import ClusterSession
from operators.hooks.hpc import Session, describe
from operators.hooks.mlflow import MlflowHook
from operators.runs.run import open_run
from tests.harness.local_transport import LocalTransport

CHECKOUT = Path(__file__).parents[2]


def no_login() -> Any:
    raise AssertionError("nobody logs in to this machine")


@dataclass
class Bench:
    """What a control host sees: two clusters that share a workspace, and MLflow."""

    home: Path
    dags: Path
    mlflow: MlflowHook
    connected: list[str]

    def connect(self, cluster: str) -> Session:
        self.connected.append(cluster)
        return ClusterSession(
            cluster, lambda: describe(cluster), no_login, lambda _: LocalTransport(self.home)
        )

    def open(self, run_id: str = "demo-1", **options: Any) -> RunHandle:
        return open_run("demo", run_id=run_id, connect=self.connect, mlflow=self.mlflow, **options)

    def edit(self, file: str, change: Callable[[dict[str, Any]], Any]) -> None:
        path = self.dags / file
        document = yaml.safe_load(path.read_text())
        change(document)
        path.write_text(yaml.safe_dump(document))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mlflow_server: str) -> Bench:
    dags, home = tmp_path / "dags", tmp_path / "home"
    home.mkdir()
    for folder in ("campaigns", "clusters"):
        shutil.copytree(CHECKOUT / "dags" / folder, dags / folder)
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(dags))
    bench = Bench(home, dags, MlflowHook(mlflow_server), [])
    # One experiment for each test: they share a server.
    monkeypatch.setattr("operators.runs.run.experiment_name", lambda name: f"{tmp_path}/{name}")
    for cluster in ("cpu", "ai"):
        bench.edit(f"clusters/{cluster}.yaml", lambda file: file.update(python=sys.executable))
    campaign = yaml.safe_load((dags / "campaigns/demo.yaml").read_text())
    (dags / "measurements").mkdir()
    for measurement in campaign["validation"]["measurements"]:
        (dags / "measurements" / f"{measurement}.h5").write_bytes(measurement.encode() * 100)
    return bench
