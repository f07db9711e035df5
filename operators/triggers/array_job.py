"""Waits for an array job, together with all others on its cluster."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import PurePosixPath
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from hpc_jobs.contract.cluster import Cluster
from hpc_jobs.contract.report import ArrayProgress
from hpc_jobs.job_folder.folder import JobFolder
from operators.cluster.errors import ClusterError
from operators.cluster.job import ElementState, expand, ranges_by_cause
from operators.cluster.ledger import Snapshot
from operators.cluster.poller import Report, Watch
from operators.triggers.polling import poller_of
from operators.triggers.progress import (
    Meter,
    Throttle,
    line_of,
    pace_of,
    publish_from_trigger,
)

# What is closed here begins anew at the next execute(): killing a task ends its job's history.
KILL = """
folder=$1; shift
"$@"; code=$?
printf '{"outcome": "killed"}\\n' > "$folder/.finished.json" &&
  mv "$folder/.finished.json" "$folder/finished.json"
exit $code
"""

LOOK_BACK_S = 7 * 86400.0
KILL_PATIENCE_S = 120.0
_KILLINGS: set[asyncio.Task[None]] = set()  # the loop itself keeps no task alive


class ArrayJobTrigger(BaseTrigger):
    """Fires once: when every element has ended, when there may be room for more, or too late.

    The event is {"status": "settled" | "room" | "deadline", "submissions": n, "causes": {cause:
    ranges}}: everything the operator needs beyond what lies in the job folder.
    """

    def __init__(
        self,
        *,
        site: Mapping[str, Any],
        folder: str,
        elements: int,
        job_ids: Sequence[Sequence[str]],
        deadline: float,
        submitted: float = 0.0,
        held_back: bool = False,
        first_poll_s: float = 10.0,
        work: int = 0,
        unit: str = "",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.site = dict(site)
        self.folder = folder
        self.elements = elements
        self.job_ids = [list(ids) for ids in job_ids]
        self.deadline = deadline
        self.submitted = submitted or time.time() - LOOK_BACK_S
        self.held_back = held_back
        self.first_poll_s = first_poll_s
        self.work, self.unit = work, unit

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Everything that the constructor takes."""
        names = (
            *("site", "folder", "elements", "job_ids", "deadline", "submitted", "held_back"),
            *("first_poll_s", "work", "unit"),
        )
        path = f"{ArrayJobTrigger.__module__}.{ArrayJobTrigger.__qualname__}"
        return path, {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch until the array has settled."""
        watch = Watch(
            folder=JobFolder(PurePosixPath(self.folder)),
            elements=self.elements,
            job_ids=[tuple(ids) for ids in self.job_ids],
            submitted=self.submitted,
            not_before_s=time.monotonic() + self.first_poll_s,
        )
        said, live_at_first = "", -1
        meter, throttle = Meter(self.work, self.unit, str(self.site["name"])), Throttle()
        try:
            async with (
                asyncio.timeout(max(0.0, self.deadline - time.time())),
                aclosing(poller_of(self._cluster).watch(watch)) as reports,
            ):
                async for report in reports:
                    snapshot = report.snapshot
                    progress = self._read(report, meter)
                    said = self._say(report, progress, said)
                    await self._publish(snapshot, progress, throttle)
                    if snapshot is None:
                        continue
                    live = snapshot.running + snapshot.pending
                    live_at_first = live if live_at_first < 0 else live_at_first
                    if snapshot.settled:
                        event = self._event("settled", snapshot)
                        break
                    # Not at each end of an element: every visit of the operator costs a worker.
                    if self.held_back and live <= live_at_first // 2:
                        event = self._event("room", snapshot)
                        break
        except TimeoutError:
            event = self._event("deadline", None)
        yield event

    async def on_kill(self) -> None:
        """Cancel the job: somebody failed, cleared or stopped the task.

        The triggerer (3.3) repeats its cancel every second or two and so cuts this method short;
        what must happen goes on in a task of its own.
        """
        killing = asyncio.create_task(self._kill())
        _KILLINGS.add(killing)
        killing.add_done_callback(_KILLINGS.discard)
        await asyncio.shield(killing)

    async def _kill(self) -> None:
        poller = poller_of(self._cluster)
        ids = [job_id for submission in self.job_ids for job_id in submission]
        argv = ("sh", "-c", KILL, "kill", self.folder, *poller.scheduler.cancel_command(ids))
        until = time.monotonic() + KILL_PATIENCE_S
        while True:
            try:
                reply = await poller.run(argv, timeout_s=20)
            except ClusterError as error:
                self.log.warning("Cannot cancel job %s yet: %s", ", ".join(ids), error)
                if time.monotonic() > until:  # housekeeping finds it orphaned
                    raise
                await asyncio.sleep(5)
            else:
                words = "done" if reply.ok else reply.words
                self.log.info("Cancelled job %s: %s", ", ".join(ids), words)
                return

    @property
    def _cluster(self) -> Cluster:
        return Cluster.model_validate(self.site)

    def _say(self, report: Report, progress: ArrayProgress | None, said: str) -> str:
        """Log what is new; the pace alone is no news."""
        if report.snapshot is None or progress is None:
            line = f"waiting: {report.trouble}"
            if line != said:
                self.log.warning(line)
            return line
        line = line_of(report.snapshot, progress)
        if line != said:
            self.log.info("%s%s", line, pace_of(progress))
        return line

    @staticmethod
    def _read(report: Report, meter: Meter) -> ArrayProgress | None:
        snapshot, now = report.snapshot, time.time()
        return meter.read(snapshot, now) if snapshot else meter.trouble(report.trouble, now)

    async def _publish(
        self, snapshot: Snapshot | None, progress: ArrayProgress | None, throttle: Throttle
    ) -> None:
        last = snapshot is not None and snapshot.settled
        if progress and throttle.lets_through(progress, last=last):
            await publish_from_trigger(self.task_instance, progress)

    def _event(self, status: str, snapshot: Snapshot | None) -> TriggerEvent:
        causes = ranges_by_cause(snapshot.failed if snapshot else {})
        count = len(self.job_ids)
        payload = {"status": status, "submissions": count, "causes": causes}
        return TriggerEvent(payload)  # type: ignore[no-untyped-call]


def causes_of(event: Mapping[str, Any], submissions: int) -> dict[int, ElementState]:
    """Read what the trigger saw; of no use if more has been submitted since."""
    if event["submissions"] != submissions:
        return {}
    return {
        element: ElementState(cause)
        for cause, ranges in event["causes"].items()
        for element in expand(ranges)
    }
