"""What a job asks of its cluster: the campaign's wishes over the site's defaults."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from hpc_jobs.contract.cluster import Cluster
from hpc_jobs.contract.execution import ON_GPU_CLUSTER, Execution, Job, ResourceRequest
from operators.cluster.errors import SubmissionRefused
from operators.cluster.job import Resources
from operators.cluster.launchers import Launch
from operators.cluster.session import scheduler_of

SITE_DEFAULTS = ("partition", "account", "qos", "constraint", "reservation")


def resources_on(
    cluster: Cluster, asked: ResourceRequest | None, overrides: Mapping[str, Any] | None = None
) -> Resources:
    """Resources of one element: overrides, else what is asked for, else the site's defaults.

    Options add up, the site's first.
    """
    values: dict[str, Any] = (asked.model_dump() if asked else {}) | dict(overrides or {})
    for key in SITE_DEFAULTS:
        values[key] = values.get(key) or getattr(cluster, key)
    values["memory"] = cluster.memory
    values["options"] = (*cluster.options, *values.get("options", ()))
    return Resources(**values)


def launch_on(cluster: Cluster, wanted: Resources) -> Launch | None:
    """How the cluster starts several tasks; None for one. Raises SubmissionRefused."""
    if reason := _no_launcher(cluster, wanted):
        raise SubmissionRefused(f"cluster '{cluster.name}': {reason}")
    if wanted.tasks == 1 or cluster.launcher is None:
        return None
    return Launch(
        kind=cluster.launcher.kind,
        options=cluster.launcher.options,
        nodes=wanted.nodes,
        tasks_per_node=wanted.tasks_per_node,
        cpus=wanted.cpus,
    )


def _no_launcher(cluster: Cluster, wanted: Resources) -> str:
    if wanted.tasks == 1 or cluster.launcher is not None:
        return ""
    return (
        f"{wanted.nodes} nodes with tasks_per_node {wanted.tasks_per_node} are {wanted.tasks} "
        "processes, and the cluster's file names no launcher to start them; add one to it, such as "
        "launcher: {kind: srun}, or ask for one node and one task"
    )


def refused_resources(execution: Execution, sites: Mapping[str, Cluster]) -> Iterator[str]:
    """Say what the campaign's clusters cannot express, one line a complaint; ask no cluster.

    sites: descriptions by the keys cpu_cluster and gpu_cluster; a missing one is passed over.
    """
    complaints: dict[tuple[str, str], list[str]] = defaultdict(list)
    for job in get_args(Job):
        key = "gpu_cluster" if job in ON_GPU_CLUSTER else "cpu_cluster"
        if key not in sites:
            continue
        site = sites[key]
        wanted = resources_on(site, execution.resources.get(job))
        refusals = scheduler_of(site).refusals(wanted)
        if not refusals and (reason := _no_launcher(site, wanted)):
            refusals = [reason]
        for line in refusals:
            complaints[site.name, line].append(job)
    for (cluster, line), jobs in complaints.items():
        yield f"execution.resources of {', '.join(jobs)} on cluster '{cluster}': {line}"
