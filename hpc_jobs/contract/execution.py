"""Where the jobs of a campaign run, and what each one may use."""

from typing import Annotated, Literal

from pydantic import Field

from hpc_jobs.contract.base import Frozen, Slug

Job = Literal[
    "warm_kernels",
    "choose_points",
    "solve_shard",
    "publish_dataset",
    "train",
    "identify",
    "resimulate",
    "score",
]
"""Every cluster job; each is a module of hpc_jobs.jobs."""


class Resources(Frozen):
    """What one array element asks the scheduler for."""

    walltime_s: Annotated[int, Field(gt=0, le=30 * 86400)] = 600
    memory_mib: Annotated[int, Field(gt=0, le=4_000_000)] = 2000
    cpus: Annotated[int, Field(gt=0, le=1024)] = 1
    gpus: Annotated[int, Field(ge=0, le=64)] = 0


class Execution(Frozen):
    """The two clusters, resources by job, and what a campaign may lose or spend."""

    cpu_cluster: Slug
    gpu_cluster: Slug
    workspace: Annotated[Slug, Field(description="name of the workspace that both clusters see")]
    workspace_days: Annotated[int, Field(gt=0, le=365)] = 30
    resources: dict[Job, Resources] = {}
    allowed_loss: Annotated[
        float, Field(ge=0, lt=1, description="fraction of array elements that may fail for good")
    ] = 0.005
    tries_per_element: Annotated[int, Field(ge=1, le=10)] = 3
    nightly_core_hours: Annotated[float, Field(gt=0, le=1e6)] = 1.0

    def resources_for(self, job: Job) -> Resources:
        """Resources of one element of that job; defaults where the campaign names none."""
        return self.resources.get(job, Resources())
