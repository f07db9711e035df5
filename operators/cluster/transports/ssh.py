"""SSH: paramiko for the worker's blocking calls, asyncssh for the triggerer's one connection.

How the client is made is clients.py's business; here is what is done with it, and what its failures
mean.
"""

import asyncio
import contextlib
import logging
import selectors
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

import asyncssh
import paramiko

from operators.cluster.errors import (
    ClusterError,
    HostKeyRefused,
    NeedsLogin,
    SessionsTaken,
    TransportError,
)
from operators.cluster.reply import Reply
from operators.cluster.transports.clients import connect_async
from operators.cluster.transports.login import CONNECT_TIMEOUT_S, Login
from operators.cluster.transports.sessions import MOST_SESSIONS, Sessions, pauses
from operators.cluster.transports.shell import Conversation, RawReply, ShellTransport
from operators.cluster.transports.transport import COMMAND_TIMEOUT_S, AsyncTransport

READ_BYTES = 65536
CLOSED_WITHIN_S = 2.0
NO_HOST = "the Connection's host can be no host's name; mend it"
PINNED = "the host key pinned in the Connection is another one; ask the site before changing it"

# Both tell every channel, and paramiko every refusal: what matters is raised as well.
logging.getLogger("asyncssh").setLevel(logging.WARNING)
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class SshTransport(ShellTransport):
    """One paramiko client, made when first needed and again after a loss."""

    patience_s = 0.0
    """A slow site's commands are waited for at least so long."""

    def __init__(
        self, connect: Callable[[], paramiko.SSHClient], *, umask: str | None = None
    ) -> None:
        """`connect` logs in, and is called again after a loss; credentials may be new by then."""
        self._connect = connect
        self._client: paramiko.SSHClient | None = None
        self.umask = umask

    def exchange(self, conversation: Conversation, timeout_s: float) -> RawReply:
        """Run a command in a session of its own."""
        doing = f"running '{conversation.name}'"
        with self._failures(doing):
            channel = self._session(doing)
            try:
                channel.exec_command(conversation.line)
                return _converse(channel, conversation, max(timeout_s, self.patience_s))
            finally:
                channel.close()

    def room(self) -> int:
        """Open sessions that do nothing, as many as the triggerer would use."""
        with self._failures("opening sessions"), contextlib.ExitStack() as opened:
            transport = self._connected().get_transport()
            for number in range(MOST_SESSIONS):
                try:
                    channel = transport.open_session(timeout=CONNECT_TIMEOUT_S)
                except paramiko.ChannelException:
                    return number
                opened.callback(channel.close)
        return MOST_SESSIONS

    def close(self) -> None:
        """Let the connection go."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                client.close()

    def _session(self, doing: str) -> paramiko.Channel:
        """Open a session; where the server has no room for one, wait until it has."""
        transport = self._connected().get_transport()
        if transport is None:
            raise TransportError("the connection was closed")
        for pause_s in pauses(doing):
            try:
                return transport.open_session(timeout=CONNECT_TIMEOUT_S)
            except paramiko.ChannelException:
                time.sleep(pause_s)
        raise AssertionError("unreachable: pauses() ends in an error")

    def _connected(self) -> paramiko.SSHClient:
        transport = self._client.get_transport() if self._client else None
        if self._client is None or transport is None or not transport.is_active():
            self.close()
            self._client = self._connect()
        return self._client

    @contextlib.contextmanager
    def _failures(self, doing: str) -> Iterator[None]:
        """Say what paramiko's failures mean, and drop a connection that is no good any more."""
        try:
            yield
        except ClusterError:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise _meaning(error, doing) from error


