"""One array's way into the queue, effectively once.

1. The record is written before anything is submitted, by whoever comes first: the intent. Of two
   processes that mean the same array, the second learns it here and waits.
2. It holds a name for the job that was never used before, so that what is found under that name,
   and nothing else, came from this record: not from an attempt that the scheduler refused and
   still shows, nor from an earlier run of the same token.
3. A record without job ids, met later, means that a submit may have happened: the queue, the
   accounting and the locks are asked, until the scheduler has surely had time, before another.
"""

import json
import logging
import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from hpc_jobs.job_folder.folder import JobFolder
from hpc_jobs.job_folder.lock_probes import owners_command, parse_owners
from hpc_jobs.job_folder.names import BY_HAND
from hpc_jobs.job_folder.probes import LOST, first_wins_command
from operators.cluster.errors import (
    AmbiguousReply,
    LimitReached,
    SubmissionRefused,
    TransportError,
)
from operators.cluster.job import (
    ArrayRequest,
    ElementState,
    Resources,
    Submission,
    compress,
    expand,
    ranges_by_cause,
)
from operators.cluster.reply import parsed
from operators.cluster.schedulers.scheduler import Scheduler
from operators.cluster.script import JobScript

if TYPE_CHECKING:
    from operators.cluster.transports.transport import Transport

LOOK_AGAIN_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayPlan:
    """What an array job is, before anything of it exists."""

    token: str
    elements: int
    resources: Resources
    script: JobScript
    max_array_size: int = 1000
    grace_s: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionRecord:
    """submission-<n>.json: an intent while it has no job ids."""

    number: int
    name: str
    submitted: float
    """Unix time of the control host"""
    elements: tuple[int, ...]
    """ascending; a place in it is an array index"""
    resources: Resources
    again: Mapping[str, str] = field(default_factory=dict)
    """why its elements are submitted once more: cause -> ranges; empty the first time"""
    job_ids: tuple[str, ...] = ()
    waits: str = ""
    """why it surely was not submitted yet: the limit that left no room, in the scheduler's words"""

    @property
    def submission(self) -> Submission:
        """As the ledger sees it."""
        return Submission(self.number, self.job_ids, self.elements)

    def encode(self) -> bytes:
        """JSON."""
        document = {name: getattr(self, name) for name in SubmissionRecord.__slots__}
        document["elements"] = compress(self.elements)
        document["resources"] = {n: getattr(self.resources, n) for n in Resources.__slots__}
        return json.dumps(document, indent=1).encode()

    @classmethod
    def decode(cls, content: bytes) -> "SubmissionRecord":
        """From JSON."""
        document = json.loads(content)
        return cls(
            number=int(document["number"]),
            name=str(document["name"]),
            submitted=float(document["submitted"]),
            elements=tuple(expand(document["elements"])),
            resources=Resources(**document["resources"]),
            again=document["again"],
            job_ids=tuple(document["job_ids"]),
            waits=str(document.get("waits", "")),
        )


