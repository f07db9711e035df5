"""What a job asks of its cluster: the campaign's wishes over the site's defaults."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from hpc_jobs.contract.cluster import Cluster
from hpc_jobs.contract.execution import ON_GPU_CLUSTER, Execution, Job
from hpc_jobs.contract.execution import Resources as Asked
from operators.cluster.job import Resources
from operators.hooks.hpc import scheduler_of

SITE_DEFAULTS = ("partition", "account", "qos", "constraint", "reservation")


def resources_on(
    cluster: Cluster, asked: Asked | None, overrides: Mapping[str, Any] | None = None
) -> Resources:
    """Resources of one element: overrides, else what is asked for, else the site's defaults.

    Options add up, the site's first.
    """
    values: dict[str, Any] = (asked.model_dump() if asked else {}) | dict(overrides or {})
    for key in SITE_DEFAULTS:
        values[key] = values.get(key) or getattr(cluster, key)
    values["options"] = (*cluster.options, *values.get("options", ()))
    return Resources(**values)


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
        for line in scheduler_of(site).refusals(resources_on(site, execution.resources.get(job))):
            complaints[site.name, line].append(job)
    for (cluster, line), jobs in complaints.items():
        yield f"execution.resources of {', '.join(jobs)} on cluster '{cluster}': {line}"
