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
from collections.abc import Sequence
from pathlib import Path

from operators.cluster.transports.shell import Conversation

READ_BYTES = 65536
LOOK_S = 0.05

Said = tuple[int | None, bytes, bytes]
"""Exit code of the program (None: it was killed), stdout, stderr."""


def talk(
    argv: Sequence[str], conversation: Conversation, timeout_s: float, home: Path | None = None
) -> Said:
    """Run a program and bring what was said; raises TransportError when time is up."""
    until = time.monotonic() + timeout_s
    # Files take any amount of output: nobody need read while it comes.
    with (
        tempfile.TemporaryFile() as sent,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        sent.write(conversation.stdin)
        sent.seek(0)
        with subprocess.Popen(
            argv, stdin=sent, stdout=out, stderr=err, cwd=home, start_new_session=True
        ) as process:
            try:
                while not _over(process, conversation, out.fileno(), err.fileno()):
                    if time.monotonic() > until:
                        _kill_group(process.pid)
                        raise conversation.late(timeout_s)
            finally:
                if process.poll() is None:
                    process.kill()
        code = process.returncode if process.returncode >= 0 else None
        return code, _all(out.fileno()), _all(err.fileno())


async def talk_async(
    argv: Sequence[str], conversation: Conversation, timeout_s: float, home: Path | None = None
) -> Said:
    """Do the same on the event loop."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=home,
        start_new_session=True,
    )
    assert process.stdin and process.stdout and process.stderr
    out, err, ended = bytearray(), bytearray(), asyncio.Event()

    async def collect(reader: asyncio.StreamReader, into: bytearray) -> None:
        while piece := await reader.read(READ_BYTES):
            into += piece
            if conversation.ended(out, err):
                ended.set()

    streams = asyncio.gather(collect(process.stdout, out), collect(process.stderr, err))
    over = asyncio.ensure_future(ended.wait())
    try:
        async with asyncio.timeout(timeout_s):
            with contextlib.suppress(ConnectionError):
                process.stdin.write(conversation.stdin)
                process.stdin.close()
            await asyncio.wait((streams, over), return_when=asyncio.FIRST_COMPLETED)
            if not ended.is_set():
                await process.wait()
    except TimeoutError:
        _kill_group(process.pid)
        raise conversation.late(timeout_s) from None
    finally:
        streams.cancel()
        over.cancel()
        await asyncio.gather(streams, over, return_exceptions=True)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    code = process.returncode
    return (None if code is None or code < 0 else code), bytes(out), bytes(err)


def _over(
    process: "subprocess.Popen[bytes]", conversation: Conversation, out: int, err: int
) -> bool:
    """Wait a moment; say whether all has been said."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(LOOK_S)
        return True
    end = conversation.frame.end.encode()
    if not all(end in _tail(stream) for stream in (out, err)):
        return False
    return conversation.ended(bytearray(_all(out)), bytearray(_all(err)))


def _tail(file: int) -> bytes:
    size = os.fstat(file).st_size
    return os.pread(file, 400, max(0, size - 400))


def _all(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
