"""Ways to reach a cluster; to add one, write its module and one line here.

A Login says which way it is by what it carries: `kind_of`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncssh
import paramiko

from operators.cluster.transports import clients
from operators.cluster.transports.login import Login
from operators.cluster.transports.openssh import AsyncOpenSshTransport, OpenSshTransport
from operators.cluster.transports.refusals import Refusals
from operators.cluster.transports.ssh import AsyncSshTransport, SshTransport
from operators.cluster.transports.transport import AsyncTransport, Transport

ReadLogin = Callable[[], Awaitable[Login]]


@dataclass(frozen=True, slots=True)
class Way:
    """How one kind of connection is made: a worker's, and the triggerer's."""

    connect: Callable[[Callable[[], Login], str | None], Transport]
    """from what reads the login anew, and the umask of files"""
    connect_async: Callable[[ReadLogin, str | None], Awaitable[AsyncTransport]]


def _ssh(read_login: Callable[[], Login], umask: str | None) -> Transport:
    def client() -> paramiko.SSHClient:
        login = read_login()
        made.patience_s = login.command_timeout_s
        return clients.connect(login, Refusals())

    made = SshTransport(client, umask=umask)
    return made


def _openssh(read_login: Callable[[], Login], umask: str | None) -> Transport:
    return OpenSshTransport(read_login(), umask=umask)


async def _ssh_async(read_login: ReadLogin, umask: str | None) -> AsyncTransport:
    async def hops() -> list[asyncssh.SSHClientConnection]:
        login = await read_login()
        made.patience_s = login.command_timeout_s
        return await clients.connect_async(login, Refusals())

    made = AsyncSshTransport(hops, umask=umask)
    return made


async def _openssh_async(read_login: ReadLogin, umask: str | None) -> AsyncTransport:
    return AsyncOpenSshTransport(await read_login(), umask=umask)


TRANSPORTS: dict[str, Way] = {
    "ssh": Way(_ssh, _ssh_async),
    "openssh": Way(_openssh, _openssh_async),
}
"""ssh: our own connection, with a key; openssh: through a master connection of a person's ssh."""


def kind_of(login: Login) -> str:
    """Key of TRANSPORTS for a login."""
    return "openssh" if login.control_socket else "ssh"


def connect(read_login: Callable[[], Login], umask: str | None = None) -> Transport:
    """Make a worker's connection, which is renewed with a login that is read anew.

    umask: what files are made with, such as "027"; None leaves it to the login.
    """
    return TRANSPORTS[kind_of(read_login())].connect(read_login, umask)


async def connect_async(read_login: ReadLogin, umask: str | None = None) -> AsyncTransport:
    """Make the triggerer's connection, which is renewed in the same way."""
    return await TRANSPORTS[kind_of(await read_login())].connect_async(read_login, umask)
