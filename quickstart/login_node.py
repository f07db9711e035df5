"""A login node on loopback: real SSH and SFTP, without root and without the system's sshd.

Commands run through /bin/sh in the folder that the server was started in, with the server's
environment. One key gets in; passwords are not even asked for.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
GRACE_S = 2.0
BLOCK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginNode:
    """Where a node listens, who it is (host key) and whom it lets in."""

    port: int
    user: str
    host_key: Path
    authorized_keys: Path

    async def listen(self) -> asyncssh.SSHAcceptor:
        """Accept connections; port 0 takes a free one."""
        return await asyncssh.listen(
            HOST,
            self.port,
            server_factory=lambda: _OneUser(self.user),
            server_host_keys=[str(self.host_key)],
            authorized_client_keys=str(self.authorized_keys),
            public_key_auth=True,
            password_auth=False,
            kbdint_auth=False,
            process_factory=_run,
            sftp_factory=asyncssh.SFTPServer,
            encoding=None,
            line_editor=False,
            agent_forwarding=False,
            reuse_address=True,
            keepalive_interval=15,
        )


class _OneUser(asyncssh.SSHServer):
    def __init__(self, user: str) -> None:
        self.user = user

    def begin_auth(self, username: str) -> bool:
        if username != self.user:
            raise asyncssh.PermissionDenied(f"no user {username} here")
        return True


async def _run(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Run one command; it ends with its connection, a batch job that it submitted does not."""
    arguments = ["-c", process.command] if process.command else []
    child = await asyncio.create_subprocess_exec(
        "/bin/sh",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdin and child.stdout and child.stderr
    feeding = asyncio.ensure_future(_feed(process.stdin, child.stdin))
    ended = asyncio.gather(
        child.wait(), _copy(child.stdout, process.stdout), _copy(child.stderr, process.stderr)
    )
    closed = asyncio.ensure_future(process.wait_closed())
    either: set[asyncio.Future[Any]] = {ended, closed}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    for task in (feeding, closed):
        task.cancel()
    if not ended.done() or ended.exception():
        ended.cancel()
        await _end_group(child)
    elif (code := ended.result()[0]) >= 0:
        process.exit(code)
    else:
        process.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))


async def _feed(source: asyncssh.SSHReader[bytes], target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncssh.Error, OSError):  # either side may stop first
        while data := await source.read(BLOCK_BYTES):
            target.write(data)
            await target.drain()
    target.close()


async def _copy(source: asyncio.StreamReader, target: asyncssh.SSHWriter[bytes]) -> None:
    while data := await source.read(BLOCK_BYTES):
        target.write(data)
        await target.drain()


async def _end_group(child: asyncio.subprocess.Process) -> None:
    for number in (signal.SIGHUP, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), GRACE_S)


def make_key(path: Path) -> asyncssh.SSHKey:
    """Return the key in `path`, generated (ed25519, private to the user) if there is none yet."""
    if not path.exists():
        key = asyncssh.generate_private_key("ssh-ed25519")
        draft = path.with_suffix(".draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(key.export_private_key())
        draft.rename(path)
    return asyncssh.read_private_key(path)


def public_line(key: asyncssh.SSHKey) -> str:
    """Return the key's public half as one line: algorithm and base64."""
    return " ".join(key.export_public_key().decode().split()[:2])


async def _serve(node: LoginNode) -> None:
    acceptor = await node.listen()
    log.info("login node on %s:%d for %s", HOST, acceptor.get_port(), node.user)
    await acceptor.wait_closed()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve one login node until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--host-key", type=Path, required=True)
    parser.add_argument("--authorized-keys", type=Path, required=True)
    node = LoginNode(**vars(parser.parse_args(arguments)))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    asyncio.run(_serve(node))


if __name__ == "__main__":
    main()
