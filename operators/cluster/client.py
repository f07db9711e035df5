"""One array job on one cluster, from intent to results; every step may be repeated.

What was decided is read from the job folder, never remembered: a process that dies anywhere is
followed by another one that calls `attach` and goes on. Effectively once, because

1. the index file and a record without job ids (the intent) are written first,
2. a record without ids, met later, means that a submit may have happened: the queue, the
   accounting and the locks are asked, until the scheduler has surely had time, before another,
3. should two arrays run all the same, the elements' locks keep the second one harmless.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from operators.cluster.errors import SubmissionRefused, TransportError
from operators.cluster.job import ArrayRequest, ElementState, Queue, Resources, Submission
from operators.cluster.ledger import Ledger, Snapshot
from operators.cluster.scan import (
    Folder,
    Scan,
    owners_command,
    parse_owners,
    parse_scan,
    results_command,
    scan_command,
    set_aside_command,
)
from operators.cluster.schedulers.base import Scheduler
from operators.cluster.script import JobScript

if TYPE_CHECKING:
    from operators.cluster.transports.base import Transport

LOOK_AGAIN_S = 3.0
ARGUMENTS_PER_COMMAND = 500  # far below any system's limit on a command's length
TAIL_BYTES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an array job is, before anything of it exists."""

    token: str
    elements: int
    resources: Resources
    script: JobScript
    max_array_size: int = 1000
    grace_s: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """submission-<n>.json: an intent while it has no job ids."""

    number: int
    submitted: float
    resources: Resources
    job_ids: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """JSON."""
        values = {name: getattr(self.resources, name) for name in Resources.__slots__}
        document = {"number": self.number, "submitted": self.submitted, "job_ids": self.job_ids}
        return json.dumps(document | {"resources": values}, indent=1).encode()

    @classmethod
    def decode(cls, content: bytes) -> "Record":
        """From JSON."""
        document = json.loads(content)
        return cls(
            number=int(document["number"]),
            submitted=float(document["submitted"]),
            resources=Resources(**document["resources"]),
            job_ids=tuple(document["job_ids"]),
        )


