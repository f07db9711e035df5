"""How many commands run at once on one connection: fewer than the server allows.

sshd refuses more sessions than its MaxSessions (10 unless a site says less), and nobody can ask it
for the number: the bound is learnt from refusals.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

from operators.cluster.errors import SessionsTaken

MOST_SESSIONS = 8
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
PATIENCE_S = 20.0
"""With a server that has room for nothing: commands that hang, or a person's own on a master."""


class Sessions:
    """A bound that shrinks when the server refuses, and those who wait for room below it."""

    def __init__(self, most: int = MOST_SESSIONS) -> None:
        self.most = most
        self.open = 0
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for room, and take it."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.open < self.most)
            self.open += 1
        try:
            yield
        finally:
            async with self._changed:
                self.open -= 1
                self._changed.notify_all()

    def refused(self) -> None:
        """Learn that the server has no room for those that are open."""
        self.most = max(1, min(self.most, self.open - 1))


def pauses(doing: str) -> Iterator[float]:
    """Seconds to wait before each next try; raises SessionsTaken when patience has run out."""
    pause_s, waited_s = FIRST_PAUSE_S, 0.0
    while waited_s < PATIENCE_S:
        yield pause_s
        waited_s += pause_s
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
    raise SessionsTaken(
        f"{doing}: the server refused one more session for {waited_s:.0f} s (its MaxSessions); "
        "end other sessions on this connection, or ask the site for more"
    )
