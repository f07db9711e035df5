"""Lines of a spool as a reader takes them: checked one by one, a bad one never stops the others."""

import posixpath
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

CHUNK_BYTES = 1 << 20

Read = Callable[[int, int], bytes]
"""(offset, most bytes) -> the spool's bytes from there; empty at its end."""


def _confined(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts:
        raise ValueError(f"'{path}' leaves its folder")
    return path


def _normal(key: str) -> str:
    if posixpath.normpath(key) != key or key == ".":
        raise ValueError(f"'{key}' is no plain path")
    return key


Inside = Annotated[str, AfterValidator(_confined)]
# What MLflow accepts: one refused key would refuse its whole batch, again and again.
Key = Annotated[
    Inside,
    Field(pattern=r"^[\w.\-: ]+(/[\w.\-: ]+)*$", max_length=250),
    AfterValidator(_normal),
]


class _Line(BaseModel):
    # A later writer may say more than this reader knows.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Begin(_Line):
    """First line of a spool: the run's name and tags."""

    kind: Literal["run"]
    name: str
    tags: dict[Key, str] = {}


class Params(_Line):
    """Settings of the run."""

    kind: Literal["params"]
    values: dict[Key, Any]


class Metric(_Line):
    """One value at one step."""

    kind: Literal["metric"]
    key: Key
    value: float
    step: int
    time_ms: int


class Artifact(_Line):
    """A finished file, relative to the run folder, and its artifact folder."""

    kind: Literal["artifact"]
    path: Inside
    to: Inside


class Tags(_Line):
    """Tags to add or replace."""

    kind: Literal["tags"]
    values: dict[Key, str]


class End(_Line):
    """How the run ended."""

    kind: Literal["end"]
    status: Literal["FINISHED", "FAILED"]


Line = Annotated[Begin | Params | Metric | Artifact | Tags | End, Field(discriminator="kind")]
_LINE: TypeAdapter[Line] = TypeAdapter(Line)


def whole_lines(read: Read, offset: int) -> bytes:
    """Bytes from `offset` up to the last line end; a line still being written is not read."""
    limit = CHUNK_BYTES
    while True:
        chunk = read(offset, limit)
        whole = chunk[: chunk.rfind(b"\n") + 1]
        if whole or len(chunk) < limit:
            return whole
        limit *= 2


def parse(chunk: bytes) -> tuple[list[Line], list[str]]:
    """Lines, and why others are none; a bad line must not stop those after it."""
    lines, skipped = list[Line](), list[str]()
    for text in chunk.splitlines():
        try:
            lines.append(_LINE.validate_json(text))
        except ValidationError as error:
            skipped.append(f"{text[:80]!r}: {error.errors()[0]['msg']}")
    return lines, skipped