@dataclass
class Submitter:
    """Writes records, submits, looks up; blocking, on one transport."""

    transport: "Transport"
    scheduler: Scheduler
    folder: JobFolder[PurePosixPath]
    plan: ArrayPlan
    log: Any = field(default_factory=lambda: logging.getLogger(__name__))
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time

    def read(self) -> list[SubmissionRecord]:
        """Read what was meant and submitted, in order."""
        try:
            names = set(self.transport.list(str(self.folder.root)))
        except FileNotFoundError:
            return []
        records: list[SubmissionRecord] = []
        while self.folder.submission(len(records)).name in names:
            path = self.folder.submission(len(records))
            records.append(SubmissionRecord.decode(self.transport.read(str(path))))
        return records

    def intend(
        self,
        number: int,
        elements: Sequence[int],
        resources: Resources,
        failed: Mapping[int, ElementState],
    ) -> SubmissionRecord:
        """Write a record, first; raises AmbiguousReply if another process has just done so."""
        mark = secrets.token_hex(3)
        record = SubmissionRecord(
            number=number,
            name=f"{self.plan.token}.{number}-{mark}",
            submitted=self.clock(),
            elements=tuple(sorted(elements)),
            resources=resources,
            again=ranges_by_cause({e: failed[e] for e in elements if e in failed}),
        )
        path = self.folder.submission(number)
        draft = path.with_name(f".{path.name}.{mark}")
        self.transport.write(str(draft), record.encode())
        reply = self.transport.run(first_wins_command(draft, path))
        if reply.exit_code == LOST:
            raise AmbiguousReply(f"another process is submitting {self.plan.token}.{number}")
        if not reply.ok:
            raise TransportError(f"writing {path}: {reply.words}")
        return record

    def send(self, record: SubmissionRecord) -> SubmissionRecord:
        """Submit what was never submitted; raises SubmissionRefused, leaving no record.

        LimitReached leaves it: whether fewer are tried now or the same later is not decided here.
        """
        try:
            reply = self.transport.run(self.scheduler.submit_command(self._prepare(record)))
            found = [self.scheduler.parse_submit(reply)]
        except SubmissionRefused as refusal:
            found = self._live(record.name)  # the queue outranks words
            if not found:
                if not isinstance(refusal, LimitReached):
                    self.withdraw(record)
                raise
            self.log.warning("%s is in the queue all the same: %s", record.name, refusal)
        count = len(record.elements)
        self.log.info("Submitted %s as job %s: %d elements", record.name, found[0], count)
        return self._known(record, found)

    def hold(self, record: SubmissionRecord, words: str) -> SubmissionRecord:
        """Keep an intent for which there is no room now."""
        held = replace(record, waits=words)
        if held != record:
            self.transport.write(str(self.folder.submission(record.number)), held.encode())
        return held

    def withdraw(self, record: SubmissionRecord) -> None:
        """Take an intent back that was surely not submitted."""
        self.transport.run(("rm", "-f", "--", str(self.folder.submission(record.number))))

    def find(self, record: SubmissionRecord, known: Collection[str]) -> SubmissionRecord | None:
        """Find what may have been submitted; `known` job ids are not it."""
        found = self._look_up(record, known)
        if not found:
            return None
        self.log.info("Found %s in the queue as job %s", record.name, ", ".join(found))
        return self._known(record, found)

    def _prepare(self, record: SubmissionRecord) -> ArrayRequest:
        """Write the files that the array reads."""
        elements, script = self.folder.elements(record.number), self.folder.script(record.number)
        text = self.plan.script.render(
            elements, self.scheduler.job_id_variable, self.scheduler.array_index_variable
        )
        lines = "".join(f"{element}\n" for element in record.elements)
        self.transport.write(str(elements), lines.encode())
        self.transport.write(str(script), text.encode())
        reply = self.transport.run(("mkdir", "-p", "--", str(self.folder.logs)))
        if not reply.ok:
            raise TransportError(f"making the log folder: {reply.words}")
        return ArrayRequest(
            name=record.name,
            script=script,
            log_folder=self.folder.logs,
            elements=len(record.elements),
            resources=record.resources,
        )

    def _known(self, record: SubmissionRecord, job_ids: Sequence[str]) -> SubmissionRecord:
        known = replace(record, job_ids=tuple(job_ids), waits="")
        self.transport.write(str(self.folder.submission(record.number)), known.encode())
        return known

    def _live(self, name: str) -> list[str]:
        names = self.scheduler.parse_names(self.transport.run(self.scheduler.names_command()))
        return [job_id for job_id, found in names.items() if found == name]

    def _look_up(self, record: SubmissionRecord, known: Collection[str]) -> list[str]:
        """Job ids of that name, asked again until the scheduler has surely had time."""
        name, patience_s = record.name, self.plan.grace_s
        until = self.clock() + patience_s
        self.log.info("%s may have been submitted; looking for up to %g s", name, patience_s)
        while True:
            age_s = self.clock() - record.submitted
            reply = self.transport.run(self.scheduler.find_command(name, age_s))
            found = self.scheduler.parse_find(reply, name) or self._unknown_owners(known)
            if found or self.clock() >= until:
                return found
            self.sleep(min(LOOK_AGAIN_S, max(0.0, until - self.clock())))

    def _unknown_owners(self, known: Collection[str]) -> list[str]:
        owners = parsed(parse_owners, self.transport.run(owners_command(self.folder.root)))
        unknown = owners - set(known) - {BY_HAND}
        return sorted(self.scheduler.require_id(owner, owner) for owner in unknown)