class AsyncSshTransport(AsyncTransport):
    """One asyncssh connection for everything that one triggerer asks of one cluster."""

    patience_s = 0.0

    def __init__(
        self,
        hops: Callable[[], Awaitable[list[asyncssh.SSHClientConnection]]],
        *,
        umask: str | None = None,
    ) -> None:
        """`hops` connects, and is called again after a loss; credentials may be new by then."""
        self._make = hops
        self._hops: list[asyncssh.SSHClientConnection] = []
        self._sessions = Sessions()
        self._making = asyncio.Lock()
        self.umask = umask

    @classmethod
    async def connect(cls, login: Login) -> "AsyncSshTransport":
        """Log in at once; the host must show its pinned key, and nothing else is believed."""
        made = cls(lambda: connect_async(login))
        await made._connected()
        return made

    async def run(self, argv: Sequence[str], timeout_s: float = COMMAND_TIMEOUT_S) -> Reply:
        """Run a command."""
        conversation = Conversation.begin(argv, umask=self.umask)
        doing = f"running '{argv[0]}'"
        for pause_s in self._pauses(doing):
            connection = await self._connected()
            async with self._sessions.one():
                try:
                    at_least_s = max(timeout_s, self.patience_s)
                    return await self._talk(connection, conversation, at_least_s)
                except asyncssh.ChannelOpenError:
                    if not connection.is_closed():
                        self._sessions.refused()
                except ClusterError:
                    raise
                except Exception as error:
                    raise _meaning(error, doing) from error
            await asyncio.sleep(pause_s)
        raise AssertionError("unreachable: pauses() ends in an error")

    def _pauses(self, doing: str) -> Iterator[float]:
        """Between tries for a session; at their end, a connection that serves nobody is left."""
        try:
            yield from pauses(doing)
        except SessionsTaken:
            if not self._sessions.open:  # the server's sessions hang: the next call begins anew
                for hop in reversed(self._hops):
                    hop.close()
            raise

    async def close(self) -> None:
        """Let the connection go."""
        self._sessions.most = MOST_SESSIONS
        hops, self._hops = self._hops, []
        for hop in reversed(hops):
            hop.close()
            with contextlib.suppress(Exception):
                await asyncio.wait_for(hop.wait_closed(), 5)

    async def _connected(self) -> asyncssh.SSHClientConnection:
        async with self._making:  # one connection is made, however many ask at once
            if self._hops and any(hop.is_closed() for hop in self._hops):
                await self.close()
            if not self._hops:
                try:
                    self._hops = await self._make()
                except Exception as error:
                    raise _meaning(error, "connecting") from error
            return self._hops[-1]

    async def _talk(
        self,
        connection: asyncssh.SSHClientConnection,
        conversation: Conversation,
        timeout_s: float,
    ) -> Reply:
        """Say the line, send the text, and read until all is said or the time is up."""
        process: asyncssh.SSHClientProcess[bytes] = await asyncio.wait_for(
            connection.create_process(conversation.line, encoding=None), CONNECT_TIMEOUT_S
        )
        out, err = bytearray(), bytearray()
        try:
            process.stdin.write(conversation.stdin)
            process.stdin.write_eof()
            async with asyncio.timeout(timeout_s):
                await _read(process, conversation, out, err)
        except TimeoutError:
            raise conversation.late(timeout_s) from None
        finally:
            process.close()
            with contextlib.suppress(TimeoutError):  # the server's session is free again by then
                await asyncio.wait_for(process.wait_closed(), CLOSED_WITHIN_S)
        code = process.exit_status
        return conversation.answer(None if code == -1 else code, bytes(out), bytes(err)).text


async def _read(
    process: "asyncssh.SSHClientProcess[bytes]",
    conversation: Conversation,
    out: bytearray,
    err: bytearray,
) -> None:
    """Collect both streams until their end, or until the command's own end."""
    ended = asyncio.Event()

    async def collect(reader: "asyncssh.SSHReader[bytes]", into: bytearray) -> None:
        while piece := await reader.read(READ_BYTES):
            into += piece
            if conversation.ended(out, err):
                ended.set()

    both = asyncio.gather(collect(process.stdout, out), collect(process.stderr, err))
    over = asyncio.ensure_future(ended.wait())
    try:
        await asyncio.wait((both, over), return_when=asyncio.FIRST_COMPLETED)
        if both.done():
            both.result()
            if not conversation.ended(out, err):
                await process.wait_closed()  # the exit status may come last
    finally:
        both.cancel()
        over.cancel()
        await asyncio.gather(both, over, return_exceptions=True)


def _converse(channel: paramiko.Channel, conversation: Conversation, timeout_s: float) -> RawReply:
    """Send the input and read both streams as they come, until all is said or the time is up."""
    deadline = time.monotonic() + timeout_s
    rest, out, err = conversation.stdin, bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        while True:
            rest, news = _send(channel, rest), False
            while channel.recv_ready():
                out += channel.recv(READ_BYTES)
                news = True
            while channel.recv_stderr_ready():
                err += channel.recv_stderr(READ_BYTES)
                news = True
            if news and conversation.ended(out, err):
                break
            over = channel.closed or (channel.exit_status_ready() and channel.eof_received)
            if over and not channel.recv_ready() and not channel.recv_stderr_ready():
                break
            if time.monotonic() > deadline:
                raise conversation.late(timeout_s)
            if not (rest and channel.send_ready()):
                selector.select(0.01 if rest else 0.2)
    code = channel.recv_exit_status() if channel.exit_status_ready() else None
    return conversation.answer(None if code == -1 else code, bytes(out), bytes(err))


def _send(channel: paramiko.Channel, rest: bytes) -> bytes:
    """Send what the window has room for, and the end behind the last of it; return the rest."""
    try:
        while rest and channel.send_ready():
            rest = rest[channel.send(rest[:READ_BYTES]) :]
            if not rest:
                channel.shutdown_write()
    except OSError:  # it reads no more: what it has answered will say why
        return b""
    return rest


def _meaning(error: Exception, doing: str) -> Exception:
    """Return the error of ours that says what paramiko's or asyncssh's means."""
    refusals = (paramiko.AuthenticationException, asyncssh.PermissionDenied)
    lost = (paramiko.SSHException, asyncssh.Error, OSError, TimeoutError, EOFError)
    words = getattr(error, "reason", "") or str(error) or type(error).__name__
    if isinstance(error, (paramiko.BadHostKeyException, asyncssh.HostKeyNotVerifiable)):
        return HostKeyRefused(f"{doing}: {words}; {PINNED}")
    if "not found in known_hosts" in words or "No matching host key algorithm" in words:
        return HostKeyRefused(f"{doing}: {words}; {PINNED}")
    if isinstance(error, refusals):
        return NeedsLogin(f"{doing}: the login was refused ({words})")
    if isinstance(error, UnicodeError):
        return NeedsLogin(f"{doing}: {NO_HOST} ({words})")
    return TransportError(f"{doing}: {words}") if isinstance(error, lost) else error
