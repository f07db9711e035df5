"""Who is done, who failed, who works: manifests first, then the scheduler, then patience.

DONE and HANDED_OVER are results that say so. FAILED is a result that says so, an end that the
scheduler calls bad, or no word of an element for longer than the grace period while the scheduler
did answer. "Not in the queue" alone never means done.

That an element lives is the queue's to say. What only the accounting calls live, while the whole
queue answers without it, counts for the grace period: a record that nobody ever closes would be
waited for until the end of days. And of a job that was asked for and not answered nothing follows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpc_jobs.job_folder.probes import Scan
from operators.cluster.job import ElementState, Queue, Status, Submission


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The array at one moment."""

    elements: int
    done: int
    failed: dict[int, ElementState]
    """element -> cause"""
    running: int
    pending: int
    unknown: int
    held: int = 0
    """not submitted yet: a limit of the site leaves no room"""
    progress: tuple[int, int, str] | None = None
    """work of all elements: done, total, unit"""
    named: tuple[tuple[str, int, int], ...] = ()
    """of elements that work on what has a name: name, done, total"""
    waits: str = ""
    """why elements are pending, where a person should know"""

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.done + len(self.failed) == self.elements

    @property
    def line(self) -> str:
        """For the log."""
        return self.told("{} of {} {}".format(*self.progress).strip() if self.progress else "")

    def told(self, work: str) -> str:
        """Count the elements in words, and say how far their work is."""
        parts = [f"{self.done} of {self.elements} elements done"]
        over = sum(cause is ElementState.HANDED_OVER for cause in self.failed.values())
        counts = {"failed": len(self.failed) - over, "handed over": over, "running": self.running}
        counts |= {"pending": self.pending, "unknown": self.unknown}
        counts |= {"waiting for room in the queue": self.held}
        parts += [f"{count} {name}" for name, count in counts.items() if count]
        parts += [work] if work else []
        return ", ".join(parts) + (f"; pending: {self.waits}" if self.waits else "")


class Ledger:
    """Remembers since when an element has been missing; all else is derived anew each time."""

    def __init__(self, elements: int, submissions: Sequence[Submission], grace_s: float) -> None:
        self.elements = elements
        self.submissions = tuple(submissions)
        self.grace_s = grace_s
        self._latest = {e: s.number for s in submissions for e in s.elements}
        self._tries = Counter(e for s in submissions for e in s.elements)
        # Of which the latest submission is only meant, or none is yet: a limit left no room.
        sent = {s.number for s in submissions if s.job_ids}
        self._held = {e for e in range(elements) if self._latest.get(e) not in sent}
        self._missing_since_s: dict[int, float] = {}

    def tries(self, element: int) -> int:
        """How often an element was submitted."""
        return self._tries[element]

    def interrupted(self) -> None:
        """Forget how long elements have been missing: the scheduler could not be asked."""
        self._missing_since_s.clear()

    def update(self, status: Status, scan: Scan, now_s: float) -> Snapshot:
        """Judge every element.

        The scan must be younger than the status: an element that ended before the scheduler was
        asked has written its result before we looked.
        """
        live, ended = self._native(status.queue)
        rumoured, over = self._native(status.hearsay)
        ended = over | ended
        silent = self._elements_of(status.silent)
        failed: dict[int, ElementState] = {}
        words = _words(scan)
        counts: Counter[str] = Counter()
        for element in range(self.elements):
            if element in scan.done:
                counts["done"] += 1
            elif element in words:
                failed[element] = words[element]
            elif element in live:
                counts["running" if live[element] is ElementState.RUNNING else "pending"] += 1
            elif element in self._held:
                counts["held"] += 1
            elif element in silent:
                counts["unknown"] += 1
            else:
                cause = self._without_word(element, ended.get(element), now_s)
                if cause:
                    failed[element] = cause
                else:
                    counts[
                        _RUMOURS.get(rumoured.get(element, ElementState.UNKNOWN), "unknown")
                    ] += 1
                continue
            self._missing_since_s.pop(element, None)
        return Snapshot(
            elements=self.elements,
            done=counts["done"],
            failed=failed,
            running=counts["running"],
            pending=counts["pending"],
            unknown=counts["unknown"],
            held=counts["held"],
            progress=scan.work(self.elements),
            named=scan.named,
            waits=self._waits(status.reasons) if counts["pending"] else "",
        )

    def _waits(self, reasons: Mapping[str, str]) -> str:
        ours = (job_id for submission in self.submissions for job_id in submission.job_ids)
        return "; ".join(sorted({reasons[job_id] for job_id in ours if job_id in reasons}))

    def _elements_of(self, job_ids: frozenset[str]) -> set[int]:
        """Elements whose latest submission is among these jobs."""
        if not job_ids:
            return set()
        return {
            element
            for submission in self.submissions
            if not job_ids.isdisjoint(submission.job_ids)
            for element in submission.elements
            if self._latest[element] == submission.number
        }

    def unseen(self, status: Status, scan: Scan) -> list[str]:
        """Jobs that the queue no longer knows, with elements that have no result: ask history."""
        known_jobs = status.queue.keys() | status.silent
        known = scan.done | scan.failed | scan.handed_over
        return [
            job_id
            for submission in self.submissions
            if any(
                e not in known and self._latest[e] == submission.number for e in submission.elements
            )
            for job_id in submission.job_ids
            if job_id not in known_jobs
        ]

    def _native(self, queue: Queue) -> tuple[dict[int, ElementState], dict[int, ElementState]]:
        """Count a live state from any submission, an end only from the element's latest."""
        live: dict[int, ElementState] = {}
        ended: dict[int, ElementState] = {}
        for submission in self.submissions:
            for job_id in submission.job_ids:
                for index, state in queue.get(job_id, {}).items():
                    if index >= len(submission.elements):
                        continue
                    element = submission.elements[index]
                    if state.is_live:
                        live[element] = max(live.get(element, state), state)  # RUNNING > PENDING
                    elif self._latest[element] == submission.number:
                        ended[element] = state
        return live, ended

    def _without_word(
        self, element: int, ended: ElementState | None, now_s: float
    ) -> ElementState | None:
        """Cause of failure, or None while it may still turn up."""
        if ended is not None and ended.ended_badly:
            return ended
        if ended is ElementState.UNKNOWN:  # the scheduler knows it, only we do not understand
            return None
        since_s = self._missing_since_s.setdefault(element, now_s)
        return ElementState.LOST if now_s - since_s >= self.grace_s else None


_RUMOURS = {ElementState.RUNNING: "running", ElementState.PENDING: "pending"}


def _words(scan: Scan) -> dict[int, ElementState]:
    """Read what elements that are not done say of themselves."""
    failed = dict.fromkeys(scan.failed, ElementState.FAILED)
    return failed | dict.fromkeys(scan.handed_over, ElementState.HANDED_OVER)


def by_results(elements: int, scan: Scan, causes: Mapping[int, ElementState]) -> Snapshot:
    """Judge by results, and by failures that somebody saw before; the scheduler is not asked."""
    failed = {e: causes.get(e, cause) for e, cause in _words(scan).items()}
    failed |= {e: cause for e, cause in causes.items() if e not in scan.done}
    rest = [e for e in range(elements) if e not in scan.done and e not in failed]
    running = sum(e in scan.locked for e in rest)
    return Snapshot(
        elements=elements,
        done=sum(e in scan.done for e in range(elements)),
        failed=failed,
        running=running,
        pending=len(rest) - running,
        unknown=0,
        progress=scan.work(elements),
        named=scan.named,
    )
