"""A connection to this machine, in place of one to a cluster: real commands, real files."""

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from operators.cluster.errors import RemoteFileError, TransportError
from operators.cluster.reply import Reply, command_line
from operators.cluster.transports.transport import (
    COMMAND_TIMEOUT_S,
    AsyncTransport,
    Transport,
)


class LocalTransport(Transport):
    """Runs commands through sh, as sshd does, in a folder that plays home."""

    def __init__(self, home: Path | None = None) -> None:
        self.home = home or Path.home()

    def run(
        self, argv: Sequence[str], timeout_s: float = COMMAND_TIMEOUT_S, stdin: bytes = b""
    ) -> Reply:
        """Run a command."""
        process = subprocess.Popen(
            ["/bin/sh", "-c", command_line(argv)],
            cwd=self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _kill_group(process.pid)
            process.communicate()
            raise TransportError(_timed_out(argv, timeout_s)) from None
        return _reply(process.returncode, out, err)

    def write(self, path: str, content: bytes) -> None:
        """Write atomically."""
        target = self.home / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(target)
        except OSError as error:
            raise RemoteFileError(f"cannot write {target}: {error}") from error

    def read(self, path: str, offset: int = 0, limit: int | None = None) -> bytes:
        """Read a file or a part of it."""
        with (self.home / path).open("rb") as file:
            file.seek(offset)
            return file.read(-1 if limit is None else limit)

    def exists(self, path: str) -> bool:
        """Whether it is there."""
        return (self.home / path).exists()

    def list(self, path: str) -> list[str]:
        """Names in a folder."""
        return sorted(os.listdir(self.home / path))

    def close(self) -> None:
        """Nothing to let go."""


class AsyncLocalTransport(AsyncTransport):
    """The same for the triggerer."""

    def __init__(self, home: Path | None = None) -> None:
        self.home = home or Path.home()

    async def run(self, argv: Sequence[str], timeout_s: float = COMMAND_TIMEOUT_S) -> Reply:
        """Run a command."""
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            command_line(argv),
            cwd=self.home,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), timeout_s)
        except TimeoutError:
            _kill_group(process.pid)
            await process.wait()
            raise TransportError(_timed_out(argv, timeout_s)) from None
        return _reply(process.returncode, out, err)

    async def close(self) -> None:
        """Nothing to let go."""


def _reply(exit_code: int | None, out: bytes, err: bytes) -> Reply:
    code = -1 if exit_code is None else exit_code
    return Reply(code, out.decode(errors="replace"), err.decode(errors="replace"))


def _timed_out(argv: Sequence[str], timeout_s: float) -> str:
    return f"'{argv[0]}' did not answer within {timeout_s:g} s"


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
