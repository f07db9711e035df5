"""Tracking spools into MLflow, while their jobs run: pure of how the bytes are fetched.

One spool is one child run, found by its tag `spool.id`, so that a replayer may be killed anywhere
and started again. MLflow itself is the memory: the offset up to which a spool was replayed is a tag
of its run, and a metric counts only if its (key, step) is not in the run yet.
"""

import json
import logging
import posixpath
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger(__name__)

SPOOL_ID = "spool.id"
OFFSET = "spool.offset"
SKIPPED = "spool.skipped"
CHUNK_BYTES = 1 << 20
ARTIFACT_LIMIT_BYTES = 64 << 20
METRICS_PER_BATCH, PARAMS_PER_BATCH, TAGS_PER_BATCH = 1000, 100, 100  # MLflow's limits
VALUE_LENGTH = 5000

Read = Callable[[int, int], bytes]
"""(offset, most bytes) -> the spool's bytes from there; empty at its end."""
Fetch = Callable[[str, int], bytes]
"""(path relative to the run folder, most bytes) -> content; raises FileNotFoundError."""
Item = TypeVar("Item")


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


class _Begin(_Line):
    kind: Literal["run"]
    name: str
    tags: dict[Key, str] = {}


class _Params(_Line):
    kind: Literal["params"]
    values: dict[Key, Any]


class _Metric(_Line):
    kind: Literal["metric"]
    key: Key
    value: float
    step: int
    time_ms: int


class _Artifact(_Line):
    kind: Literal["artifact"]
    path: Inside
    to: Inside


class _Tags(_Line):
    kind: Literal["tags"]
    values: dict[Key, str]


class _End(_Line):
    kind: Literal["end"]
    status: Literal["FINISHED", "FAILED"]


