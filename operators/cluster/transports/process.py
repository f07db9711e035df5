"""Conversations with a login shell that a program of this machine leads to: ssh, or sh itself.

Answered when the command has ended, whatever it has left behind that holds its streams open.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from operators.cluster.transports.shell import Conversation

LOOK_S = 0.05

Said = tuple[int | None, bytes, bytes]
"""Exit code of the program (None: it was killed), stdout, stderr."""


def talk(
    argv: Sequence[str], conversation: Conversation, timeout_s: float, home: Path | None = None
) -> Said:
    """Run a program and bring what was said; raises TransportError when time is up."""
    until = time.monotonic() + timeout_s
    with _Streams.of(conversation) as streams:
        with subprocess.Popen(argv, **streams.handles, cwd=home, start_new_session=True) as process:
            try:
                while not streams.whole:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(LOOK_S)
                        break
                    if time.monotonic() > until:
                        _kill(-process.pid)
                        raise conversation.late(timeout_s)
            finally:
                if process.poll() is None:
                    _kill(process.pid)
        return streams.said(process.returncode)


async def talk_async(
    argv: Sequence[str], conversation: Conversation, timeout_s: float, home: Path | None = None
) -> Said:
    """Do the same on the event loop."""
    with _Streams.of(conversation) as streams:
        process = await asyncio.create_subprocess_exec(
            *argv, **streams.handles, cwd=home, start_new_session=True
        )
        ended = asyncio.ensure_future(process.wait())
        try:
            async with asyncio.timeout(timeout_s):
                while not (streams.whole or ended.done()):
                    await asyncio.wait((ended,), timeout=LOOK_S)
        except TimeoutError:
            _kill(-process.pid)
            raise conversation.late(timeout_s) from None
        finally:
            # Not process.kill: it reaps a child that has ended, whose exit code is then unknown.
            if not ended.done():
                _kill(process.pid)
            await ended
        return streams.said(ended.result())


@dataclass(frozen=True, slots=True)
class _Streams:
    """Files in place of pipes: they take any amount of output, and nobody need read meanwhile."""

    conversation: Conversation
    sent: IO[bytes]
    out: IO[bytes]
    err: IO[bytes]

    @classmethod
    @contextlib.contextmanager
    def of(cls, conversation: Conversation) -> Iterator["_Streams"]:
        with (
            tempfile.TemporaryFile() as sent,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            sent.write(conversation.stdin)
            sent.seek(0)
            yield cls(conversation, sent, out, err)

    @property
    def handles(self) -> dict[str, Any]:
        return {"stdin": self.sent, "stdout": self.out, "stderr": self.err}

    @property
    def whole(self) -> bool:
        """Whether all has been said, though the program may still run."""
        end = self.conversation.frame.end.encode()
        files = (self.out.fileno(), self.err.fileno())
        if not all(end in _tail(file) for file in files):
            return False
        return self.conversation.ended(*(bytearray(_all(file)) for file in files))

    def said(self, code: int) -> Said:
        """Answer with what a program said that ended with a code, below 0 if it was killed."""
        return (code if code >= 0 else None), _all(self.out.fileno()), _all(self.err.fileno())


def _tail(file: int) -> bytes:
    size = os.fstat(file).st_size
    return os.pread(file, 400, max(0, size - 400))


def _all(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)


def _kill(pid: int) -> None:
    """End a process, or with a negative number its group; what has ended is left alone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
