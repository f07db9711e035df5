"""What the queue knows: files in one state folder, so that every process may come and go.

    <state>/
      queue.json                 what the daemon offers: {"slots": 2}
      counter, counter.lock      the last job number given
      live/<id>/                 jobs with elements that have not ended
        job.json, script         the request
        cancelled                somebody asked to cancel it
        <index>.started.json     the one runner of an element, made exclusively
        <index>.ended.json       how the element ended, made exclusively
      finished/<id>/             the same, moved here by the daemon once all elements have ended

A file is made whole under a temporary name, then linked or renamed into place. What is made
exclusively is decided once, whoever comes second gives way; so no element runs twice.
"""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from quickstart.processes import Process

RECENT_S = 3600.0


class State(StrEnum):
    """Where an element stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMEOUT = "TIMEOUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    NODE_FAIL = "NODE_FAIL"


class Refused(Exception):
    """A request that the queue can never serve; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody submitted; resources are those of one element."""

    name: str
    indices: tuple[int, ...]
    cpus: int
    memory_mib: int
    walltime_s: int
    log_dir: str
    work_dir: str


@dataclass(frozen=True, slots=True)
class QueuedElement:
    """One element of a job, as its files tell."""

    folder: Path
    index: int

    @property
    def started_file(self) -> Path:
        """Who runs it, since when."""
        return self.folder / f"{self.index}.started.json"

    @property
    def ended_file(self) -> Path:
        """How it ended."""
        return self.folder / f"{self.index}.ended.json"

    def start(self, runner: Process) -> bool:
        """Claim the element for one runner; False if another was first."""
        return _make_once(self.started_file, {**asdict(runner), "time": time.time()})

    def runner(self) -> Process | None:
        """Return the process that claimed the element, if one did."""
        started = _read(self.started_file)
        return Process(started["pid"], started["began"]) if started else None

    def end(self, state: State, exit_code: int | None = None) -> bool:
        """Record how it ended; False if that is recorded already."""
        ended = {"state": state, "exit_code": exit_code, "time": time.time()}
        return _make_once(self.ended_file, ended)

    def report(self) -> dict[str, Any]:
        """Return what `batchq status --json` says of it."""
        started, ended = _read(self.started_file), _read(self.ended_file)
        state = State.RUNNING if started else State.PENDING
        return {
            "index": self.index,
            "state": ended["state"] if ended else state,
            "exit_code": ended["exit_code"] if ended else None,
            "started": started["time"] if started else None,
            "ended": ended["time"] if ended else None,
        }


@dataclass(frozen=True, slots=True)
class Job:
    """One submitted job."""

    folder: Path
    request: Request

    @property
    def id(self) -> str:
        """Its number, as text."""
        return self.folder.name

    @property
    def script(self) -> Path:
        """The script as it was when submitted."""
        return self.folder / "script"

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked to cancel it."""
        return (self.folder / "cancelled").exists()

    def cancel(self) -> None:
        """Ask to cancel it."""
        (self.folder / "cancelled").touch()

    def element(self, index: int) -> QueuedElement:
        """One of its elements."""
        return QueuedElement(self.folder, index)

    @property
    def elements(self) -> list[QueuedElement]:
        """All of its elements."""
        return [self.element(index) for index in self.request.indices]

    def report(self) -> dict[str, Any]:
        """Return what `batchq status --json` says of it."""
        elements = [element.report() for element in self.elements]
        return {"id": self.id, "name": self.request.name, "elements": elements}


class Store:
    """The state folder of one queue."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.live, self.finished = root / "live", root / "finished"
        for folder in (self.live, self.finished):
            folder.mkdir(parents=True, exist_ok=True)

    def offer(self, slots: int) -> None:
        """Say what the queue has, for `submit` to compare with."""
        _write(self.root / "queue.json", {"slots": slots})

    def submit(self, request: Request, script: bytes) -> str:
        """Queue a job on disk and return its number; raises Refused. Needs no daemon."""
        offered = _read(self.root / "queue.json")
        if offered and request.cpus > offered["slots"]:
            raise Refused(
                f"{request.cpus} cpus per element, but the queue has {offered['slots']}; ask for "
                "fewer"
            )
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.root))
        try:
            (draft / "script").write_bytes(script)
            (draft / "script").chmod(0o700)
            _write(draft / "job.json", asdict(request))
            number = self._next_number()
            draft.rename(self.live / number)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return number

    def job(self, number: str) -> Job | None:
        """Return one job, wherever it is."""
        for folder in (self.live, self.finished):
            if number.isdigit() and (job := _job(folder / number)):
                return job
        return None

    def live_jobs(self) -> list[Job]:
        """Jobs with elements that have not ended, oldest first."""
        return list(_jobs(self.live))

    def find(self, ids: Iterable[str] = (), names: Iterable[str] = ()) -> list[Job]:
        """Jobs of these numbers or names; with neither, the live and the recently ended ones."""
        wanted_ids, wanted_names = set(ids), set(names)
        everything = not wanted_ids and not wanted_names
        found: dict[str, Job] = {}
        # finished after live: a job that moves meanwhile is then seen at least once
        for folder in (self.live, self.finished):
            recent = everything and folder == self.finished
            for job in _jobs(folder, newer_than_s=RECENT_S if recent else None):
                if everything or job.id in wanted_ids or job.request.name in wanted_names:
                    found[job.id] = job
        return sorted(found.values(), key=lambda job: int(job.id))

    def finish(self, job: Job) -> None:
        """Move a job whose elements have all ended."""
        os.utime(job.folder)
        job.folder.rename(self.finished / job.id)

    def report(self, job: Job) -> dict[str, Any]:
        """Report a job that may be moved while it is read."""
        report = job.report()
        moved = self.finished / job.id
        if job.folder != moved and moved.exists():
            return Job(moved, job.request).report()
        return report

    def _next_number(self) -> str:
        with (self.root / "counter.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            counter = self.root / "counter"
            number = int(counter.read_text()) + 1 if counter.exists() else 1
            _write(counter, number)
        return str(number)


def _jobs(folder: Path, newer_than_s: float | None = None) -> Iterator[Job]:
    since = time.time() - newer_than_s if newer_than_s is not None else 0.0
    for entry in sorted(folder.iterdir(), key=lambda entry: int(entry.name)):
        with contextlib.suppress(FileNotFoundError):  # moved to `finished` meanwhile
            if entry.stat().st_mtime >= since and (job := _job(entry)):
                yield job


def _job(folder: Path) -> Job | None:
    document = _read(folder / "job.json")
    if document is None:
        return None
    return Job(folder, Request(**document | {"indices": tuple(document["indices"])}))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return document


def _write(path: Path, document: Any) -> None:
    draft = _draft(path, document)
    draft.replace(path)


def _make_once(path: Path, document: Any) -> bool:
    draft = _draft(path, document)
    try:
        os.link(draft, path)  # unlike a rename, fails if the name is taken
        return True
    except FileExistsError:
        return False
    finally:
        draft.unlink()


def _draft(path: Path, document: Any) -> Path:
    handle, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
    with os.fdopen(handle, "w") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)
