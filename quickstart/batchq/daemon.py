"""Starts pending elements while slots are free, and notices runners that vanished.

All it remembers lies in the store, so it may be killed at any moment: runners live on in
sessions of their own, and the next daemon counts them again.
"""

import fcntl
import logging
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

from quickstart.batchq.store import Job, QueuedElement, State, Store
from quickstart.processes import Process, stop_session

log = logging.getLogger(__name__)

POLL_S = 0.2


@dataclass
class Daemon:
    """Serves one store with so many slots; one slot is one cpu."""

    store: Store
    slots: int
    _runners: dict[tuple[str, int], subprocess.Popen[bytes]] = field(default_factory=dict)

    def serve(self) -> None:
        """Work until killed; raises BlockingIOError if the store has a daemon already."""
        with self._lock():
            self.store.offer(self.slots)
            log.info("serving %s with %d slots", self.store.root, self.slots)
            while True:
                self.step()
                time.sleep(POLL_S)

    def step(self) -> None:
        """Look at every live job once, oldest first; strictly first in, first out."""
        free, pending = self.slots, list[tuple[Job, QueuedElement]]()
        jobs = self.store.live_jobs()
        self._reap_others({job.id for job in jobs})
        for job in jobs:
            waiting, used = self._look_at(job)
            free -= used
            pending += [(job, element) for element in waiting]
        for job, element in pending:
            if job.request.cpus > free:
                break
            self._start(job, element)
            free -= job.request.cpus

    def _look_at(self, job: Job) -> tuple[list[QueuedElement], int]:
        """Return the elements that wait for a slot, and the slots that the others use."""
        waiting, running = list[QueuedElement](), 0
        for element in job.elements:
            if element.ended_file.exists():
                self._reap(job, element)
            elif runner := element.runner():
                running += self._is_running(job, element, runner)
            elif job.cancelled:
                element.end(State.CANCELLED)
            elif self._is_starting(job, element):
                running += 1
            else:
                waiting.append(element)
        if not waiting and not running and all(e.ended_file.exists() for e in job.elements):
            log.info("job %s (%s) has ended", job.id, job.request.name)
            self.store.finish(job)
        return waiting, running * job.request.cpus

    def _is_running(self, job: Job, element: QueuedElement, runner: Process) -> bool:
        if runner.alive:
            return True
        self._reap(job, element)
        if not element.ended_file.exists():  # it may have written that just before it left
            log.warning("element %s_%d vanished", job.id, element.index)
            stop_session(runner, patience_s=0.0)
            element.end(State.NODE_FAIL)
        return False

    def _is_starting(self, job: Job, element: QueuedElement) -> bool:
        """Whether this daemon's runner has yet to claim the element."""
        runner = self._runners.get((job.id, element.index))
        if runner is None or runner.poll() is None:
            return runner is not None
        self._reap(job, element)
        if element.started_file.exists():
            return True  # claimed and gone between two looks; the next look judges it
        log.error("runner of %s_%d ended before it began", job.id, element.index)
        element.end(State.NODE_FAIL)
        return False

    def _start(self, job: Job, element: QueuedElement) -> None:
        log.info("starting %s_%d (%s)", job.id, element.index, job.request.name)
        arguments = [str(self.store.root), job.id, str(element.index)]
        # Should an earlier daemon have started a runner that has not claimed the element yet,
        # then one of the two claims it and the other leaves.
        self._runners[job.id, element.index] = subprocess.Popen(
            [sys.executable, "-m", "quickstart.batchq.runner", *arguments],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _reap(self, job: Job, element: QueuedElement) -> None:
        runner = self._runners.get((job.id, element.index))
        if runner is not None and runner.poll() is not None:
            del self._runners[job.id, element.index]

    def _reap_others(self, live: set[str]) -> None:
        """Runners that outlived their job's last look would stay zombies."""
        for key, runner in list(self._runners.items()):
            if key[0] not in live and runner.poll() is not None:
                del self._runners[key]

    def _lock(self) -> TextIO:
        file = (self.store.root / "daemon.lock").open("a+")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        return file
