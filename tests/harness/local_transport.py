"""A connection to this machine, in place of one to a cluster: real commands, real files."""

from collections.abc import Sequence
from pathlib import Path

from operators.cluster.reply import Reply
from operators.cluster.transports.process import talk, talk_async
from operators.cluster.transports.shell import Conversation, RawReply, ShellTransport
from operators.cluster.transports.transport import COMMAND_TIMEOUT_S, AsyncTransport


class LocalTransport(ShellTransport):
    """Runs commands through sh, as sshd does, in a folder that plays home."""

    def __init__(self, home: Path | None = None, *, umask: str | None = None) -> None:
        self.home = home or Path.home()
        self.umask = umask

    def exchange(self, conversation: Conversation, timeout_s: float) -> RawReply:
        """Run a command."""
        argv = ("/bin/sh", "-c", conversation.line)
        return conversation.answer(*talk(argv, conversation, timeout_s, self.home))

    def close(self) -> None:
        """Nothing to let go."""


class AsyncLocalTransport(AsyncTransport):
    """The same for the triggerer."""

    def __init__(self, home: Path | None = None, *, umask: str | None = None) -> None:
        self.home = home or Path.home()
        self.umask = umask

    async def run(self, argv: Sequence[str], timeout_s: float = COMMAND_TIMEOUT_S) -> Reply:
        """Run a command."""
        conversation = Conversation.begin(argv, umask=self.umask)
        shell = ("/bin/sh", "-c", conversation.line)
        said = await talk_async(shell, conversation, timeout_s, self.home)
        return conversation.answer(*said).text

    async def close(self) -> None:
        """Nothing to let go."""
