"""The ssh program over a master connection that a person opened, where one-time passwords rule.

No secret is kept: the person logs in once (`ssh -M -S socket`), and as long as that connection
lives its socket serves. When it is dead, NeedsLogin says what to type.
"""

import asyncio
import os
import shlex
import subprocess
import time
from collections.abc import Sequence

from operators.cluster.errors import NeedsLogin, TransportError
from operators.cluster.reply import Reply
from operators.cluster.transports.login import Login
from operators.cluster.transports.process import talk, talk_async
from operators.cluster.transports.sessions import Sessions, pauses
from operators.cluster.transports.shell import Conversation, RawReply, ShellTransport
from operators.cluster.transports.transport import COMMAND_TIMEOUT_S, AsyncTransport

FAILED = 255  # ssh's own exit code; a command may exit so, too
CHECK_S = 20.0
REFUSED = ("session request failed", "open refused by peer", "no more sessions")
"""What the master says when the server has no room for one more session."""


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
        """Open the master: every host on the way must show its pinned key.

        Without ControlPersist, which -N makes needless: it would hide what a hop says.
        """
        return shlex.join(
            [
                *("ssh", "-fNM", "-S", self.socket),
                *("-o", "ServerAliveInterval=15"),
                *_pinned(self.login),
                *("-p", str(self.login.port), f"{self.login.user}@{self.login.host}"),
            ]
        )

    def alive(self) -> bool:
        """Whether the master answers; it is asked on this machine, not over the network."""
        check = self.argv("-O", "check")
        return subprocess.run(check, capture_output=True, timeout=CHECK_S).returncode == 0

    def refused(self, code: int | None, err: bytes) -> bool:
        """Whether the connection is well, but has no room for one more command."""
        words = err.decode(errors="replace").lower()
        return code == FAILED and any(each in words for each in REFUSED)

    def require_alive(self, code: int | None, alive: bool, err: bytes) -> None:
        """Raise NeedsLogin where the master is dead, TransportError where it does not serve."""
        if code != FAILED:
            return
        if not alive:
            raise NeedsLogin(
                f"{self.login}: no master connection at {self.socket}; "
                f"type on the control host: {self.command_to_type}"
            )
        words = err.decode(errors="replace").strip()
        if "mux_client" in words or "ControlSocket" in words:
            raise TransportError(f"{self.login}: {words}")


def _pinned(login: Login) -> list[str]:
    """Options that make OpenSSH believe the pinned keys alone, and go through the jump host.

    Its own -J would read the person's files for the hop, and take any key that stands there.
    """
    settings = [
        *("StrictHostKeyChecking=yes", "UserKnownHostsFile=none", "GlobalKnownHostsFile=none"),
        f"KnownHostsCommand=/bin/echo {login.known_host} {login.host_key}",
    ]
    if login.ciphers:
        settings.append(f"Ciphers={','.join(login.ciphers)}")
    if jump := login.jump:
        key = ["-i", os.path.expanduser(jump.key_file)] if jump.key_file else []
        through = ["ssh", *key, *_pinned(jump), "-p", str(jump.port), "-l", jump.user]
        target = f"{login.host}:{login.port}"
        command = shlex.join([*through, "-W", target, "--", jump.host])
        settings.append(f"ProxyCommand={command.replace('%', '%%')}")
    return [part for setting in settings for part in ("-o", setting)]


class OpenSshTransport(ShellTransport):
    """Commands over the master; files, too, by plain shell."""

    def __init__(self, login: Login, *, umask: str | None = None) -> None:
        self.master = Master(login)
        self.umask = umask

    def exchange(self, conversation: Conversation, timeout_s: float) -> RawReply:
        """Run a command in a session of its own; where there is no room for one, wait for it."""
        for pause_s in pauses(f"running '{conversation.name}'"):
            code, out, err = talk(
                self.master.argv(command=conversation.line), conversation, timeout_s
            )
            if not self.master.refused(code, err):
                self.master.require_alive(code, code != FAILED or self.master.alive(), err)
                return conversation.answer(code, out, err)
            time.sleep(pause_s)
        raise AssertionError("unreachable: pauses() ends in an error")

    def close(self) -> None:
        """Leave the master to its owner."""


class AsyncOpenSshTransport(AsyncTransport):
    """The same for the triggerer: one master for everything, here as well."""

    def __init__(self, login: Login, *, umask: str | None = None) -> None:
        self.master = Master(login)
        self._sessions = Sessions()
        self.umask = umask

    async def run(self, argv: Sequence[str], timeout_s: float = COMMAND_TIMEOUT_S) -> Reply:
        """Run a command."""
        conversation = Conversation.begin(argv, umask=self.umask)
        ssh = self.master.argv(command=conversation.line)
        for pause_s in pauses(f"running '{argv[0]}'"):
            async with self._sessions.one():
                code, out, err = await talk_async(ssh, conversation, timeout_s)
                if not self.master.refused(code, err):
                    alive = code != FAILED or await asyncio.to_thread(self.master.alive)
                    self.master.require_alive(code, alive, err)
                    return conversation.answer(code, out, err).text
                self._sessions.refused()
            await asyncio.sleep(pause_s)
        raise AssertionError("unreachable: pauses() ends in an error")

    async def close(self) -> None:
        """Leave the master to its owner."""
