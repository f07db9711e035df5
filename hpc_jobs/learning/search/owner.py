"""Who works on a trial, and whether they still can: the truth lies in the job folder.

An element of an array job holds its lock while it works and publishes a result at its end; a lock
that has another owner, or was set aside, says that the scheduler gave the element to another try.
Beyond that a process of the same node can be looked up, and no element outlives its walltime.
"""

import os
import socket
import time
from pathlib import Path

from hpc_jobs.contract.errors import ContractError
from hpc_jobs.contract.frozen import Frozen
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import ElementResult, read_model
from hpc_jobs.job_folder.folder import JobFolder, lock_owner

VISIBLE_S = 120.0  # a lock is seen from every node after so long
LATE_S = 300.0  # clocks of nodes differ, and a scheduler kills with some delay


class NodeProcess(Frozen):
    """One process of one machine; a number that is used again is another process."""

    host: str
    namespace: str
    pid: int
    started: int

    @classmethod
    def current(cls) -> "NodeProcess":
        """Describe this process."""
        pid = os.getpid()
        return cls(
            host=socket.gethostname(),
            namespace=_namespace(),
            pid=pid,
            started=_started(pid) or 0,
        )

    @property
    def is_gone(self) -> bool:
        """Whether it surely ended: seen from its own machine only."""
        here = self.host == socket.gethostname() and self.namespace == _namespace()
        return here and _started(self.pid) != self.started


class Owner(Frozen):
    """The worker of a trial."""

    token: str | None  # of the array job; by hand there is none
    element: int
    job_id: str
    process: NodeProcess
    begun: float  # Unix time by the node's clock, s
    ends: float | None = None  # the same, of the walltime's end

    def is_same_element(self, other: "Owner") -> bool:
        """Whether the two are tries of one array element."""
        return self.token is not None and (self.token, self.element) == (other.token, other.element)

    def end(self, run: RunFolder[Path]) -> str:
        """Say why the worker is surely gone; empty while it may be at work."""
        if self.process.is_gone:
            return f"process {self.process.pid} on {self.process.host} is gone"
        if self.ends is not None and time.time() > self.ends + LATE_S:
            return f"the walltime of job {self.job_id} is over"
        return self._end_of_element(run.job(self.token)) if self.token else ""

    def _end_of_element(self, folder: JobFolder[Path]) -> str:
        try:
            result = read_model(ElementResult, folder.result(self.element))
            if result.job_id == self.job_id:
                return f"job {self.job_id} has ended: {result.outcome}"
        except ContractError:
            pass
        holder = lock_owner(folder, self.element)
        if holder is None:
            waited = time.time() - self.begun > VISIBLE_S
            return f"job {self.job_id} was given up" if waited else ""
        if holder.job_id == self.job_id:
            return ""
        return f"job {holder.job_id} took over from {self.job_id}"


def _namespace() -> str:
    """Process numbers mean something within it only: containers on a node have their own."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _started(pid: int) -> int | None:
    """Start of a process in clock ticks after boot; None if it is gone, or a zombie."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    state, started = after_name[0], int(after_name[19])
    return None if state in "ZX" else started
