"""Some whole lines of a spool on their way into one MLflow run, every metric at most once."""

import json
import logging
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from operators.tracking.lines import Artifact, Begin, End, Line, Metric, Params, Tags

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger(__name__)

SPOOL_ID = "spool.id"
OFFSET = "spool.offset"
SKIPPED = "spool.skipped"
ARTIFACT_LIMIT_BYTES = 64 << 20
METRICS_PER_BATCH, PARAMS_PER_BATCH, TAGS_PER_BATCH = 1000, 100, 100  # MLflow's limits
VALUE_LENGTH = 5000

Fetch = Callable[[str, int], bytes]
"""(path relative to the run folder, most bytes) -> content; raises FileNotFoundError."""
Item = TypeVar("Item")


class Chunk:
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
            if isinstance(line, Artifact):
                self._log_artifact(line)
        self._set_status(lines)
        self._note_skipped()
        self._client.set_tag(self._id, OFFSET, str(offset))
        return metrics

    def _log_values(self, lines: Sequence[Line]) -> int:
        from mlflow import entities

        memory = _Memory(self._client, self._run)
        metrics = [
            entities.Metric(line.key, line.value, line.time_ms, line.step)
            for line in lines
            if isinstance(line, Metric) and memory.is_new(line.key, line.step)
        ]
        params: dict[str, str] = {}
        tags: dict[str, str] = {}
        for line in lines:
            if isinstance(line, Params):
                params |= {key: _text(value) for key, value in line.values.items()}
            elif isinstance(line, Begin):
                tags |= line.tags
            elif isinstance(line, Tags):
                tags |= line.values
        for key in params.keys() & self._run.data.params.keys():
            if self._run.data.params[key] != params.pop(key):
                self._skip(f"param {key} was changed; MLflow keeps the first value")
        for batch in _batches(metrics, METRICS_PER_BATCH):
            self._client.log_batch(self._id, metrics=batch)
        for some in _batches([entities.Param(*item) for item in params.items()], PARAMS_PER_BATCH):
            self._client.log_batch(self._id, params=some)
        reserved = {SPOOL_ID, OFFSET, SKIPPED, "mlflow.parentRunId"}
        mine = [entities.RunTag(key, _text(tags[key])) for key in tags if key not in reserved]
        for few in _batches(mine, TAGS_PER_BATCH):
            self._client.log_batch(self._id, tags=few)
        return len(metrics)

    def _log_artifact(self, line: Artifact) -> None:
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
        status = last.status if isinstance(last, End) else "RUNNING"
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


def _batches(items: list[Item], size: int) -> Iterable[list[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:VALUE_LENGTH]
