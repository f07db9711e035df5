"""What a command answered, and how its words are written for a remote shell."""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command answered."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether the command succeeded by its own account."""
        return self.exit_code == 0

    @property
    def words(self) -> str:
        """What to show a person: stderr, or stdout where there is none, shortened."""
        text = self.stderr.strip() or self.stdout.strip() or "(no output)"
        return text if len(text) <= 2000 else "..." + text[-2000:]


def command_line(argv: Sequence[str]) -> str:
    """One shell word per argument, whatever it contains."""
    return shlex.join(argv)


def documents(text: str) -> Iterator[dict[str, Any]]:
    """Read JSON documents that follow one another."""
    decoder, position = json.JSONDecoder(), 0
    while True:
        while position < len(text) and text[position].isspace():
            position += 1
        if position >= len(text):
            return
        document, position = decoder.raw_decode(text, position)
        yield document
