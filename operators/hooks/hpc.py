"""HpcHook: one cluster, by the Airflow Connection of its name and its file in dags/clusters."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowNotFoundException

from hpc_jobs.contract.cluster import Cluster, HpcWorkspaces
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.loading import load, parse
from operators.cluster.errors import ClusterError
from operators.cluster.reply import Reply
from operators.cluster.schedulers import SCHEDULERS
from operators.cluster.schedulers.scheduler import Scheduler
from operators.cluster.script import login_command
from operators.cluster.workspaces import WORKSPACES
from operators.cluster.workspaces.workspace_tool import Lease, WorkspaceDialect
from operators.hooks.connection import login_of, login_of_async

if TYPE_CHECKING:
    import paramiko

    from operators.cluster.transports.login import Login
    from operators.cluster.transports.transport import AsyncTransport, Transport


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
    scheduler = extra.get("scheduler") or site.scheduler
    if scheduler != site.scheduler:
        raise ConfigurationError(
            f"Connection '{site.name}' says scheduler '{scheduler}', its file in dags/clusters "
            f"says '{site.scheduler}'; correct one of them"
        )
    if not extra.get("poll_interval_s"):
        return site
    changed = site.model_dump(mode="json") | {"poll_interval_s": extra["poll_interval_s"]}
    return parse(Cluster, changed, f"Connection '{site.name}'")


def scheduler_of(site: Cluster) -> Scheduler:
    """Find the dialect of a cluster's scheduler; raises ClusterError where there is none yet."""
    dialect = SCHEDULERS.get(site.scheduler)
    if dialect is None:
        raise ClusterError(
            f"cluster '{site.name}': no dialect for scheduler '{site.scheduler}'; "
            f"there are {', '.join(SCHEDULERS)}"
        )
    return dialect()


class HpcHook(BaseHook):
    """Commands, small files and workspaces on one cluster, over SSH.

    The connection is made at the first use and again after a loss. Host keys are pinned in the
    Connection's extra (`host_key`, "type base64") and verified strictly; known_hosts is neither
    read nor written.
    """

    conn_name_attr = "cluster"
    default_conn_name = "cpu"
    conn_type = "hpc"
    hook_name = "HPC cluster"

    def __init__(self, cluster: str = default_conn_name) -> None:
        super().__init__()
        self.cluster = cluster

    @cached_property
    def site(self) -> Cluster:
        """How the cluster is described, with what its Connection says of it."""
        return with_hints(describe(self.cluster))

    @cached_property
    def scheduler(self) -> Scheduler:
        """How its scheduler speaks."""
        return scheduler_of(self.site)

    @cached_property
    def login(self) -> "Login":
        """How the Connection says to log in; raises HostKeyRefused where it pins no host key."""
        return login_of(self.cluster)

    @cached_property
    def transport(self) -> "Transport":
        """The connection itself; made when it is first used."""
        from operators.cluster.transports.openssh import OpenSshTransport
        from operators.cluster.transports.ssh import SshTransport

        if self.login.control_socket:
            return OpenSshTransport(self.login)
        return SshTransport(lambda: self._connect())

    def run(self, argv: Sequence[str], timeout_s: float = 60) -> Reply:
        """Run a command in the login's home folder; a non-zero exit is a reply, not an error."""
        return self.transport.run(argv, timeout_s)

    def profiled(self, argv: Sequence[str], code: PurePosixPath) -> tuple[str, ...]:
        """Put the site's modules and environment around a command, as jobs have them."""
        site = self.site
        return login_command(argv, code=code, modules=site.modules, environment=site.environment)

    def write(self, path: str, content: bytes) -> None:
        """Write a file whole or not at all; parents are made."""
        self.transport.write(str(path), content)

    def read(self, path: str, offset: int = 0, limit: int | None = None) -> bytes:
        """Read a file or a part of it; raises FileNotFoundError."""
        return self.transport.read(str(path), offset, limit)

    def exists(self, path: str) -> bool:
        """Whether a file or folder is there."""
        return self.transport.exists(str(path))

    def list(self, path: str) -> list[str]:
        """Names in a folder, sorted; raises FileNotFoundError."""
        return self.transport.list(str(path))

    def queue(self) -> dict[str, str]:
        """Names of all our live jobs by job id."""
        return self.scheduler.parse_names(self.run(self.scheduler.names_command()))

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Cancel jobs; those that have ended do no harm."""
        if job_ids:
            self.run(self.scheduler.cancel_command(job_ids))

    def workspace(self) -> "Workspaces":
        """Return the cluster's workspace tools."""
        return Workspaces(self)

    def close(self) -> None:
        """Let the connection go; the next use makes it again."""
        if "transport" in self.__dict__:
            self.transport.close()

    def __enter__(self) -> "HpcHook":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_conn(self) -> "Transport":
        """Return the connection, as Airflow calls it."""
        return self.transport

    def test_connection(self) -> tuple[bool, str]:
        """Try login, scheduler and workspaces; say what was tried, step by step.

        From the form, Airflow tries a Connection under a name of its own: the login alone.
        """
        from operators.checks.login import check_login
        from operators.checks.step import Steps

        steps = Steps()
        try:
            file = clusters_folder() / f"{self.cluster}.yaml"
            check_login(self, steps, described=file.is_file())
        finally:
            self.close()
        return steps.good, steps.in_words()

    def _connect(self) -> "paramiko.SSHClient":
        from operators.cluster.transports.clients import connect

        self.__dict__.pop("login", None)  # a renewed key or certificate is read anew
        return connect(self.login)


class Workspaces:
    """What a site's workspace tools can do; raises WorkspaceRefused with their words."""

    def __init__(self, hook: HpcHook) -> None:
        self._hook = hook
        settings = hook.site.workspaces
        dialect = WORKSPACES[settings.kind]
        self.dialect: WorkspaceDialect = (
            dialect(settings.filesystem)  # type: ignore[call-arg]
            if isinstance(settings, HpcWorkspaces)
            else dialect(settings.root)  # type: ignore[call-arg]
        )

    def allocate(self, name: str, days: int) -> str:
        """Absolute path of the workspace of that name, made if need be."""
        command = self.dialect.allocate_command(name, days)
        return self.dialect.parse_path(self._hook.run(command))

    def find(self, name: str) -> str | None:
        """Absolute path, or None where there is none."""
        return self.dialect.parse_find(self._hook.run(self.dialect.find_command(name)))

    def extend(self, name: str, days: int) -> None:
        """Let it live for that many days from now."""
        self.dialect.parse_done(self._hook.run(self.dialect.extend_command(name, days)))

    def release(self, name: str) -> None:
        """Give it back."""
        self.dialect.parse_done(self._hook.run(self.dialect.release_command(name)))

    def list(self) -> list[Lease]:
        """All of ours, sorted by name."""
        return self.dialect.parse_list(self._hook.run(self.dialect.list_command()))


async def connect_async(cluster: str) -> "AsyncTransport":
    """Make the triggerer's connection to a cluster."""
    from operators.cluster.transports.openssh import AsyncOpenSshTransport
    from operators.cluster.transports.ssh import AsyncSshTransport

    login = await login_of_async(cluster)
    if login.control_socket:
        return AsyncOpenSshTransport(login)
    return await AsyncSshTransport.connect(login)
