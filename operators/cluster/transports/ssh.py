"""SSH: paramiko for the worker's blocking calls, asyncssh for the triggerer's one connection.

How the client is made is login.py's business; here is what is done with it, and what its failures
mean.
"""

import asyncio
import contextlib
import logging
import posixpath
import secrets
import selectors
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import asyncssh
import paramiko

from operators.cluster.errors import (
    HostKeyRefused,
    NeedsLogin,
    RemoteFileError,
    TransportError,
)
from operators.cluster.reply import Reply, command_line
from operators.cluster.transports.login import Login, connect_async
from operators.cluster.transports.transport import (
    COMMAND_TIMEOUT_S,
    CONNECT_TIMEOUT_S,
    AsyncTransport,
    Transport,
)

READ_BYTES = 65536

# Both tell every channel at INFO: a task's log would hold little else.
for _name in ("asyncssh", "paramiko"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class SshTransport(Transport):
    """One paramiko client, made when first needed and again after a loss."""

    def __init__(self, connect: Callable[[], paramiko.SSHClient]) -> None:
        self._connect = connect
        self._client: paramiko.SSHClient | None = None
        self._sftp: paramiko.SFTPClient | None = None

    def run(
        self, argv: Sequence[str], timeout_s: float = COMMAND_TIMEOUT_S, stdin: bytes = b""
    ) -> Reply:
        """Run a command."""
        with self._failures(f"running '{argv[0]}'"):
            transport = self._connected().get_transport()
            if transport is None:
                raise TransportError("the connection was closed")
            channel = transport.open_session(timeout=CONNECT_TIMEOUT_S)
            try:
                channel.settimeout(timeout_s)
                channel.exec_command(command_line(argv))
                if stdin:
                    channel.sendall(stdin)
                channel.shutdown_write()
                return _collect(channel, argv[0], time.monotonic() + timeout_s)
            finally:
                channel.close()

    def write(self, path: str, content: bytes) -> None:
        """Write atomically, by SFTP."""
        folder, name = posixpath.split(path)
        temporary = posixpath.join(folder, f".{name}.{secrets.token_hex(4)}")
        with self._failures(f"writing {path}"):
            sftp = self._files()
            try:
                with sftp.open(temporary, "wb") as file:
                    file.write(content)
            except FileNotFoundError:
                _make_folders(sftp, folder)
                with sftp.open(temporary, "wb") as file:
                    file.write(content)
            sftp.posix_rename(temporary, path)

    def read(self, path: str, offset: int = 0, limit: int | None = None) -> bytes:
        """Read a file or a part of it, by SFTP."""
        with self._failures(f"reading {path}"), self._files().open(path, "rb") as file:
            file.seek(offset)
            if limit is None:
                file.prefetch()
            return bytes(file.read(limit))

    def exists(self, path: str) -> bool:
        """Whether it is there."""
        try:
            with self._failures(f"looking for {path}"):
                self._files().stat(path)
        except FileNotFoundError:
            return False
        return True

    def list(self, path: str) -> list[str]:
        """Names in a folder."""
        with self._failures(f"listing {path}"):
            return sorted(self._files().listdir(path))

    def close(self) -> None:
        """Let the connection go."""
        client, self._client, self._sftp = self._client, None, None
        if client is not None:
            with contextlib.suppress(Exception):
                client.close()

    def _connected(self) -> paramiko.SSHClient:
        transport = self._client.get_transport() if self._client else None
        if self._client is None or transport is None or not transport.is_active():
            self.close()
            self._client = self._connect()
        return self._client

    def _files(self) -> paramiko.SFTPClient:
        client = self._connected()
        if self._sftp is None:
            self._sftp = client.open_sftp()
            channel = self._sftp.get_channel()
            if channel is not None:
                channel.settimeout(COMMAND_TIMEOUT_S)
        return self._sftp

    @contextlib.contextmanager
    def _failures(self, doing: str) -> Iterator[None]:
        """Say what paramiko's failures mean, and drop a connection that is no good any more."""
        try:
            yield
        except TransportError:
            self.close()
            raise
        except paramiko.BadHostKeyException as error:
            self.close()
            raise HostKeyRefused(f"{doing}: {error}; {PINNED}") from error
        except paramiko.AuthenticationException as error:
            self.close()
            raise NeedsLogin(f"{doing}: the login was refused ({error})") from error
        except FileNotFoundError:
            raise
        except (paramiko.SSHException, EOFError, ConnectionError, TimeoutError) as error:
            self.close()
            if "not found in known_hosts" in str(error):
                raise HostKeyRefused(f"{doing}: {error}; {PINNED}") from error
            raise TransportError(f"{doing}: {_words(error)}") from error
        except UnicodeError as error:
            raise NeedsLogin(f"{doing}: {NO_HOST} ({error})") from error
        except OSError as error:
            if self._client is None or (error.errno is not None and _is_network(error)):
                self.close()
                raise TransportError(f"{doing}: {_words(error)}") from error
            raise RemoteFileError(f"{doing}: {_words(error)}") from error


NO_HOST = "the Connection's host can be no host's name; mend it"
PINNED = "the host key pinned in the Connection is another one; ask the site before changing it"


class AsyncSshTransport(AsyncTransport):
    """One asyncssh connection for everything that one triggerer asks of one cluster."""

    def __init__(self, hops: Sequence[asyncssh.SSHClientConnection]) -> None:
        self._hops = list(hops)
        self._connection = self._hops[-1]

    @classmethod
    async def connect(cls, login: Login) -> "AsyncSshTransport":
        """Log in; the host must show its pinned key, and nothing else is believed."""
        try:
            return cls(await connect_async(login))
        except Exception as error:
            raise _meaning(error, f"connecting to {login.host}:{login.port}") from error

    async def run(self, argv: Sequence[str], timeout_s: float = COMMAND_TIMEOUT_S) -> Reply:
        """Run a command."""
        try:
            done = await asyncio.wait_for(
                self._connection.run(command_line(argv), encoding=None, check=False), timeout_s
            )
        except TimeoutError:
            raise TransportError(f"'{argv[0]}' did not answer within {timeout_s:g} s") from None
        except Exception as error:
            raise _meaning(error, f"running '{argv[0]}'") from error
        if done.exit_status is None or done.exit_status < 0:
            raise TransportError(f"running '{argv[0]}': the connection was lost")
        return Reply(done.exit_status, _text(done.stdout), _text(done.stderr))

    async def close(self) -> None:
        """Let the connection go."""
        for hop in reversed(self._hops):
            hop.close()
            with contextlib.suppress(Exception):
                await asyncio.wait_for(hop.wait_closed(), 5)


def _meaning(error: Exception, doing: str) -> Exception:
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return HostKeyRefused(f"{doing}: {error.reason}; {PINNED}")
    if isinstance(error, (asyncssh.PermissionDenied, asyncssh.KeyImportError)):
        return NeedsLogin(f"{doing}: the login was refused ({error})")
    if isinstance(error, UnicodeError):
        return NeedsLogin(f"{doing}: {NO_HOST} ({error})")
    if isinstance(error, (asyncssh.Error, OSError, TimeoutError, EOFError)):
        return TransportError(f"{doing}: {_words(error)}")
    return error


def _collect(channel: paramiko.Channel, name: str, deadline: float) -> Reply:
    """Read both streams as they come, until the command has exited or the time is up."""
    out, err = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        while True:
            while channel.recv_ready():
                out += channel.recv(READ_BYTES)
            while channel.recv_stderr_ready():
                err += channel.recv_stderr(READ_BYTES)
            ended = channel.exit_status_ready() and (channel.eof_received or channel.closed)
            if ended and not channel.recv_ready() and not channel.recv_stderr_ready():
                break
            if time.monotonic() > deadline:
                raise TransportError(f"'{name}' did not answer in time")
            selector.select(0.2)
    code = channel.recv_exit_status()
    if code < 0:
        raise TransportError(f"running '{name}': the connection was lost")
    return Reply(code, out.decode(errors="replace"), err.decode(errors="replace"))


def _make_folders(sftp: paramiko.SFTPClient, folder: str) -> None:
    if not folder or folder == "/":
        return
    try:
        sftp.stat(folder)
    except FileNotFoundError:
        _make_folders(sftp, posixpath.dirname(folder))
        with contextlib.suppress(OSError):  # another process may have been faster
            sftp.mkdir(folder)


def _is_network(error: OSError) -> bool:
    return not isinstance(error, PermissionError | FileExistsError | IsADirectoryError)


def _text(data: Any) -> str:
    return bytes(data or b"").decode(errors="replace")


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
