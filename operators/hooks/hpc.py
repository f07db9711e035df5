"""Sessions of clusters, each by the Airflow Connection of its name and its file in dags/clusters.

Host keys are pinned in the Connection's extra (`host_key`, "type base64") and verified strictly;
known_hosts is neither read nor written.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowNotFoundException

from hpc_jobs.contract.cluster import Cluster
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.loading import load, parse
from operators.cluster.session import ClusterSession
from operators.hooks.connection import login_of, login_of_async
from operators.hooks.login_check import check_login
from operators.hooks.steps import Steps

if TYPE_CHECKING:
    from operators.cluster.transports.login import Login
    from operators.cluster.transports.transport import AsyncTransport, Transport

Session = ClusterSession[Cluster]
Connect = Callable[[str], Session]
"""From a cluster's name to a session of it: `open_session`, or another way to reach it."""


def clusters_folder() -> Path:
    """Where clusters are described: <dags folder>/clusters."""
    return Path(conf.get("core", "dags_folder")) / "clusters"


def describe(cluster: str) -> Cluster:
    """Read a cluster's file; raises ConfigurationError, which says what is wrong."""
    return load(Cluster, clusters_folder() / f"{cluster}.yaml")


def with_hints(site: Cluster) -> Cluster:
    """Let the Connection's poll interval count; raise ConfigurationError where they disagree."""
    try:
        extra = BaseHook.get_connection(site.name).extra_dejson
    except AirflowNotFoundException:  # logging in will say so
        return site
    scheduler = str(extra.get("scheduler") or "").strip() or site.scheduler
    if scheduler != site.scheduler:
        raise ConfigurationError(
            f"Connection '{site.name}' says scheduler '{scheduler}', its file in dags/clusters "
            f"says '{site.scheduler}'; correct one of them"
        )
    interval = str(extra.get("poll_interval_s") or "").strip()
    if not interval:
        return site
    changed = site.model_dump(mode="json") | {"poll_interval_s": interval}
    return parse(Cluster, changed, f"Connection '{site.name}'")


def open_session(cluster: str) -> Session:
    """Open a session, as its Connection and its file say; nothing is read before it is needed."""

    def connect(read_login: "Callable[[], Login]") -> "Transport":
        from operators.cluster import transports  # it imports the SSH libraries

        return transports.connect(read_login, _umask(cluster))

    return ClusterSession(
        cluster, lambda: with_hints(describe(cluster)), partial(login_of, cluster), connect
    )


async def connect_async(cluster: str) -> "AsyncTransport":
    """Make the triggerer's connection to a cluster."""
    from operators.cluster import transports  # it imports the SSH libraries

    return await transports.connect_async(lambda: login_of_async(cluster), _umask(cluster))


def _umask(cluster: str) -> str | None:
    """Read what a cluster's file says of files; of one that is wrong, others will say so."""
    try:
        return describe(cluster).umask
    except ConfigurationError:
        return None


class HpcHook(BaseHook):
    """What Airflow knows a cluster's Connection by: its form, its test, and a session of it."""

    conn_name_attr = "cluster"
    default_conn_name = "cpu"
    conn_type = "hpc"
    hook_name = "HPC cluster"

    def __init__(self, cluster: str = default_conn_name) -> None:
        super().__init__()
        self.cluster = cluster

    def get_conn(self) -> Session:
        """Open a session of the cluster; close it after use."""
        return open_session(self.cluster)

    def test_connection(self) -> tuple[bool, str]:
        """Try login, scheduler and workspaces; say what was tried, step by step.

        From the form, Airflow tries a Connection under a name of its own: the login alone.
        """
        steps = Steps()
        file = clusters_folder() / f"{self.cluster}.yaml"
        with self.get_conn() as session:
            check_login(session, steps, described=file.is_file())
        return steps.good, steps.in_words()
