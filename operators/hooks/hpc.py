"""HpcHook: one cluster, by the Airflow Connection of its name and its file in dags/clusters."""

import contextlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.configuration import conf

from hpc_jobs.contract.cluster import Cluster, HpcWorkspaces
from hpc_jobs.contract.loading import load
from operators.cluster.errors import ClusterError, HostKeyRefused, NeedsLogin
from operators.cluster.reply import Reply
from operators.cluster.schedulers import SCHEDULERS
from operators.cluster.schedulers.base import Scheduler
from operators.cluster.workspaces import WORKSPACES
from operators.cluster.workspaces.base import Lease, WorkspaceDialect

if TYPE_CHECKING:
    import paramiko

    from operators.cluster.transports.base import Transport
    from operators.cluster.transports.ssh import AsyncSshTransport

SSH_PORT = 22
CONNECT_TIMEOUT_S = 20
KEEPALIVE_S = 15


def clusters_folder() -> Path:
    """Where clusters are described: <dags folder>/clusters."""
    return Path(conf.get("core", "dags_folder")) / "clusters"


def describe(cluster: str) -> Cluster:
    """Read a cluster's file; raises ConfigurationError, which says what is wrong."""
    return load(Cluster, clusters_folder() / f"{cluster}.yaml")


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
        """How the cluster is described."""
        return describe(self.cluster)

    @cached_property
    def scheduler(self) -> Scheduler:
        """How its scheduler speaks."""
        return scheduler_of(self.site)

    @cached_property
    def transport(self) -> "Transport":
        """The connection itself."""
        from operators.cluster.transports.ssh import SshTransport

        return SshTransport(self._connect)

    def run(self, argv: Sequence[str], timeout_s: float = 60) -> Reply:
        """Run a command in the login's home folder; a non-zero exit is a reply, not an error."""
        return self.transport.run(argv, timeout_s)

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
        """Try the login, then the scheduler and the workspaces; say what was tried."""
        tried = []
        try:
            tried.append("login")
            name = self.run(["hostname"]).stdout.strip()
            tried.append("description")
            site = self.site
            tried.append(f"scheduler {site.scheduler}")
            jobs = len(self.queue())
            tried.append(f"workspaces {site.workspaces.kind}")
            leases = len(self.workspace().list())
        except NeedsLogin as error:
            return False, f"{' -> '.join(tried)}: {error}"
        except Exception as error:
            return False, f"{' -> '.join(tried)} failed: {error}"
        finally:
            self.close()
        return True, f"{name}: {' -> '.join(tried)}; {jobs} live jobs, {leases} workspaces"

    def _connect(self) -> "paramiko.SSHClient":
        _pinned(self.cluster, self.get_connection(self.cluster).extra_dejson)
        return _pinned_hook(self.cluster).get_conn()


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


async def connect_async(cluster: str) -> "AsyncSshTransport":
    """Make the triggerer's connection to a cluster."""
    from airflow.providers.common.compat.connection import (
        get_async_connection,
        get_async_extra_dejson,
    )

    from operators.cluster.transports.ssh import AsyncSshTransport

    connection = await get_async_connection(cluster)
    extra = await get_async_extra_dejson(connection)
    return await AsyncSshTransport.connect(
        host=connection.host or "",
        port=connection.port or SSH_PORT,
        username=connection.login or "",
        password=connection.password,
        private_key=extra.get("private_key"),
        key_file=extra.get("key_file"),
        passphrase=extra.get("private_key_passphrase"),
        host_key=_pinned(cluster, extra),
    )


def _pinned(cluster: str, extra: dict[str, Any]) -> str:
    """Key type and key of the host, from the Connection; raises HostKeyRefused without one."""
    parts = str(extra.get("host_key") or "").split()
    if len(parts) < 2:
        raise HostKeyRefused(
            f"Connection '{cluster}' pins no host key; put a line of `ssh-keyscan HOST`, without "
            "the host name and after comparing it with the site's, into its extra 'host_key'"
        )
    return " ".join(parts[:2])


def _pinned_hook(cluster: str) -> Any:
    """Make an SSHHook that knows one host key, and asks neither agents nor known_hosts."""
    import paramiko
    from airflow.providers.ssh.hooks.ssh import SSHHook
    from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

    class PinnedSSHHook(SSHHook):
        def get_conn(self) -> paramiko.SSHClient:
            assert self.host_key is not None
            client = paramiko.SSHClient()
            name = (
                self.remote_host if self.port == SSH_PORT else f"[{self.remote_host}]:{self.port}"
            )
            client.get_host_keys().add(name, self.host_key.get_name(), self.host_key)
            client.set_missing_host_key_policy(paramiko.RejectPolicy())
            try:
                client.connect(
                    hostname=self.remote_host,
                    port=self.port,
                    username=self.username,
                    password=self.password or None,
                    pkey=self.pkey,
                    key_filename=self.key_file or None,
                    sock=self.host_proxy,
                    allow_agent=False,
                    look_for_keys=False,
                    timeout=CONNECT_TIMEOUT_S,
                    banner_timeout=CONNECT_TIMEOUT_S,
                    auth_timeout=CONNECT_TIMEOUT_S,
                )
                transport = client.get_transport()
                if transport is not None:
                    transport.set_keepalive(self.keepalive_interval)
            except BaseException:
                with contextlib.suppress(Exception):
                    client.close()
                raise
            return client

    try:
        return PinnedSSHHook(ssh_conn_id=cluster, keepalive_interval=KEEPALIVE_S)
    except (ValueError, paramiko.SSHException) as error:
        raise HostKeyRefused(f"Connection '{cluster}': host_key is no key: {error}") from error
    except AirflowNotFoundException:
        raise
    except AirflowException as error:
        raise NeedsLogin(f"Connection '{cluster}': {error}") from error