@dataclass
class ArrayJob:
    """Submits, looks, tries again, reads; blocking, on one transport."""

    transport: "Transport"
    scheduler: Scheduler
    folder: Folder
    plan: Plan
    log: Any = field(default_factory=lambda: logging.getLogger(__name__))
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time
    records: list[Record] = field(default_factory=list)
    submissions: list[Submission] = field(default_factory=list)

    # ---- submit, or find what was submitted ------------------------------------------------

    def attach(self) -> None:
        """Find what was submitted, and submit what was not."""
        self._read_folder()
        for record in list(self.records):
            if not record.job_ids:
                self._submit(record, certain=False)
        covered = {element for s in self.submissions for element in s.elements}
        self._submit_all([e for e in range(self.plan.elements) if e not in covered])

    def try_again(self, failed: Mapping[int, ElementState]) -> None:
        """Submit failed elements once more, with more memory or time if that was the cause."""
        tries = Counter(e for s in self.submissions for e in s.elements)
        pairs = [(element, tries[element]) for element in sorted(failed)]
        # First make room, then write the index file: after a crash in between, the elements
        # still count as failed; the other way round, new ones would find the old results.
        for chunk in _chunks(pairs, ARGUMENTS_PER_COMMAND):
            self._done(set_aside_command(self.folder.root, chunk), "setting old results aside")
        used = [r.resources for r, s in self._pairs() if set(s.elements) & set(failed)]
        base = max(used or [self.plan.resources], key=lambda r: (r.memory_mib, r.walltime_s))
        self._submit_all(sorted(failed), base.grown(failed.values()))

    def _read_folder(self) -> None:
        try:
            names = set(self.transport.list(str(self.folder.root)))
        except FileNotFoundError:
            names = set()
        self.records, self.submissions = [], []
        number = 0
        while self.folder.submission(number).name in names:
            self.records.append(Record.decode(self._read(self.folder.submission(number))))
            lines = self._read(self.folder.elements(number)).split()
            ids = self.records[number].job_ids
            self.submissions.append(Submission(number, ids, tuple(map(int, lines))))
            number += 1

    def _submit_all(self, elements: Sequence[int], resources: Resources | None = None) -> None:
        for chunk in _chunks(elements, self.plan.max_array_size):
            record = Record(
                number=len(self.records),
                submitted=self.clock(),
                resources=resources or self.plan.resources,
            )
            self._write_intent(record, chunk)
            self._submit(record, certain=True)

    def _write_intent(self, record: Record, elements: Sequence[int]) -> None:
        index_file = "".join(f"{element}\n" for element in elements)
        self.transport.write(str(self.folder.elements(record.number)), index_file.encode())
        self._done(("mkdir", "-p", "--", str(self.folder.logs)), "making the log folder")
        self.transport.write(str(self.folder.submission(record.number)), record.encode())
        self.records.append(record)
        self.submissions.append(Submission(record.number, (), tuple(elements)))

    def _submit(self, record: Record, *, certain: bool) -> None:
        """Look, then submit; `certain` says that this record was never submitted before."""
        name = f"{self.plan.token}.{record.number}"
        found = self._look_up(name, 0 if certain else self.plan.grace_s)
        if found:
            self.log.info("Found %s in the queue as job %s", name, ", ".join(found))
        else:
            found = [self._send(record, name)]
            self.log.info(
                "Submitted %s as job %s: %d elements",
                name,
                found[0],
                len(self.submissions[record.number].elements),
            )
        known = replace(record, job_ids=tuple(found))
        self.transport.write(str(self.folder.submission(record.number)), known.encode())
        self.records[record.number] = known
        elements = self.submissions[record.number].elements
        self.submissions[record.number] = Submission(record.number, tuple(found), elements)

    def _send(self, record: Record, name: str) -> str:
        script = self.plan.script.render(
            self.folder.elements(record.number),
            self.scheduler.job_id_variable,
            self.scheduler.array_index_variable,
        )
        self.transport.write(str(self.folder.script(record.number)), script.encode())
        request = ArrayRequest(
            name=name,
            script=self.folder.script(record.number),
            log_folder=self.folder.logs,
            elements=len(self.submissions[record.number].elements),
            resources=record.resources,
        )
        try:
            reply = self.transport.run(self.scheduler.submit_command(request))
            return self.scheduler.parse_submit(reply)
        except SubmissionRefused:
            # Surely not queued: without the record, the next attempt need not look for it.
            self._done(("rm", "-f", "--", str(self.folder.submission(record.number))), "tidying")
            raise

    def _look_up(self, name: str, patience_s: float) -> list[str]:
        """Job ids of that name, asked again until the scheduler has surely had time."""
        until = self.clock() + patience_s
        if patience_s:
            self.log.info("%s may have been submitted; looking for up to %g s", name, patience_s)
        while True:
            reply = self.transport.run(self.scheduler.find_command(name))
            found = self.scheduler.parse_find(reply, name)
            if not found and patience_s:
                found = self._unknown_owners()
            if found or self.clock() >= until:
                return found
            self.sleep(min(LOOK_AGAIN_S, max(0.0, until - self.clock())))

    def _unknown_owners(self) -> list[str]:
        known = {job_id for s in self.submissions for job_id in s.job_ids}
        owners = parse_owners(self.transport.run(owners_command(self.folder.root)))
        return sorted(owners - known - {"by-hand"})

    # ---- look ------------------------------------------------------------------------------

    def ledger(self) -> Ledger:
        """Open a fresh ledger of what was submitted."""
        return Ledger(self.plan.elements, self.submissions, self.plan.grace_s)

    def scan(self) -> Scan:
        """See what the elements have written."""
        return parse_scan(self.transport.run(scan_command([self.folder.root])), 1)[0]

    def look(self, ledger: Ledger) -> Snapshot:
        """Ask the scheduler, then the folder."""
        ids = self.job_ids
        queue = self.scheduler.parse_status(self.transport.run(self.scheduler.status_command(ids)))
        unseen = ledger.unseen(queue, Scan())
        command = self.scheduler.history_command(unseen) if unseen else None
        if command:
            history = self.scheduler.parse_history(self.transport.run(command))
            queue = merged(queue, history)
        return ledger.update(queue, self.scan(), time.monotonic())

    @property
    def job_ids(self) -> list[str]:
        """All of them, in the order of submission."""
        return [job_id for submission in self.submissions for job_id in submission.job_ids]

    @property
    def submitted(self) -> float:
        """When the first submission was meant, Unix time of the control host."""
        return self.records[0].submitted

    # ---- the end ---------------------------------------------------------------------------

    def results(self) -> list[dict[str, Any]]:
        """All results as the elements wrote them."""
        reply = self.transport.run(results_command(self.folder.root), timeout_s=300)
        if not reply.stdout.endswith(".\n"):
            raise TransportError(f"reading the results was cut short: {reply.words[-200:]}")
        return list(_documents(reply.stdout[:-2]))

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

    def finish(self, outcome: str) -> None:
        """Close the books: a later run of the same task begins anew, in another folder."""
        document = {"outcome": outcome, "finished": self.clock(), "job_ids": self.job_ids}
        self.transport.write(str(self.folder.finished), json.dumps(document, indent=1).encode())

    # ---- small things ----------------------------------------------------------------------

    def _pairs(self) -> Iterable[tuple[Record, Submission]]:
        return zip(self.records, self.submissions, strict=True)

    def _read(self, path: Any) -> bytes:
        return self.transport.read(str(path))

    def _done(self, argv: Sequence[str], doing: str) -> None:
        reply = self.transport.run(argv)
        if not reply.ok:
            raise TransportError(f"{doing}: {reply.words}")


def merged(queue: Queue, history: Queue) -> Queue:
    """Lay the queue over the accounting, which knows the jobs that left it."""
    return {**history, **queue}


def _chunks(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _documents(text: str) -> Iterable[dict[str, Any]]:
    """JSON documents that follow one another."""
    decoder, position = json.JSONDecoder(), 0
    while True:
        while position < len(text) and text[position].isspace():
            position += 1
        if position >= len(text):
            return
        document, position = decoder.raw_decode(text, position)
        yield document
