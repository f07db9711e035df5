"""A connection that answers from transcripts: what a real cluster said, word for word."""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from operators.cluster.errors import TransportError
from operators.cluster.reply import Reply
from operators.cluster.transports.transport import COMMAND_TIMEOUT_S, Transport


class RecordedTransport(Transport):
    """Commands answer as recorded, an unknown one is a lost connection; files live in memory."""

    def __init__(self, replies: Mapping[tuple[str, ...], Reply]) -> None:
        self.replies = dict(replies)
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, ...]] = []

    @classmethod
    def from_folder(cls, folder: Path) -> "RecordedTransport":
        """Read every transcript of a folder."""
        return cls(dict(read_transcript(path) for path in sorted(folder.glob("*.txt"))))

    def run(
        self, argv: Sequence[str], timeout_s: float = COMMAND_TIMEOUT_S, stdin: bytes = b""
    ) -> Reply:
        """Answer as recorded."""
        self.asked.append(tuple(argv))
        try:
            return self.replies[tuple(argv)]
        except KeyError:
            raise TransportError(f"nothing recorded for: {shlex.join(argv)}") from None

    def write(self, path: str, content: bytes) -> None:
        """Keep a file."""
        self.files[path] = content

    def read(self, path: str, offset: int = 0, limit: int | None = None) -> bytes:
        """Read a kept file."""
        if path not in self.files:
            raise FileNotFoundError(path)
        end = None if limit is None else offset + limit
        return self.files[path][offset:end]

    def exists(self, path: str) -> bool:
        """Whether a file was kept there or below."""
        return any(name == path or name.startswith(f"{path}/") for name in self.files)

    def list(self, path: str) -> list[str]:
        """Names below a path."""
        below = [name.removeprefix(f"{path}/") for name in self.files if name.startswith(path)]
        if not below:
            raise FileNotFoundError(path)
        return sorted({name.split("/")[0] for name in below})

    def close(self) -> None:
        """Nothing to let go."""


def read_transcript(path: Path) -> tuple[tuple[str, ...], Reply]:
    """Read "$ command", output and "[exit n]"; "--- stdout" and "--- stderr" tell the two apart.

    Without these two lines, all output counts as stdout.
    """
    first, _, rest = path.read_text().partition("\n")
    match = re.fullmatch(r"(?s)(.*?)\[exit (\d+)\]\s*", rest)
    if not first.startswith("$ ") or not match:
        raise ValueError(f"{path}: not a transcript ('$ command' first, '[exit n]' last)")
    body, out, err = match[1], "", ""
    if body.startswith("--- stdout\n"):
        out, _, err = body.removeprefix("--- stdout\n").partition("--- stderr\n")
    else:
        out = body
    return tuple(shlex.split(first[2:])), Reply(int(match[2]), out, err)
