"""The control host of one test: Airflow's operator, trigger and task state before a real cluster.

Airflow's own processes are played by the test: it calls `execute`, rebuilds the trigger from its
serialised form, runs it on an event loop, and hands its event to `execute_complete`.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.job_folder.folder import JobFolder
from tests.clusters.slurm import SlurmCluster
from tests.harness.waiting import wait_until
from tests.integration.slurm.trials import CODE, LARGEST_ARRAY, open_run, solved

SITE = """
schema_version: 1
name: {name}
description: A cluster of the tests.
scheduler: slurm
workspaces: {workspaces}
python: {python}
poll_interval_s: 2
grace_s: 6
max_array_size: {largest}
"""


class TaskState:
    """Airflow's task state of one task in one DAG run; in a file, which outlives a worker."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, key: str) -> Any:
        return self._all().get(key)

    def set(self, key: str, value: Any) -> None:
        self.path.write_text(json.dumps(self._all() | {key: value}))

    def delete(self, key: str) -> None:
        self.path.write_text(json.dumps({k: v for k, v in self._all().items() if k != key}))

    def _all(self) -> dict[str, Any]:
        return json.loads(self.path.read_text()) if self.path.exists() else {}


class TrialInstance(SimpleNamespace):
    """A task instance that forgets what it publishes."""

    def xcom_push(self, key: str, value: Any) -> None:
        pass


class ControlHost:
    """Describes a cluster to Airflow and opens a run on it."""

    def __init__(
        self,
        cluster: SlurmCluster,
        folder: Path,
        desk: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.cluster = cluster
        self.folder = folder
        self.desk = desk
        self.run: RunFolder[Path] = open_run(folder)
        self._clusters = desk / "dags" / "clusters"
        self._clusters.mkdir(parents=True)
        self.environment = {
            "AIRFLOW__CORE__DAGS_FOLDER": str(desk / "dags"),
            f"AIRFLOW_CONN_{cluster.name.upper()}": self.connection(),
        }
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        self.describe()

    def describe(self, workspaces: str = "", **more: Any) -> None:
        text = SITE.format(
            name=self.cluster.name,
            workspaces=workspaces or json.dumps({"kind": "directory", "root": str(self.folder)}),
            python=more.pop("python", json.dumps(sys.executable)),
            largest=LARGEST_ARRAY[self.cluster.name],
        )
        text += "".join(f"{key}: {json.dumps(value)}\n" for key, value in more.items())
        (self._clusters / f"{self.cluster.name}.yaml").write_text(text)

    def connection(self) -> str:
        login = self.cluster.login
        extra = {"host_key": login.host_key, "key_file": str(login.key_file)}
        fields = {"conn_type": "hpc", "host": login.host, "port": login.port, "login": login.user}
        return json.dumps(fields | {"extra": json.dumps(extra)})

    def handle(self, **changed: Any) -> dict[str, Any]:
        """RunHandle as a task would return it."""
        document = {
            "run_id": "trial",
            "campaign": "demo",
            "code_sha256": CODE,
            "sites": {"cpu": {"cluster": self.cluster.name, "workspace": str(self.folder)}},
            "resources": {"solve_shard": {"walltime_s": 300, "memory_mib": 150}},
            "networks": 2,
            "measurements": 3,
            "allowed_loss": 0.0,
            "tries_per_element": 2,
            "mlflow_experiment": "demo",
            "mlflow_run_id": "0",
        }
        return document | changed

    def context(self, run_id: str = "manual__1") -> dict[str, Any]:
        """Context of the one task of a DAG run; a file holds what Airflow remembers of it."""
        ti = TrialInstance(
            **{"dag_id": "trial", "run_id": run_id, "task_id": "solve", "map_index": -1},
            max_tries=3,
        )
        name = "".join(letter if letter.isalnum() else "_" for letter in run_id)
        return {"ti": ti, "task_state_store": TaskState(self.desk / f"state-{name}.json")}

    def operator(self, elements: int, *arguments: str, **options: Any) -> Any:
        from operators.array.operator import HpcArrayJobOperator

        handle = self.handle(**options.pop("handle", {}))
        defaults = {"task_id": "solve", "job": "solve_shard", "first_poll_s": 0.1}
        return HpcArrayJobOperator(
            run=handle, elements=elements, arguments=arguments, **(defaults | options)
        )

    def defer(self, task: Any, context: Mapping[str, Any]) -> Any:
        """Run the task until it defers; returns the trigger as the triggerer gets it."""
        from airflow.sdk.exceptions import TaskDeferred

        with pytest.raises(TaskDeferred) as deferred:
            task.execute(context)
        return twin(deferred.value.trigger)

    def finish(self, task: Any, context: Mapping[str, Any], event: Any = None) -> dict[str, Any]:
        """Let worker and triggerer take turns until the task has ended; returns its report."""
        from airflow.sdk.exceptions import TaskDeferred

        for _ in range(10):
            try:
                return dict(
                    task.execute_complete(context, event) if event else task.execute(context)
                )
            except TaskDeferred as deferred:
                event = asyncio.run(event_of(twin(deferred.trigger)))
        raise AssertionError("deferred ten times")

    def solved(self) -> list[int]:
        return solved(self.run)

    def queue(self) -> list[str]:
        """Names of live jobs."""
        argv = ("squeue", "--noheader", "--format=%j", "--states=PD,R,CF,CG,S,RQ")
        return sorted(set(self.cluster.admin(*argv).split()))

    def nothing_is_left_behind(self) -> bool:
        """A result is there before Slurm has seen the end."""
        return bool(wait_until(lambda: not self.queue(), 20))

    def jobs(self) -> list[JobFolder[Path]]:
        return [JobFolder(path) for path in sorted((self.run.root / "jobs").iterdir())]


def twin(trigger: Any) -> Any:
    """A trigger rebuilt from its serialised form, as the triggerer does."""
    from airflow.sdk.module_loading import import_string

    path, values = trigger.serialize()
    return import_string(path)(**json.loads(json.dumps(values)))


async def event_of(trigger: Any, timeout_s: float = 120.0) -> dict[str, Any]:
    async def first() -> dict[str, Any]:
        async for event in trigger.run():
            return dict(event.payload)
        raise AssertionError("the trigger ended without an event")

    return await asyncio.wait_for(first(), timeout_s)
