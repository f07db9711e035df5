"""How far an array job is, for people: planned totals, a rate, the time left.

Worker and triggerer publish it under one key of the task's XComs, so that a page shows it without
asking a cluster. It replaces itself: rows and bytes do not grow with elements or time.
"""

import logging
from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from hpc_jobs.contract.report import ArrayProgress
from operators.cluster.ledger import Snapshot

log = logging.getLogger(__name__)

PROGRESS = "progress"
"""Key of the XCom of a running array, an ArrayProgress."""
LOSSES = "losses"
"""Key of the XCom of who follows a running training, a ReplayReport."""
EVERY_S = 5.0
"""No more often is it published, unless everything has ended."""
STALE_S = 60.0
"""Nor more seldom while somebody looks at the job: a page says how old it is."""
LATELY = 60
"""Readings that the rate is taken over."""
WORDS = 200


class Meter:
    """Turns snapshots of one array into its progress.

    Parameters
    ----------
    work
        What all elements together have to do; 0 where that is known by their reports alone.
    unit
        In which that is counted, by the elements' reports too.
    cluster
        Where it runs.
    """

    def __init__(self, work: int = 0, unit: str = "", cluster: str = "") -> None:
        self._work, self._unit, self._cluster = work, unit, cluster
        self._readings: deque[tuple[float, int]] = deque(maxlen=LATELY)
        self._last: ArrayProgress | None = None

    def read(self, snapshot: Snapshot, now_s: float) -> ArrayProgress:
        """Count what a snapshot shows at a Unix time."""
        done, planned, unit = snapshot.progress or (0, 0, "")
        if self._work:
            planned = max(self._work, done)
            unit = unit or self._unit
        if snapshot.settled and not snapshot.failed:
            done = planned
        rate = self._rate(done if planned else snapshot.done, now_s)
        left = planned - done if planned else snapshot.elements - snapshot.done
        self._last = ArrayProgress(
            as_of=round(now_s, 1),
            cluster=self._cluster,
            elements=snapshot.elements,
            done=snapshot.done,
            failed=len(snapshot.failed),
            running=snapshot.running,
            pending=snapshot.pending,
            held=snapshot.held,
            unknown=snapshot.unknown,
            work_done=done,
            work_planned=planned,
            unit=unit[:40],
            named=_named(snapshot),
            rate_per_s=None if rate is None else float(f"{rate:.3g}"),
            left_s=None if not rate else round(left / rate, 1),
            waits=snapshot.waits[:WORDS],
        )
        return self._last

    def trouble(self, words: str, now_s: float) -> ArrayProgress | None:
        """Return what was known last, with the reason why nothing newer is; None before that."""
        self._readings.clear()  # the time of an outage does not count
        if self._last is None:
            return None
        told = {"trouble": words[:WORDS], "as_of": round(now_s, 1), "rate_per_s": None}
        return self._last.model_copy(update=told | {"left_s": None})

    def _rate(self, done: int, now_s: float) -> float | None:
        if self._readings and done < self._readings[-1][1]:  # elements begin anew
            self._readings.clear()
        self._readings.append((now_s, done))
        first_s, before = self._readings[0]
        return (done - before) / (now_s - first_s) if done > before and now_s > first_s else None


def line_of(snapshot: Snapshot, progress: ArrayProgress) -> str:
    """Say for a log what a snapshot shows, of planned totals; it changes when something happens."""
    work = ""
    if progress.work_planned:
        work = f"{progress.work_done} of {progress.work_planned} {progress.unit}".strip()
    named = f" ({progress.named})" if progress.named else ""
    return snapshot.told(f"{work}{named}")


def pace_of(progress: ArrayProgress) -> str:
    """Say for a log how fast it goes and how long it will take; empty while nobody knows."""
    if not progress.rate_per_s or progress.left_s is None or not progress.left_s:
        return ""
    what = progress.unit if progress.work_planned else "elements"
    left = timedelta(seconds=round(progress.left_s))
    return f"; {progress.rate_per_s:g} {what} per second, {left} left"


def _named(snapshot: Snapshot) -> str:
    """List what has a name: "mlp 12 of 60, multitask_cnn 3 of 40"; cut where it grows long."""
    words = ", ".join(f"{name} {done} of {total}" for name, done, total in snapshot.named)
    return words if len(words) <= WORDS else f"{words[: WORDS - 2]} …"


class Throttle:
    """Says which readings are worth publishing."""

    def __init__(self) -> None:
        self._at_s, self._said = 0.0, dict[str, Any]()

    def lets_through(self, progress: ArrayProgress, *, last: bool = False) -> bool:
        """Whether to publish this one; it then counts as published."""
        said = progress.model_dump(exclude={"as_of"})
        age_s = progress.as_of - self._at_s
        if (said == self._said and age_s < STALE_S) or (age_s < EVERY_S and not last):
            return False
        self._at_s, self._said = progress.as_of, said
        return True


async def publish_from_trigger(task: Any, progress: ArrayProgress) -> None:
    """Leave progress with a task from the triggerer, where tasks have no context.

    task: the trigger's task instance; None outside of a triggerer, where there is nobody to tell.
    That it cannot be published never disturbs the job.
    """
    if task is None:
        return
    from airflow.sdk.bases.xcom import BaseXCom

    whose: Mapping[str, Any] = {
        "dag_id": task.dag_id,
        "run_id": task.run_id,
        "task_id": task.task_id,
        "map_index": -1 if task.map_index is None else task.map_index,
    }
    value = progress.model_dump(mode="json")
    try:
        await BaseXCom.aset(PROGRESS, value, **whose)
    except Exception as error:  # the job matters, not what is said about it
        log.warning("progress was not published: %s", error)
