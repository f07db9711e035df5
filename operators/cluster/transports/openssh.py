"""The ssh program over a master connection that a person opened, where one-time passwords rule.

No secret is kept: the person logs in once (`ssh -M -S socket`), and as long as that connection
lives its socket serves. When it is dead, NeedsLogin says what to type.
"""

import asyncio
import os
import secrets
import shlex
import subprocess
from collections.abc import Sequence

from operators.cluster.errors import NeedsLogin, RemoteFileError, TransportError
from operators.cluster.reply import Reply, command_line
from operators.cluster.transports.login import Login
from operators.cluster.transports.transport import COMMAND_TIMEOUT_S, AsyncTransport, Transport

FAILED = 255  # ssh's own exit code; a command may exit so, too
MISSING = 44
WRITE = (
    'mkdir -p -- "$2" && cat > "$3" && if [ -d "$1" ]; then echo "$1 is a folder" >&2; false; '
    'else mv -f -- "$3" "$1"; fi || { code=$?; rm -f -- "$3"; exit $code; }'
)
READ = f'[ -e "$1" ] || exit {MISSING}; tail -c "+$2" -- "$1" | head -c "$3"'
READ_ALL = f'[ -e "$1" ] || exit {MISSING}; tail -c "+$2" -- "$1"'
LIST = f'[ -d "$1" ] || exit {MISSING}; find "$1/." -mindepth 1 -maxdepth 1 -printf "%f\\\\0"'


class Master:
    """The socket of a login, and the words for a person."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self.socket = os.path.expanduser(login.control_socket or "")

    def argv(self, *options: str, command: str | None = None) -> list[str]:
        """Write ssh; never a connection of its own, should the master be gone."""
        settings = ("ControlMaster=no", "BatchMode=yes", "ProxyCommand=false", "LogLevel=ERROR")
        argv = ["ssh", "-F", "none", "-S", self.socket, *(f"-o{each}" for each in settings)]
        argv += [*options, "-p", str(self.login.port), "-l", self.login.user, "--"]
        return [*argv, self.login.host, *([command] if command is not None else [])]

    @property
    def command_to_type(self) -> str:
        """Open the master: the host must show the pinned key."""
        known = f"{self.login.known_host} {self.login.host_key}"
        settings = (
            *("ControlPersist=yes", "ServerAliveInterval=15", "StrictHostKeyChecking=yes"),
            *("UserKnownHostsFile=none", "GlobalKnownHostsFile=none"),
            f"KnownHostsCommand=/bin/echo {known}",
        )
        argv = ["ssh", "-fNM", "-S", self.socket, *(part for s in settings for part in ("-o", s))]
        if self.login.jump:
            jump = self.login.jump
            argv += ["-J", f"{jump.user}@{jump.host}:{jump.port}"]
        return shlex.join(
            [*argv, "-p", str(self.login.port), f"{self.login.user}@{self.login.host}"]
        )

    def reply(self, code: int, out: bytes, err: bytes, alive: bool) -> Reply:
        """Turn what ssh answered into a reply; raises NeedsLogin where the master is dead."""
        if code == FAILED and not alive:
            raise NeedsLogin(
                f"{self.login}: no master connection at {self.socket}; "
                f"type on the control host: {self.command_to_type}"
            )
        words = err.decode(errors="replace")
        if code == FAILED and ("mux_client" in words or "ControlSocket" in words):
            raise TransportError(f"{self.login}: {words.strip()}")
        return Reply(code, out.decode(errors="replace"), words)


class OpenSshTransport(Transport):
    """Commands over the master; files, too, by plain shell."""

    def __init__(self, login: Login) -> None:
        self.master = Master(login)

    def run(
        self, argv: Sequence[str], timeout_s: float = COMMAND_TIMEOUT_S, stdin: bytes = b""
    ) -> Reply:
        """Run a command."""
        return self.master.reply(*self._run(argv, timeout_s, stdin))

    def write(self, path: str, content: bytes) -> None:
        """Write atomically."""
        folder, name = os.path.split(path)
        draft = os.path.join(folder, f".{name}.{secrets.token_hex(4)}")
        self._files(("sh", "-c", WRITE, "write", path, folder or ".", draft), "writing", content)

    def read(self, path: str, offset: int = 0, limit: int | None = None) -> bytes:
        """Read a file or a part of it."""
        start = str(offset + 1)
        if limit is None:
            return self._files(("sh", "-c", READ_ALL, "read", path, start), "reading")
        return self._files(("sh", "-c", READ, "read", path, start, str(limit)), "reading")

    def exists(self, path: str) -> bool:
        """Whether it is there."""
        return self.run(("test", "-e", path)).ok

    def list(self, path: str) -> list[str]:
        """Names in a folder."""
        names = self._files(("sh", "-c", LIST, "list", path), "listing").split(b"\0")
        return sorted(name.decode(errors="surrogateescape") for name in names if name)

    def close(self) -> None:
        """Leave the master to its owner."""

    def _files(self, argv: Sequence[str], doing: str, stdin: bytes = b"") -> bytes:
        path = argv[4]
        code, out, err, alive = self._run(argv, COMMAND_TIMEOUT_S, stdin)
        reply = self.master.reply(code, b"", err, alive)
        if code == MISSING:
            raise FileNotFoundError(path)
        if not reply.ok:
            raise RemoteFileError(f"{doing} {path}: {reply.words}")
        return out

    def _run(
        self, argv: Sequence[str], timeout_s: float, stdin: bytes
    ) -> tuple[int, bytes, bytes, bool]:
        ssh = self.master.argv(command=command_line(argv))
        try:
            done = subprocess.run(ssh, input=stdin, capture_output=True, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise TransportError(f"'{argv[0]}' did not answer within {timeout_s:g} s") from None
        alive = done.returncode != FAILED or self._alive()
        return done.returncode, done.stdout, done.stderr, alive

    def _alive(self) -> bool:
        check = self.master.argv("-O", "check")
        return subprocess.run(check, capture_output=True, timeout=20).returncode == 0


class AsyncOpenSshTransport(AsyncTransport):
    """The same for the triggerer: one master for everything, here as well."""

    def __init__(self, login: Login) -> None:
        self.master = Master(login)

    async def run(self, argv: Sequence[str], timeout_s: float = COMMAND_TIMEOUT_S) -> Reply:
        """Run a command."""
        try:
            code, out, err = await asyncio.wait_for(
                _output(self.master.argv(command=command_line(argv))), timeout_s
            )
        except TimeoutError:
            raise TransportError(f"'{argv[0]}' did not answer within {timeout_s:g} s") from None
        alive = code != FAILED or (await _output(self.master.argv("-O", "check")))[0] == 0
        return self.master.reply(code, out, err, alive)

    async def close(self) -> None:
        """Leave the master to its owner."""


async def _output(argv: Sequence[str]) -> tuple[int, bytes, bytes]:
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    return (-1 if process.returncode is None else process.returncode), out, err
