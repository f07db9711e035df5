"""What a task wants of one site of a run: its array job's plan, and a workspace that lasts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from hpc_jobs.contract.cluster import Cluster
from hpc_jobs.contract.execution import Job
from hpc_jobs.contract.layout import RunFolder, Workspace
from hpc_jobs.contract.run import RunHandle, Site
from operators.cluster.errors import SubmissionRefused, WorkspaceRefused
from operators.cluster.script import JobScript
from operators.cluster.submission import ArrayPlan
from operators.cluster.workspaces.workspace_tool import Lease
from operators.hooks.hpc import Session
from operators.runs.resources import launch_on, resources_on

DAY_S = 86400.0


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


def require_lease(session: Session, workspace: str, needed_s: float) -> None:
    """Extend a lease that is shorter than `needed_s`; raises SubmissionRefused if it stays so.

    A workspace that the tools do not list, or that does not expire, is taken as it is. Tools cap
    an extension and say so with success, so the lease is looked at again.
    """
    lease = _lease(session, workspace)
    if lease is None or _lasts(lease, needed_s):
        return
    words = "the extension is capped"
    try:
        session.workspaces.extend(lease.name, math.ceil(needed_s / DAY_S) + 1)
        lease = _lease(session, workspace) or lease
    except WorkspaceRefused as error:
        words = str(error)
    if not _lasts(lease, needed_s):
        raise SubmissionRefused(
            f"workspace '{lease.name}' on {session.cluster} expires in {_days(lease.remaining_s)}, "
            f"the job may take {_days(needed_s)}, and {words}; name another workspace "
            "(execution.workspace), or ask for less walltime (execution.resources)"
        )


def _lease(session: Session, workspace: str) -> Lease | None:
    return next((each for each in session.workspaces.list() if each.path == workspace), None)


def _lasts(lease: Lease, needed_s: float) -> bool:
    return lease.remaining_s is None or lease.remaining_s >= needed_s


def _days(seconds: float | None) -> str:
    return f"{(seconds or 0.0) / DAY_S:.1f} days"