Line = Annotated[_Begin | _Params | _Metric | _Artifact | _Tags | _End, Field(discriminator="kind")]
_LINE: TypeAdapter[Line] = TypeAdapter(Line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one spool is replayed."""

    spool_id: str
    mlflow_run_id: str
    offset: int
    metrics: int
    """logged by this call; repeats do not count"""
    ended: bool


class Replayer:
    """Replays the spools of one campaign run below its parent run in MLflow.

    Parameters
    ----------
    client : an MlflowClient; its errors pass through (see `is_unavailable`)
    parent_run_id : the campaign's run, in whose experiment the children lie
    fetch : brings artifacts
    """

    def __init__(self, client: "MlflowClient", parent_run_id: str, fetch: Fetch) -> None:
        self._client, self._fetch, self._parent = client, fetch, parent_run_id
        self._experiment = client.get_run(parent_run_id).info.experiment_id

    def replay(self, spool_id: str, read: Read) -> Progress | None:
        """Replay everything that was appended since the last call; None while there is no line."""
        run = self.find(spool_id)
        metrics = 0
        while True:
            offset = int(run.data.tags.get(OFFSET, "0")) if run else 0
            chunk = _whole_lines(read, offset)
            if not chunk:
                break
            lines, skipped = _parse(chunk)
            run = run or self._create(spool_id, lines)
            metrics += _Chunk(self._client, run, self._fetch, skipped).apply(
                lines, offset + len(chunk)
            )
            run = self._client.get_run(run.info.run_id)
        if run is None:
            return None
        return Progress(
            spool_id=spool_id,
            mlflow_run_id=run.info.run_id,
            offset=offset,
            metrics=metrics,
            ended=run.info.status != "RUNNING",
        )

    def abandon(self, spool_id: str) -> None:
        """Close the run of a spool whose job is over and never said how it ended."""
        run = self.find(spool_id)
        if run and run.info.status == "RUNNING":
            self._client.set_terminated(run.info.run_id, "KILLED")

    def find(self, spool_id: str) -> "Run | None":
        """Look up the run of a spool."""
        return find_run(self._client, self._experiment, SPOOL_ID, spool_id)

    def _create(self, spool_id: str, lines: Sequence[Line]) -> "Run":
        begin = lines[0] if lines and isinstance(lines[0], _Begin) else None
        self._client.create_run(
            self._experiment,
            start_time=int(time.time() * 1000),
            run_name=begin.name if begin else PurePosixPath(spool_id).stem,
            tags={"mlflow.parentRunId": self._parent, SPOOL_ID: spool_id},
        )
        run = self.find(spool_id)  # another replayer may have been faster
        assert run is not None
        return run


class _Chunk:
    """Some whole lines on their way into one run."""

    def __init__(
        self, client: "MlflowClient", run: "Run", fetch: Fetch, skipped: list[str]
    ) -> None:
        self._client, self._run, self._fetch, self._skipped = client, run, fetch, skipped
        self._id = run.info.run_id

    def apply(self, lines: Sequence[Line], offset: int) -> int:
        """Log everything, then say that it is logged up to `offset`; returns new metrics."""
        metrics = self._log_values(lines)
        for line in lines:
            if isinstance(line, _Artifact):
                self._log_artifact(line)
        self._set_status(lines)
        self._note_skipped()
        self._client.set_tag(self._id, OFFSET, str(offset))
        return metrics

    def _log_values(self, lines: Sequence[Line]) -> int:
        from mlflow.entities import Metric, Param, RunTag

        memory = _Memory(self._client, self._run)
        metrics = [
            Metric(line.key, line.value, line.time_ms, line.step)
            for line in lines
            if isinstance(line, _Metric) and memory.is_new(line.key, line.step)
        ]
        params: dict[str, str] = {}
        tags: dict[str, str] = {}
        for line in lines:
            if isinstance(line, _Params):
                params |= {key: _text(value) for key, value in line.values.items()}
            elif isinstance(line, _Begin):
                tags |= line.tags
            elif isinstance(line, _Tags):
                tags |= line.values
        for key in params.keys() & self._run.data.params.keys():
            if self._run.data.params[key] != params.pop(key):
                self._skip(f"param {key} was changed; MLflow keeps the first value")
        for batch in _batches(metrics, METRICS_PER_BATCH):
            self._client.log_batch(self._id, metrics=batch)
        for some in _batches([Param(*item) for item in params.items()], PARAMS_PER_BATCH):
            self._client.log_batch(self._id, params=some)
        reserved = {SPOOL_ID, OFFSET, SKIPPED, "mlflow.parentRunId"}
        mine = [RunTag(key, _text(tags[key])) for key in tags if key not in reserved]
        for few in _batches(mine, TAGS_PER_BATCH):
            self._client.log_batch(self._id, tags=few)
        return len(metrics)

    def _log_artifact(self, line: _Artifact) -> None:
        try:
            content = self._fetch(line.path, ARTIFACT_LIMIT_BYTES + 1)
        except FileNotFoundError:
            return self._skip(f"artifact {line.path} is missing")
        if len(content) > ARTIFACT_LIMIT_BYTES:
            return self._skip(f"artifact {line.path} is larger than {ARTIFACT_LIMIT_BYTES} bytes")
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / PurePosixPath(line.path).name
            local.write_bytes(content)
            self._client.log_artifact(self._id, str(local), line.to or None)

    def _set_status(self, lines: Sequence[Line]) -> None:
        if not lines:
            return
        last = lines[-1]  # what follows an end comes from a job that tried again
        status = last.status if isinstance(last, _End) else "RUNNING"
        if status == self._run.info.status:
            return
        if status == "RUNNING":
            self._client.update_run(self._id, status)
        else:
            self._client.set_terminated(self._id, status)

    def _skip(self, reason: str) -> None:
        self._skipped.append(reason)

    def _note_skipped(self) -> None:
        for reason in self._skipped:
            log.warning("%s: skipped: %s", self._run.data.tags.get(SPOOL_ID), reason)
        if self._skipped:
            self._client.set_tag(self._id, SKIPPED, "; ".join(self._skipped)[:VALUE_LENGTH])


class _Memory:
    """Which (key, step) a run holds; asks for a key's history only when a step is not ahead."""

    def __init__(self, client: "MlflowClient", run: "Run") -> None:
        self._client, self._id = client, run.info.run_id
        self._highest = {metric.key: metric.step for metric in run.data.to_proto().metrics}
        self._stored = set(self._highest)
        self._steps: dict[str, set[int]] = {}

    def is_new(self, key: str, step: int) -> bool:
        """Whether this is the first time; it is not the second time."""
        highest = self._highest.get(key)
        ahead = highest is None or step > highest
        steps = self._steps.setdefault(key, set())
        if not ahead and key in self._stored:
            self._stored.discard(key)
            steps |= {metric.step for metric in self._client.get_metric_history(self._id, key)}
        if step in steps:
            return False
        steps.add(step)
        self._highest[key] = step if highest is None else max(step, highest)
        return True


def find_run(client: "MlflowClient", experiment_id: str, tag: str, value: str) -> "Run | None":
    """Look up the one run with that tag; of two that were made in a race the later is deleted."""
    found = client.search_runs([experiment_id], f"tags.`{tag}` = '{_literal(value)}'")
    runs = sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))
    for other in runs[1:]:
        client.delete_run(other.info.run_id)
    return runs[0] if runs else None


def is_unavailable(error: Exception) -> bool:
    """Whether the server, not the request, is at fault: wait and try again."""
    from mlflow.exceptions import MlflowException

    if not isinstance(error, MlflowException):
        return False
    status: int = error.get_http_status_code()  # type: ignore[no-untyped-call]
    return status >= 500


def _whole_lines(read: Read, offset: int) -> bytes:
    """Bytes from `offset` up to the last line end; a line still being written is not read."""
    limit = CHUNK_BYTES
    while True:
        chunk = read(offset, limit)
        whole = chunk[: chunk.rfind(b"\n") + 1]
        if whole or len(chunk) < limit:
            return whole
        limit *= 2


def _parse(chunk: bytes) -> tuple[list[Line], list[str]]:
    """Lines, and why others are none; a bad line must not stop those after it."""
    lines, skipped = list[Line](), list[str]()
    for text in chunk.splitlines():
        try:
            lines.append(_LINE.validate_json(text))
        except ValidationError as error:
            skipped.append(f"{text[:80]!r}: {error.errors()[0]['msg']}")
    return lines, skipped


def _batches(items: list[Item], size: int) -> Iterable[list[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:VALUE_LENGTH]


def _literal(text: str) -> str:
    if "'" in text or "\\" in text:
        raise ValueError(f"{text!r} cannot be searched for; leave out quotes and backslashes")
    return text
