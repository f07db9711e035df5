"""What all answers of probes have in common: an end that says they are whole, and typed errors."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

INDEX = re.compile(r"[0-9]{1,9}")
"""an element's number"""


class NoAnswer(Exception):
    """A line is none that a command of these prints."""


class CutShort(Exception):
    """What a command printed has no end: the connection or the shell stopped in between."""


def documents(text: str) -> Iterator[dict[str, Any]]:
    """Read JSON documents that follow one another; raises NoAnswer for anything else."""
    decoder, position = json.JSONDecoder(), 0
    while True:
        while position < len(text) and text[position].isspace():
            position += 1
        if position >= len(text):
            return
        try:
            document, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            raise NoAnswer(text[position : position + 200]) from None
        if not isinstance(document, dict):
            raise NoAnswer(text[position : position + 200])
        position = end
        yield document


def whole(stdout: str, doing: str) -> list[str]:
    """Return the lines before the last, which is "."; raises CutShort without it."""
    lines = stdout.split("\n")
    if lines[-2:] != [".", ""]:
        raise CutShort(f"{doing} was cut short")
    return lines[:-2]


def match_of(found: re.Match[str] | str) -> re.Match[str]:
    """Return a match; raises NoAnswer with the line that stands there where there was none."""
    if isinstance(found, str):
        raise NoAnswer(found)
    return found


def sections(lines: Iterable[str]) -> list[list[str]]:
    """Split at the lines "@"; raises NoAnswer where something stands before the first."""
    found: list[list[str]] = []
    for line in lines:
        if line == "@":
            found.append([])
        elif not found:
            raise NoAnswer(line)
        else:
            found[-1].append(line)
    return found
