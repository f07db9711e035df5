"""A session of one cluster: commands, small files, queue and workspaces over one connection.

Checks, housekeeping and everything that prepares or reads a run take a session; how it is
described and how to log in it learns from whoever opens it (in Airflow: operators.hooks.hpc).
Nothing is read or connected before it is needed.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

from operators.cluster.errors import ClusterError, WorkspaceRefused
from operators.cluster.reply import Reply
from operators.cluster.schedulers import SCHEDULERS
from operators.cluster.schedulers.scheduler import Scheduler
from operators.cluster.script import login_command
from operators.cluster.workspaces import WORKSPACES
from operators.cluster.workspaces.workspace_tool import Lease, WorkspaceDialect

if TYPE_CHECKING:
    from operators.cluster.transports.login import Login
    from operators.cluster.transports.transport import Transport


# What is made below belongs to the group as well: the folder hands it on (setgid).
SHARE = 'chgrp -- "$1" "$2" && chmod g+rxs -- "$2"'


class WorkspaceSettings(Protocol):
    """Which workspace tools a site has, and where they make workspaces."""

    @property
    def kind(self) -> str:
        """Key of WORKSPACES."""
        ...

    @property
    def place(self) -> str | None:
        """A filesystem's name or a folder; None leaves the choice to the tools."""
        ...


class SiteDescription(Protocol):
    """What a session needs to know of its site; hpc_jobs.contract.cluster.Cluster is one."""

    @property
    def name(self) -> str:
        """The cluster's name."""
        ...

    @property
    def scheduler(self) -> str:
        """Key of SCHEDULERS."""
        ...

    @property
    def workspaces(self) -> WorkspaceSettings:
        """The workspace tools."""
        ...

    @property
    def group(self) -> str | None:
        """Unix group that shares the workspaces; None for nobody in particular."""
        ...

    @property
    def modules(self) -> Sequence[str]:
        """Environment modules to load before a command of ours."""
        ...

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables to set before it."""
        ...


SiteT = TypeVar("SiteT", bound=SiteDescription)
MakeTransport = Callable[[Callable[[], "Login"]], "Transport"]
"""Makes a connection; the login is read anew whenever one is made."""


def scheduler_of(site: SiteDescription) -> Scheduler:
    """Find the dialect of a site's scheduler; raises ClusterError where there is none yet."""
    dialect = SCHEDULERS.get(site.scheduler)
    if dialect is None:
        raise ClusterError(
            f"cluster '{site.name}': no dialect for scheduler '{site.scheduler}'; "
            f"there are {', '.join(SCHEDULERS)}"
        )
    return dialect()


def _connect(read_login: Callable[[], "Login"]) -> "Transport":
    from operators.cluster.transports import connect  # it imports the SSH libraries

    return connect(read_login)


class ClusterSession(Generic[SiteT]):
    """One cluster, to be closed after use; connects at the first use and again after a loss.

    Parameters
    ----------
    cluster
        The cluster's name.
    describe
        Returns the site's description; raises what is wrong with it.
    read_login
        Returns host, user and credentials; called for every connection that is made, so that a
        renewed key or certificate counts.
    connect
        Makes the connection from `read_login`; by default one of TRANSPORTS.
    """

    def __init__(
        self,
        cluster: str,
        describe: Callable[[], SiteT],
        read_login: Callable[[], "Login"],
        connect: MakeTransport = _connect,
    ) -> None:
        self.cluster = cluster
        self._describe, self.read_login, self._connect = describe, read_login, connect

    @cached_property
    def site(self) -> SiteT:
        """How the cluster is described."""
        return self._describe()

    @cached_property
    def scheduler(self) -> Scheduler:
        """How its scheduler speaks."""
        return scheduler_of(self.site)

    @cached_property
    def transport(self) -> "Transport":
        """The connection itself; made when it is first used."""
        return self._connect(self.read_login)

    @cached_property
    def workspaces(self) -> "Workspaces":
        """The site's workspace tools."""
        settings = self.site.workspaces
        dialect: WorkspaceDialect = WORKSPACES[settings.kind](settings.place)  # type: ignore[call-arg]
        return Workspaces(self.run, dialect, self.site.group)

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

    def close(self) -> None:
        """Let the connection go; the next use makes it again."""
        if "transport" in self.__dict__:
            self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Workspaces:
    """What a site's workspace tools can do; raises WorkspaceRefused with their words."""

    def __init__(
        self,
        run: Callable[[Sequence[str]], Reply],
        dialect: WorkspaceDialect,
        group: str | None = None,
    ) -> None:
        self._run, self.dialect, self.group = run, dialect, group

    def allocate(self, name: str, days: int) -> str:
        """Absolute path of the workspace of that name, made if need be, and shared if asked for."""
        path = self.dialect.parse_path(self._run(self.dialect.allocate_command(name, days)))
        if self.group:
            reply = self._run(("sh", "-c", SHARE, "share", self.group, path))
            if not reply.ok:
                raise WorkspaceRefused(
                    f"{path} cannot be shared with group '{self.group}': {reply.words}; name a "
                    "group of this account (`id -Gn` there) as `group` in the cluster's file"
                )
        return path

    def find(self, name: str) -> str | None:
        """Absolute path, or None where there is none."""
        return self.dialect.parse_find(self._run(self.dialect.find_command(name)))

    def extend(self, lease: Lease, days: int) -> Lease:
        """Ask that it live for that many days from now; returns it as it is then.

        Tools cap an extension and say so with success.
        """
        self.dialect.parse_done(self._run(self.dialect.extend_command(lease, days)))
        return self.at(lease.path) or lease

    def at(self, path: str) -> Lease | None:
        """Return the lease of a workspace's path; None where the tools do not list it."""
        return next((lease for lease in self.list() if lease.path == path), None)

    def release(self, name: str) -> None:
        """Give it back."""
        self.dialect.parse_done(self._run(self.dialect.release_command(name)))

    def list(self) -> list[Lease]:
        """All of ours, sorted by name."""
        return self.dialect.parse_list(self._run(self.dialect.list_command()))
