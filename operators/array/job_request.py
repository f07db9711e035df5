"""What a task wants of one site of a run, and its array job's plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from hpc_jobs.contract.cluster import Cluster
from hpc_jobs.contract.execution import Job
from hpc_jobs.contract.layout import RunFolder, Workspace
from hpc_jobs.contract.run import RunHandle, Site
from operators.cluster.script import JobScript
from operators.cluster.submission import ArrayPlan
from operators.runs.resources import launch_on, resources_on


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
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

    def plan(self, cluster: Cluster, token: str) -> ArrayPlan:
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
            umask=cluster.umask,
            launch=launch_on(cluster, resources),
        )
        return ArrayPlan(
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
