"""One array job on one cluster, from intent to results; every step may be repeated.

What was decided is read from the job folder, never remembered: a process that dies anywhere is
followed by another one that calls `attach` and goes on. Should two arrays of the same elements
run all the same, the elements' locks keep the second one harmless.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from hpc_jobs.job_folder.folder import JobFolder
from hpc_jobs.job_folder.probes import (
    Scan,
    parse_results,
    parse_scan,
    results_command,
    scan_command,
    set_aside_command,
)
from operators.cluster.errors import (
    ArrayTooLarge,
    LimitReached,
    SubmissionRefused,
    TransportError,
)
from operators.cluster.job import (
    ElementState,
    Resources,
    Status,
    Submission,
    expand,
    ranges_by_cause,
)
from operators.cluster.ledger import Ledger, Snapshot
from operators.cluster.lost import ARGUMENTS_PER_COMMAND, LostElements, chunks
from operators.cluster.reply import parsed
from operators.cluster.retry import grouped
from operators.cluster.schedulers.scheduler import Scheduler
from operators.cluster.submission import ArrayPlan, SubmissionRecord, Submitter
from operators.cluster.usage import Usage, from_results, total

if TYPE_CHECKING:
    from operators.cluster.transports.transport import Transport

TAIL_BYTES = 2000
TAIL_PAUSE_S = 1.0


@dataclass
class ArrayJob:
    """Submits, looks, tries again, reads; blocking, on one transport."""

    transport: "Transport"
    scheduler: Scheduler
    folder: JobFolder[PurePosixPath]
    plan: ArrayPlan
    log: Any = field(default_factory=lambda: logging.getLogger(__name__))
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time
    permit: Callable[[int, Resources], None] = lambda elements, resources: None
    """Asked once an intent is written, with what is still to come; raises SubmissionRefused."""
    _tail_patience_s: float = field(default=15.0, init=False)
    records: list[SubmissionRecord] = field(default_factory=list)

    # ---- submit, or find what was submitted ------------------------------------------------

    def attach(self) -> None:
        """Find what was submitted, and submit what was not, as far as there is room."""
        self.records = self._submitter.read()
        for number, record in enumerate(self.records):
            if not record.job_ids and not self._attach(number, record):
                return
        covered = {element for record in self.records for element in record.elements}
        missing = [element for element in range(self.plan.elements) if element not in covered]
        self._submit(missing, self.plan.resources)

    def _attach(self, number: int, record: SubmissionRecord) -> bool:
        """Find or submit what was meant; False where a limit leaves no room."""
        found = None if record.waits else self._submitter.find(record, self.job_ids)
        try:
            self.records[number] = found or self._send(record)
        except LimitReached as limit:
            last = number == len(self.records) - 1
            if last and len(record.elements) > 1:  # fewer may find room
                self._submitter.withdraw(record)
                self.records.pop()
                causes = causes_of(record.again)
                return self._submit(record.elements, record.resources, causes)
            self.records[number] = self._hold(record, limit)
            return False
        return True

    def _hold(self, record: SubmissionRecord, limit: LimitReached) -> SubmissionRecord:
        self.log.info("%s waits for room in the queue: %s", record.name, limit)
        return self._submitter.hold(record, str(limit))

    @property
    def held_back(self) -> bool:
        """Whether elements wait for room in the queue; `attach` submits them when there is."""
        covered = {element for record in self.records for element in record.elements}
        waits = any(not record.job_ids for record in self.records)
        return waits or len(covered) < self.plan.elements

    def try_again(self, failed: Mapping[int, ElementState]) -> dict[int, ElementState]:
        """Submit failed elements once more, with more memory or time if that was the cause.

        Returns those whose submission was refused: there is no more memory, or time, to be had.
        What was lost sight of is cancelled first, and left alone if it ended well meanwhile.
        """
        refused: dict[int, ElementState] = {}
        lost = [e for e, cause in failed.items() if cause is ElementState.LOST]
        if lost:
            done = self._end(lost)
            failed = {e: cause for e, cause in failed.items() if e not in done}
        for resources, members in list(grouped(failed, self.records)):
            try:
                if not self._submit(sorted(members), resources, members):
                    break  # the others, when these have ended
            except SubmissionRefused as refusal:
                self.log.warning("No further try: %s", refusal)
                refused |= members
        return refused

    def _submit(
        self,
        elements: Sequence[int],
        resources: Resources,
        failed: Mapping[int, ElementState] | None = None,
    ) -> bool:
        """Submit as arrays that the site takes; False where a limit leaves no room for the rest.

        A limit counts elements: an array that finds no room is tried by halves.
        """
        rest, size = list(elements), self._size()
        while rest:
            chunk = rest[:size]
            record = self._submitter.intend(len(self.records), chunk, resources, failed or {})
            try:
                self.permit(len(rest) - len(chunk), resources)
                self.records.append(self._send(record))
            except LimitReached as limit:
                if len(chunk) == 1 and not isinstance(limit, ArrayTooLarge):
                    self.records.append(self._hold(record, limit))
                    return False
                self._submitter.withdraw(record)
                if len(chunk) == 1:
                    raise SubmissionRefused(str(limit)) from limit
                size = len(chunk) // 2
            except SubmissionRefused:
                self._submitter.withdraw(record)
                raise
            else:
                rest = rest[size:]
        return True

    def _size(self) -> int:
        """Elements of the next array: once a limit was met, not many more than were taken last."""
        sizes = [len(record.elements) for record in self.records if record.job_ids]
        met = any(record.waits for record in self.records)
        return min(self.plan.max_array_size, 2 * sizes[-1] if met and sizes else 2**30)

    def _end(self, lost: Sequence[int]) -> frozenset[int]:
        """Cancel elements that were lost sight of; returns those that are done after all."""
        ending = LostElements(
            transport=self.transport,
            scheduler=self.scheduler,
            folder=self.folder,
            grace_s=self.plan.grace_s,
            log=self.log,
            sleep=self.sleep,
            clock=self.clock,
        )
        ending.end(lost, self.records, self._status().queue)
        return self.scan().done

    def _send(self, record: SubmissionRecord) -> SubmissionRecord:
        """Submit, once what earlier tries left has made room: new ones must not find it."""
        before = self.records[: record.number]
        tries = Counter(element for earlier in before for element in earlier.elements)
        pairs = [(element, tries[element]) for element in record.elements if tries[element]]
        for chunk in chunks(pairs, ARGUMENTS_PER_COMMAND):
            reply = self.transport.run(set_aside_command(self.folder.root, chunk))
            if not reply.ok:
                raise TransportError(f"setting old results aside: {reply.words}")
        return self._submitter.send(record)

    @cached_property
    def _submitter(self) -> Submitter:
        return Submitter(
            transport=self.transport,
            scheduler=self.scheduler,
            folder=self.folder,
            plan=self.plan,
            log=self.log,
            sleep=self.sleep,
            clock=self.clock,
        )

    # ---- look ------------------------------------------------------------------------------

    def ledger(self) -> Ledger:
        """Open a fresh ledger of what was submitted."""
        return Ledger(self.plan.elements, self.submissions, self.plan.grace_s)

    def scan(self) -> Scan:
        """See what the elements have written."""
        return parsed(parse_scan, self.transport.run(scan_command([self.folder.root])), 1)[0]

    def look(self, ledger: Ledger) -> Snapshot:
        """Ask the scheduler, then the folder."""
        status = self._status()
        unseen = ledger.unseen(status, Scan())
        command = self.scheduler.history_command(unseen, self._age_s) if unseen else None
        if command:
            history = self.scheduler.parse_history(self.transport.run(command))
            status = replace(status, hearsay=history)
        return ledger.update(status, self.scan(), time.monotonic())

    def _status(self) -> Status:
        ids = self.job_ids
        if not ids:
            return Status({})
        reply = self.transport.run(self.scheduler.status_command(ids))
        return self.scheduler.parse_status(reply, ids)

    @property
    def _age_s(self) -> float:
        """For how long something of this job may have been known to the accounting."""
        return self.clock() - self.submitted

    @property
    def submissions(self) -> list[Submission]:
        """As the ledger sees them."""
        return [record.submission for record in self.records]

    @property
    def job_ids(self) -> list[str]:
        """All of them, in the order of submission."""
        return [job_id for record in self.records for job_id in record.job_ids]

    @property
    def submitted(self) -> float:
        """When the first submission was meant, Unix time of the control host."""
        return self.records[0].submitted

    # ---- the end ---------------------------------------------------------------------------

    def results(self) -> list[dict[str, Any]]:
        """All results as the elements wrote them."""
        reply = self.transport.run(results_command(self.folder.root), timeout_s=300)
        return parsed(parse_results, reply)

    def log_tail(self, element: int) -> str:
        """Read the end of an element's output, of its latest try.

        Output may arrive after the result: PBS brings it when the element has ended. It is waited
        for once in the life of this object, whatever the number of elements.
        """
        while not (text := self._log_tail(element)) and self._tail_patience_s > 0:
            self.sleep(TAIL_PAUSE_S)
            self._tail_patience_s -= TAIL_PAUSE_S
        return text or "(no output found)"

    def _log_tail(self, element: int) -> str:
        for submission in reversed(self.submissions):
            if element in submission.elements:
                index = submission.elements.index(element)
                for job_id in reversed(submission.job_ids):
                    path = self.scheduler.log_path(self.folder.logs, job_id, index)
                    argv = ("tail", "-c", str(TAIL_BYTES), "--", str(path))
                    reply = self.transport.run(argv)
                    if reply.ok and reply.stdout:
                        return reply.stdout
        return ""

    def cancel(self) -> None:
        """Cancel everything that was submitted."""
        if self.job_ids:
            reply = self.transport.run(self.scheduler.cancel_command(self.job_ids))
            try:
                self.scheduler.parse_cancel(reply)
            except TransportError as error:
                self.log.warning("%s", error)

    def abandon(self) -> None:
        """Cancel what an earlier run of this token left, and close its books."""
        self.records = self._submitter.read()
        for number, record in enumerate(self.records):
            if not record.job_ids and not record.waits:
                self.records[number] = self._submitter.find(record, self.job_ids) or record
        self.cancel()
        self.finish("abandoned")

    def usage(self, results: Iterable[Mapping[str, Any]] | None = None) -> Usage:
        """Sum what all tries took: by the accounting, or by the elements' results without one."""
        command = self.scheduler.usage_command(self.job_ids, self._age_s) if self.job_ids else None
        try:
            reply = self.transport.run(command) if command else None
            consumed = self.scheduler.parse_usage(reply) if reply else []
        except TransportError as error:
            self.log.warning("The accounting does not answer: %s", error)
            consumed = []
        if not consumed:
            consumed = from_results(self.results() if results is None else results, self._granted)
        return total(consumed)

    @property
    def _granted(self) -> dict[int, tuple[float, int, int]]:
        """Of each element's latest try: when submitted, cores, GPUs."""
        return {
            element: (r.submitted, r.resources.cores, r.resources.gpus * r.resources.nodes)
            for r in self.records
            for element in r.elements
        }

    def finish(
        self,
        outcome: str,
        given_up: Mapping[int, ElementState] | None = None,
        usage: Usage | None = None,
    ) -> None:
        """Close the books: a later run of the same task begins anew, in another folder."""
        took = self.usage() if usage is None else usage
        document = {"outcome": outcome, "finished": self.clock(), "job_ids": self.job_ids}
        document |= {"given_up": ranges_by_cause(given_up or {})}
        document |= {"usage": took.document()}
        self.transport.write(str(self.folder.finished), json.dumps(document, indent=1).encode())


def causes_of(again: Mapping[str, str]) -> dict[int, ElementState]:
    """Read a record's causes: element -> why it was submitted once more."""
    return {
        element: ElementState(cause)
        for cause, ranges in again.items()
        for element in expand(ranges)
    }
