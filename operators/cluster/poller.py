"""One connection and one status command per interval, for all array jobs on a cluster.

Runs on the triggerer's event loop. A lost login node, refused credentials or a silent scheduler
never end a job: they are said, waited out with growing pauses, and the ledgers are told that the
time does not count.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from hpc_jobs.job_folder.folder import JobFolder
from hpc_jobs.job_folder.probes import indices_command, parse_indices, parse_scan, scan_command
from operators.cluster.errors import ClusterError, NeedsLogin, TransportError
from operators.cluster.job import Queue, Status, Submission
from operators.cluster.ledger import Ledger, Snapshot
from operators.cluster.reply import Reply, parsed
from operators.cluster.schedulers.scheduler import Scheduler

if TYPE_CHECKING:
    from operators.cluster.transports.transport import AsyncTransport

log = logging.getLogger(__name__)

LONGEST_PAUSE_S = 300.0
JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Report:
    """What one poll has to say to one watcher: a snapshot, or why there is none."""

    snapshot: Snapshot | None
    trouble: str = ""


@dataclass(eq=False)
class Watch:
    """One array job that is waited for."""

    folder: JobFolder[PurePosixPath]
    elements: int
    job_ids: Sequence[tuple[str, ...]]
    """of each submission"""
    submitted: float
    """Unix time of the first submission: the accounting is asked no further back"""
    not_before_s: float
    """monotonic; the first poll waits, lest a trigger fire before its task is known to wait"""
    reports: asyncio.Queue[Report] = field(default_factory=asyncio.Queue)
    ledger: Ledger | None = None


class Poller:
    """Polls while anybody watches; then lets the connection go."""

    def __init__(
        self,
        connect: Callable[[], Awaitable["AsyncTransport"]],
        scheduler: Scheduler,
        interval_s: float,
        grace_s: float,
    ) -> None:
        self.connect = connect
        self.scheduler = scheduler
        self.interval_s = interval_s
        self.grace_s = grace_s
        self.polls = 0
        self._watches: list[Watch] = []
        self._users = 0
        self._asked_s = 0.0
        self._transport: AsyncTransport | None = None
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def watch(self, watch: Watch) -> AsyncGenerator[Report]:
        """Yield a report after every poll, until the watcher leaves."""
        async with self._using():
            self._watches.append(watch)
            try:
                if self._task is None or self._task.done():
                    self._task = asyncio.create_task(self._loop())
                while True:
                    yield await watch.reports.get()
            finally:
                self._watches.remove(watch)

    async def run(self, argv: Sequence[str], timeout_s: float = 60.0) -> Reply:
        """Run one command on the shared connection."""
        async with self._using():
            return await self._run(argv, timeout_s)

    @contextlib.asynccontextmanager
    async def _using(self) -> AsyncIterator[None]:
        """Count users; the last one to leave closes the connection."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                task, self._task = self._task, None
                if task is not None:
                    task.cancel()
                await self._disconnect()

    async def _run(self, argv: Sequence[str], timeout_s: float = 60.0) -> Reply:
        async with self._lock:  # one connection is made, however many ask at once
            transport = self._transport
            if transport is None:
                transport = self._transport = await self.connect()
        try:
            return await transport.run(argv, timeout_s)
        except NeedsLogin:  # the Connection may come back as another kind of connection
            await self._disconnect()
            raise

    async def _disconnect(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    async def _loop(self) -> None:
        failures = 0
        while self._watches:
            due = [watch for watch in self._watches if watch.not_before_s <= time.monotonic()]
            if not due:
                await asyncio.sleep(self._until_due_s())
                continue
            self._asked_s = time.monotonic()
            try:
                await self._poll(due)
                failures = 0
            except ClusterError as error:
                failures += 1
                self._say(due, error)
            except Exception as error:  # a watcher must never wait for a loop that is gone
                log.exception("polling failed")
                failures += 1
                self._say(due, TransportError(f"polling failed: {error!r}"))
            await asyncio.sleep(self._pause_s(failures) - (time.monotonic() - self._asked_s))

    def _until_due_s(self) -> float:
        soonest = min(watch.not_before_s for watch in self._watches)
        return max(0.05, min(self.interval_s, soonest - time.monotonic()))

    def _pause_s(self, failures: int) -> float:
        """From one question to the next: whoever comes in between waits for the next."""
        longest = max(LONGEST_PAUSE_S, self.interval_s)
        interval = min(self.interval_s * 2.0 ** min(failures, 20), longest)
        return interval * (1 + JITTER * random.random())

    async def _poll(self, due: Sequence[Watch]) -> None:
        due = await self._prepare(due)
        ids = sorted({i for w in due for submission in w.job_ids for i in submission})
        self._asked_s = time.monotonic()
        status = Status({})
        if ids:
            reply = await self._run(self.scheduler.status_command(ids))
            status = self.scheduler.parse_status(reply, ids)
        reply = await self._run(scan_command([watch.folder.root for watch in due]))
        scans = parsed(parse_scan, reply, len(due))
        ledgers = [watch.ledger for watch in due if watch.ledger is not None]
        unseen = [ledger.unseen(status, scan) for ledger, scan in zip(ledgers, scans, strict=True)]
        asking = [watch for watch, ids in zip(due, unseen, strict=True) if ids]
        history, trouble = await self._history(sorted({i for ids in unseen for i in ids}), asking)
        if history:  # results must be younger than what the scheduler says
            reply = await self._run(scan_command([watch.folder.root for watch in due]))
            scans = parsed(parse_scan, reply, len(due))
        status, now = replace(status, hearsay=history), time.monotonic()
        for watch, ledger, scan in zip(due, ledgers, scans, strict=True):
            if trouble and watch in asking:
                self._say([watch], trouble)
            else:
                watch.reports.put_nowait(Report(ledger.update(status, scan, now)))
        self.polls += 1

    async def _history(
        self, job_ids: Sequence[str], asking: Sequence[Watch]
    ) -> tuple[Queue, TransportError | None]:
        """Ask the accounting; where it does not answer, only those who need it have to wait."""
        age_s = time.time() - min((watch.submitted for watch in asking), default=0.0)
        command = self.scheduler.history_command(job_ids, age_s) if job_ids else None
        if command is None:
            return {}, None
        try:
            return self.scheduler.parse_history(await self._run(command)), None
        except NeedsLogin:
            raise
        except TransportError as error:
            return {}, error

    async def _prepare(self, due: Sequence[Watch]) -> list[Watch]:
        """Read the index files of new watches, once; a watch without them is left out, and told."""
        new = [watch for watch in due if watch.ledger is None]
        files = [watch.folder.elements(n) for watch in new for n in range(len(watch.job_ids))]
        if files:
            reply = await self._run(indices_command(files))
            contents = iter(parsed(parse_indices, reply, len(files)))
            for watch in new:
                found = [next(contents) for _ in watch.job_ids]
                if None not in found:
                    watch.ledger = self._ledger(watch, [each or () for each in found])
        lost = [watch for watch in new if watch.ledger is None]
        for watch in lost:
            folder = watch.folder.elements(0).parent
            self._say([watch], TransportError(f"{folder} cannot be read; has its lease ended?"))
        return [watch for watch in due if watch not in lost]

    def _ledger(self, watch: Watch, indices: Sequence[tuple[int, ...]]) -> Ledger:
        pairs = zip(watch.job_ids, indices, strict=True)
        submissions = [Submission(n, ids, elements) for n, (ids, elements) in enumerate(pairs)]
        return Ledger(watch.elements, submissions, self.grace_s)

    def _say(self, due: Sequence[Watch], error: ClusterError) -> None:
        prefix = "needs login: " if isinstance(error, NeedsLogin) else ""
        for watch in due:
            if watch.ledger is not None:
                watch.ledger.interrupted()
            watch.reports.put_nowait(Report(None, f"{prefix}{error}"))
