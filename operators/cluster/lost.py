"""Elements that were lost sight of: cancelled before another try, waited for while they may live.

What is judged lost may run all the same: a filter in the login's environment, a hidden partition or
an accounting that is asleep may hide it. A second try beside it would solve its element twice.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from hpc_jobs.job_folder.folder import JobFolder
from hpc_jobs.job_folder.lock_probes import lock_ages_command, parse_lock_ages
from operators.cluster.job import ElementState, Queue, compress
from operators.cluster.reply import parsed
from operators.cluster.schedulers.scheduler import Scheduler
from operators.cluster.submission import LOOK_AGAIN_S, SubmissionRecord

if TYPE_CHECKING:
    from operators.cluster.transports.transport import Transport

ARGUMENTS_PER_COMMAND = 500  # far below any system's limit on a command's length


@dataclass(frozen=True, slots=True, kw_only=True)
class LostElements:
    """Ends what may live on unseen; blocking, on one transport."""

    transport: "Transport"
    scheduler: Scheduler
    folder: JobFolder[PurePosixPath]
    grace_s: float
    log: Any
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time

    def end(self, lost: Sequence[int], records: Sequence[SubmissionRecord], queue: Queue) -> None:
        """Cancel elements that were lost sight of, and wait as long as they may live.

        Where the scheduler tells how one ended, it has. One that it does not tell of is cancelled
        by its id, which no filter of a login's environment hides; while its lock is younger than
        its walltime, it has the grace period to end in.
        Raises TransportError where the scheduler does not hear: then they may live.
        """
        unsure: set[int] = set()
        for record in records:
            for job_id in record.job_ids:
                indices = _unsure(record, queue.get(job_id, {}), lost)
                unsure |= {record.elements[index] for index in indices}
                for chunk in chunks(indices, ARGUMENTS_PER_COMMAND):
                    command = self.scheduler.cancel_elements_command(job_id, chunk)
                    self.scheduler.parse_cancel(self.transport.run(command))
        if unsure:
            self.log.info("Cancelled %d elements that were lost sight of", len(unsure))
            self._outwait(sorted(unsure), records)

    def _outwait(self, elements: Sequence[int], records: Sequence[SubmissionRecord]) -> None:
        """Wait while a lock may have a living owner, up to the grace period."""
        until = self.clock() + self.grace_s
        longest_s = {
            element: record.resources.walltime_s + self.grace_s
            for record in records
            for element in record.elements
        }
        while True:
            ages: dict[int, float] = {}
            for chunk in chunks(elements, ARGUMENTS_PER_COMMAND):
                reply = self.transport.run(lock_ages_command(self.folder.root, chunk))
                ages |= parsed(parse_lock_ages, reply)
            living = [element for element, age_s in ages.items() if age_s < longest_s[element]]
            rest_s = until - self.clock()
            if not living or rest_s <= 0:
                return
            self.log.info("Elements %s hold locks of cancelled jobs; waiting", compress(living))
            self.sleep(min(LOOK_AGAIN_S, rest_s))


def _unsure(
    record: SubmissionRecord, told: Mapping[int, ElementState], lost: Sequence[int]
) -> list[int]:
    """Array indices of lost elements of which the scheduler does not say that they have ended."""
    missing = set(lost)
    return [
        index
        for index, element in enumerate(record.elements)
        if element in missing and (index not in told or told[index].is_live)
    ]


def chunks(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    """Cut a sequence into pieces of at most that size."""
    return (items[start : start + size] for start in range(0, len(items), size))
