"""What a connection to a cluster can do; the same for all transports.

A dialect builds argv; a transport quotes it, once, and brings back the reply.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from operators.cluster.reply import Reply

KEEPALIVE_S = 15
COMMAND_TIMEOUT_S = 60.0


class Transport(ABC):
    """A blocking connection: commands and small files.

    Every method raises TransportError when the connection is lost, NeedsLogin when the
    credentials are refused. A lost connection is made anew at the next call.
    """

    noise: str = ""
    """What the login shell printed around the latest answer; it was cut away."""

    def room(self) -> int | None:
        """How many commands the server lets run at once on one connection, of those that are tried.

        None where that cannot be tried.
        """
        return None

    @abstractmethod
    def run(
        self, argv: Sequence[str], timeout_s: float = COMMAND_TIMEOUT_S, stdin: bytes = b""
    ) -> Reply:
        """Run a command in the login's home folder; a non-zero exit is a reply, not an error."""

    @abstractmethod
    def write(self, path: str, content: bytes) -> None:
        """Write a file whole or not at all (temporary name, then rename); parents are made.

        The name appears only once all bytes are known to have arrived; a draft that failed is
        removed.
        """

    @abstractmethod
    def read(self, path: str, offset: int = 0, limit: int | None = None) -> bytes:
        """Read a file or a part of it; raises FileNotFoundError."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Whether a file or folder is there."""

    @abstractmethod
    def list(self, path: str) -> list[str]:
        """Names in a folder, sorted; raises FileNotFoundError."""

    @abstractmethod
    def close(self) -> None:
        """Let the connection go; harmless when there is none."""


class AsyncTransport(ABC):
    """The triggerer's connection: commands only, many at a time.

    More commands than the server has room for wait for one another. One that fails leaves the
    others alone; a lost connection is made anew at the next call.
    """

    @abstractmethod
    async def run(self, argv: Sequence[str], timeout_s: float = COMMAND_TIMEOUT_S) -> Reply:
        """Run a command, as Transport.run does."""

    @abstractmethod
    async def close(self) -> None:
        """Let the connection go."""
