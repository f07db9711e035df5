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
from dataclasses import dataclass, field
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
from operators.cluster.errors import SubmissionRefused, TransportError
from operators.cluster.job import ElementState, Queue, Resources, Submission, ranges_by_cause
from operators.cluster.ledger import Ledger, Snapshot
from operators.cluster.reply import parsed
from operators.cluster.retry import grouped
from operators.cluster.schedulers.scheduler import Scheduler
from operators.cluster.submission import Plan, Record, Submitter
from operators.cluster.usage import Usage, from_results, total

if TYPE_CHECKING:
    from operators.cluster.transports.transport import Transport

ARGUMENTS_PER_COMMAND = 500  # far below any system's limit on a command's length
TAIL_BYTES = 2000


@dataclass
class ArrayJob:
    """Submits, looks, tries again, reads; blocking, on one transport."""

    transport: "Transport"
    scheduler: Scheduler
    folder: JobFolder[PurePosixPath]
    plan: Plan
    log: Any = field(default_factory=lambda: logging.getLogger(__name__))
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time
    permit: Callable[[int, Resources], None] = lambda elements, resources: None
    """Asked once an intent is written, with what is still to come; raises SubmissionRefused."""
    records: list[Record] = field(default_factory=list)

    # ---- submit, or find what was submitted ------------------------------------------------

    def attach(self) -> None:
        """Find what was submitted, and submit what was not."""
        self.records = self._submitter.read()
        for number, record in enumerate(self.records):
            if not record.job_ids:
                found = self._submitter.find(record, self.job_ids)
                self.records[number] = found or self._send(record)
        covered = {element for record in self.records for element in record.elements}
        missing = [element for element in range(self.plan.elements) if element not in covered]
        self._submit(missing, self.plan.resources)

    def try_again(self, failed: Mapping[int, ElementState]) -> dict[int, ElementState]:
        """Submit failed elements once more, with more memory or time if that was the cause.

        Returns those whose submission was refused: there is no more memory, or time, to be had.
        """
        refused: dict[int, ElementState] = {}
        for resources, members in list(grouped(failed, self.records)):
            try:
                self._submit(sorted(members), resources, members)
            except SubmissionRefused as refusal:
                self.log.warning("No further try: %s", refusal)
                refused |= members
        return refused

    def _submit(
        self,
        elements: Sequence[int],
        resources: Resources,
        failed: Mapping[int, ElementState] | None = None,
    ) -> None:
        rest = len(elements)
        for chunk in _chunks(elements, self.plan.max_array_size):
            record = self._submitter.intend(len(self.records), chunk, resources, failed or {})
            rest -= len(chunk)
            try:
                self.permit(rest, resources)
            except SubmissionRefused:
                self._submitter.withdraw(record)
                raise
            self.records.append(self._send(record))

    def _send(self, record: Record) -> Record:
        """Submit, once what earlier tries left has made room: new ones must not find it."""
        before = self.records[: record.number]
        tries = Counter(element for earlier in before for element in earlier.elements)
        pairs = [(element, tries[element]) for element in record.elements if tries[element]]
        for chunk in _chunks(pairs, ARGUMENTS_PER_COMMAND):
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
        ids = self.job_ids
        reply = self.transport.run(self.scheduler.status_command(ids))
        queue, reasons = self.scheduler.parse_status(reply), self.scheduler.parse_reasons(reply)
        unseen = ledger.unseen(queue, Scan())
        command = self.scheduler.history_command(unseen) if unseen else None
        if command:
            history = self.scheduler.parse_history(self.transport.run(command))
            queue = merged(queue, history)
        return ledger.update(queue, self.scan(), time.monotonic(), reasons)

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
        """Read the end of an element's output, of its latest try."""
        for submission in reversed(self.submissions):
            if element in submission.elements:
                index = submission.elements.index(element)
                for job_id in reversed(submission.job_ids):
                    path = self.scheduler.log_path(self.folder.logs, job_id, index)
                    argv = ("tail", "-c", str(TAIL_BYTES), "--", str(path))
                    reply = self.transport.run(argv)
                    if reply.ok:
                        return reply.stdout
        return "(no output found)"

    def cancel(self) -> None:
        """Cancel everything that was submitted."""
        if self.job_ids:
            reply = self.transport.run(self.scheduler.cancel_command(self.job_ids))
            if not reply.ok:
                self.log.warning("Cancelling said: %s", reply.words)

    def abandon(self) -> None:
        """Cancel what an earlier run of this token left, and close its books."""
        self.records = self._submitter.read()
        for number, record in enumerate(self.records):
            if not record.job_ids:
                self.records[number] = self._submitter.find(record, self.job_ids) or record
        self.cancel()
        self.finish("abandoned")

    def usage(self, results: Iterable[Mapping[str, Any]] | None = None) -> Usage:
        """Sum what all tries took: by the accounting, or by the elements' results without one."""
        command = self.scheduler.usage_command(self.job_ids) if self.job_ids else None
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


def merged(queue: Queue, history: Queue) -> Queue:
    """Lay the queue over the accounting, which knows the jobs that left it."""
    return {**history, **queue}


def _chunks(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
