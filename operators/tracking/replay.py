"""Tracking spools into MLflow, while their jobs run: pure of how the bytes are fetched.

One spool is one child run, found by its tag `spool.id`, so that a replayer may be killed anywhere
and started again. MLflow itself is the memory: the offset up to which a spool was replayed is a tag
of its run, and a metric counts only if its (key, step) is not in the run yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from operators.hooks.mlflow import find_or_create_run, find_run
from operators.tracking.chunk import OFFSET, SPOOL_ID, Chunk, Fetch
from operators.tracking.lines import Begin, Line, Metric, Read, parse, whole_lines

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

LOSS = "loss/validation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """How far one spool is replayed."""

    spool_id: str
    mlflow_run_id: str
    offset: int
    metrics: int
    """logged by this call; repeats do not count"""
    ended: bool
    step: int | None = None
    """the highest of the metrics logged by this call: of a training, its epoch"""
    loss: float | None = None
    """of a training, on its validation records, the last that is known"""


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

    def replay(self, spool_id: str, read: Read) -> Replayed | None:
        """Replay everything that was appended since the last call; None while there is no line."""
        run = self.find(spool_id)
        metrics, steps = 0, list[int]()
        while True:
            offset = int(run.data.tags.get(OFFSET, "0")) if run else 0
            chunk = whole_lines(read, offset)
            if not chunk:
                break
            lines, skipped = parse(chunk)
            steps += [line.step for line in lines if isinstance(line, Metric)]
            run = run or self._create(spool_id, lines)
            metrics += Chunk(self._client, run, self._fetch, skipped).apply(
                lines, offset + len(chunk)
            )
            run = self._client.get_run(run.info.run_id)
        if run is None:
            return None
        return Replayed(
            spool_id=spool_id,
            mlflow_run_id=run.info.run_id,
            offset=offset,
            metrics=metrics,
            ended=run.info.status != "RUNNING",
            step=max(steps, default=None),
            loss=run.data.metrics.get(LOSS),
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
        begin = lines[0] if lines and isinstance(lines[0], Begin) else None
        name = begin.name if begin else PurePosixPath(spool_id).stem
        return find_or_create_run(
            self._client, self._experiment, SPOOL_ID, spool_id, name=name, parent=self._parent
        )


def is_unavailable(error: Exception) -> bool:
    """Whether the server, not the request, is at fault: wait and try again."""
    from mlflow.exceptions import MlflowException

    if not isinstance(error, MlflowException):
        return False
    status: int = error.get_http_status_code()  # type: ignore[no-untyped-call]
    return status >= 500
