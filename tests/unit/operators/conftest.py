"""A cluster for the tests: a real login node on loopback, the real batch queue, real elements.

Only the work that an element does is made up (tiny_job.py); the script, the lock, the result and
everything between are what runs in earnest.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.layout import RunFolder, Workspace
from hpc_jobs.contract.loading import load
from tests.harness.control_bench import bench
from tests.harness.login import HOST, LoopbackLogin
from tests.harness.shipped_code import ship

__all__ = ["bench"]


CHECKOUT = Path(__file__).parents[3]
HERE = Path(__file__).parent
USER = "researcher"
CODE = "c" * 64


class LoginNode(LoopbackLogin):
    """A login node whose paths hold what a person may choose, with its batch queue's state."""

    def __init__(self, folder: Path, name: str = "cpu") -> None:
        self.state = folder / "queue"
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        super().__init__(
            folder=folder / f"{name} keys",
            home=folder / f'{name} home; it\'s $(touch canary) "q"',
            user=USER,
            environment={"PATH": path, "BATCHQ_STATE": str(self.state)},
        )

    def connection(self, **changed: Any) -> str:
        extra = {
            "host_key": self.pinned,
            "private_key": self.user_key.export_private_key().decode(),
        }
        fields = {"conn_type": "hpc", "host": HOST, "port": self.port, "login": USER}
        return json.dumps(fields | {"extra": json.dumps(extra | changed)})


class Queue:
    """The batch queue's daemon."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, slots: int = 4) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "quickstart.batchq.cli", "serve", "--slots", str(slots)],
            env=os.environ | {"BATCHQ_STATE": str(self.state)},
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def jobs(self) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-m", "quickstart.batchq.cli", "status", "--json"],
            env=os.environ | {"BATCHQ_STATE": str(self.state)},
            capture_output=True,
            check=True,
        )
        return list(json.loads(done.stdout)["jobs"])


SITE = """
schema_version: 1
name: {name}
description: A cluster on loopback, for tests.
scheduler: local
workspaces: {{kind: directory, root: "work spaces"}}
python: {python}
poll_interval_s: 2
grace_s: 2
inline_wait_s: {inline_wait_s}
max_array_size: 4
environment: {{UGLY: "it's $(touch canary); \\"quoted\\" \\nline"}}
"""


class Cluster:
    """Login node, queue and one opened run."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.login = LoginNode(folder)
        self.queue = Queue(self.login.state)
        self.dags = folder / "dags"
        self.describe()
        monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(self.dags))
        monkeypatch.setenv("AIRFLOW_CONN_CPU", self.login.connection())
        self.workspace = self.login.home / "work spaces" / "w"
        self.run: RunFolder[Path] = Workspace(self.workspace).run("demo-1")
        self._ship()

    def describe(self, inline_wait_s: float = 30.0) -> None:
        (self.dags / "clusters").mkdir(parents=True, exist_ok=True)
        text = SITE.format(name="cpu", python=sys.executable, inline_wait_s=inline_wait_s)
        (self.dags / "clusters" / "cpu.yaml").write_text(text)

    def _ship(self) -> None:
        """The code folder holds the real contract and element, and a made-up job."""
        ship(Workspace(self.workspace).code(CODE), HERE / "tiny_job.py")
        campaign = load(Campaign, CHECKOUT / "dags" / "campaigns" / "single_sheet.yaml")
        frozen = FrozenCampaign(run_id="demo-1", campaign=campaign, code_sha256=CODE)
        self.run.campaign.parent.mkdir(parents=True)
        self.run.campaign.write_text(frozen.model_dump_json())

    def handle(self, **changed: Any) -> dict[str, Any]:
        """RunHandle as a task would return it."""
        document = {
            "run_id": "demo-1",
            "campaign": "demo",
            "code_sha256": CODE,
            "sites": {"cpu": {"cluster": "cpu", "workspace": str(self.workspace)}},
            "resources": {"solve_shard": {"walltime_s": 60, "memory_mib": 500}},
            "networks": 2,
            "measurements": 3,
            "allowed_loss": 0.0,
            "tries_per_element": 2,
            "mlflow_experiment": "demo",
            "mlflow_run_id": "0",
        }
        return document | changed

    def start(self) -> None:
        self.login.start()
        self.queue.start()

    def stop(self) -> None:
        self.login.stop()
        for job in self.queue.jobs():
            subprocess.run(
                [sys.executable, "-m", "quickstart.batchq.cli", "cancel", job["id"]],
                env=os.environ | {"BATCHQ_STATE": str(self.login.state)},
                check=False,
                capture_output=True,
            )
        self.queue.stop()


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    made = Cluster(tmp_path, monkeypatch)
    made.start()
    try:
        yield made
    finally:
        made.stop()
        # Names of folders and variables hold "$(touch canary)": nobody may have run it.
        assert not list(tmp_path.rglob("canary"))


class StateStore(dict[str, Any]):
    """Airflow's task state, as the operator uses it; survives tries and clears."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        self.pop(key, None)


@pytest.fixture
def context() -> dict[str, Any]:
    ti = SimpleNamespace(
        dag_id="hybrid_campaign",
        run_id="manual__2026; it's $(touch canary)",
        task_id="simulate.solve_shard",
        map_index=-1,
        max_tries=3,
        pushed={},
    )
    ti.xcom_push = ti.pushed.__setitem__
    return {"ti": ti, "task_state_store": StateStore()}


def posix(path: Path) -> PurePosixPath:
    return PurePosixPath(str(path))
