"""Which folder an array job has, and what is planned for it: from a run, a site and a task."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from hpc_jobs.contract.cluster import Cluster
from hpc_jobs.contract.execution import Job
from hpc_jobs.contract.layout import RunFolder, Workspace
from hpc_jobs.contract.run import RunHandle, Site
from operators.array.resources import launch_on, resources_on
from operators.cluster.script import JobScript
from operators.cluster.submission import Plan
from operators.hooks.hpc import Session


def job_token(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
    """Name a task's array job: the same for every try; readable, short, safe anywhere."""
    identity = json.dumps([dag_id, run_id, task_id, map_index])
    readable = re.sub(r"[^a-z0-9]+", "-", task_id.lower()).strip("-")[-24:].strip("-") or "job"
    return f"{readable}-{hashlib.sha256(identity.encode()).hexdigest()[:10]}"


def generation(token: str, number: int) -> str:
    """Name the job of a task that was cleared `number` times after it had ended."""
    return token if number == 0 else f"{token}.{number + 1}"


def first_unfinished(session: Session, run: RunFolder[PurePosixPath], token: str) -> int:
    """Find the first generation that is not history."""
    number = 0
    while session.exists(str(run.job(generation(token, number)).finished)):
        number += 1
    return number


def current_token(session: Session, run: RunFolder[PurePosixPath], token: str) -> str:
    """Find the latest generation that has a folder, for those who read along (log, spool)."""
    number = 0
    while session.exists(str(run.job(generation(token, number + 1)).root)):
        number += 1
    return generation(token, number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What one task wants of one site of a run."""

    job: Job
    handle: RunHandle
    site: Site
    elements: int
    arguments: Sequence[Any] = ()
    overrides: Mapping[str, Any]

    @property
    def cluster(self) -> str:
        """The cluster's name."""
        return self.handle.sites[self.site].cluster

    @property
    def run(self) -> RunFolder[PurePosixPath]:
        """The run's folder, as that cluster sees it."""
        return self._workspace.run(self.handle.run_id)

    def plan(self, cluster: Cluster, token: str) -> Plan:
        """Everything that the cluster layer needs to know."""
        resources = resources_on(cluster, self.handle.resources.get(self.job), self.overrides)
        argv = (*cluster.interpreter, "-m", f"hpc_jobs.jobs.{self.job}", str(self.run.root))
        script = JobScript(
            token=token,
            argv=(*argv, *map(str, self.arguments)),
            folder=self.run.job(token).root,
            code=self._workspace.code(self.handle.code_sha256),
            modules=cluster.modules,
            environment=cluster.environment,
            cpus=resources.cpus,
            launch=launch_on(cluster, resources),
        )
        return Plan(
            token=token,
            elements=self.elements,
            resources=resources,
            script=script,
            max_array_size=cluster.max_array_size,
            grace_s=cluster.grace_s,
        )

    @property
    def _workspace(self) -> Workspace[PurePosixPath]:
        return Workspace(PurePosixPath(self.handle.sites[self.site].workspace))
