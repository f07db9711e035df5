"""One array element: argv and environment in, exactly one result manifest out.

By hand, `TASK_INDEX=3 python -m hpc_jobs.jobs.solve_shard RUN_DIR` just works. Under a scheduler
HPC_TOKEN names the job folder; then an element takes its lock before it works, and a duplicate
of a running or finished element exits at once, harmlessly.
"""

import argparse
import logging
import math
import os
import resource
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.errors import ConfigurationError, ContractError, HandedOver
from hpc_jobs.contract.facts import Facts
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.phases import phases_so_far
from hpc_jobs.contract.records import ElementResult, read_model
from hpc_jobs.job_folder.folder import ElementProgress, JobFolder
from hpc_jobs.job_folder.names import BY_HAND, SPOOL_FILE
from hpc_jobs.job_folder.writer import owns_lock, publish_progress, publish_result, take_lock

log = logging.getLogger(__name__)

STARTED_S = time.monotonic()
PROGRESS_INTERVAL_S = 1.0
HAND_OVER_S = 120.0
"""Time to write a checkpoint before the walltime ends, or a tenth of it if that is less."""
EX_TEMPFAIL = 75  # sysexits.h: not done, and no failure either; continue it
Outcome = Literal["done", "failed", "handed_over"]
EXIT_CODES: dict[Outcome, int] = {"done": 0, "failed": 1, "handed_over": EX_TEMPFAIL}


@dataclass
class Element:
    """What a job's work function sees of the world."""

    index: int
    run: RunFolder[Path]
    arguments: argparse.Namespace
    frozen: FrozenCampaign
    job_id: str = BY_HAND
    folder: JobFolder[Path] | None = None
    name: str = ""
    """of what it works on, for people; a job that knows one sets it"""
    _reported: float = field(default=0.0, repr=False)

    @property
    def campaign(self) -> Campaign:
        """The run's frozen campaign."""
        return self.frozen.campaign

    @property
    def spool(self) -> Path:
        """Folder for tracking spools: the job's, or the run's when run by hand."""
        return self.folder.spool if self.folder else self.run.root / "spool"

    def spool_file(self, name: str) -> Path:
        """Path of one spool."""
        return self.spool / f"{name}{SPOOL_FILE}"

    def deadline_s(self, walltime_s: float) -> float:
        """When to hand over, by the monotonic clock; by hand never."""
        if self.folder is None:
            return math.inf
        return STARTED_S + walltime_s - min(HAND_OVER_S, 0.1 * walltime_s)

    def progress(self, done: int, total: int, unit: str) -> None:
        """Say how far the work is; cheap enough to call after every record."""
        now = time.monotonic()
        if done < total and now - self._reported < PROGRESS_INTERVAL_S:
            return
        self._reported = now
        log.info("%d of %d %s", done, total, unit)
        if self.folder:
            told = ElementProgress(done, total, unit, self.name)
            publish_progress(self.folder, self.index, told)


Work = Callable[[Element], Facts | None]


def _kind(error: Exception) -> str:
    """Name an error as the control plane knows it: wrong configuration is not tried again."""
    mistaken = isinstance(error, ConfigurationError)
    return ConfigurationError.__name__ if mistaken else type(error).__name__


class Ranks(Protocol):
    """The processes that are one element together."""

    @property
    def leads(self) -> bool:
        """Whether this one takes the lock and publishes the result."""
        ...

    def any(self, flag: bool) -> bool:
        """Whether it is so on some rank; every rank learns the same answer."""
        ...


class _Alone:
    leads = True

    def any(self, flag: bool) -> bool:
        return flag


def main(
    work: Work,
    arguments: Callable[[argparse.ArgumentParser], None] | None = None,
    ranks: Ranks | None = None,
) -> None:
    """Run one element of a job; exits 0 if it is done, by this process or by another.

    `work` returns what the result manifest says of it; `arguments` adds the job's own options.
    Of several `ranks` all work, if the leader may, and the leader reports.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout
    )
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("run_dir", type=Path, help="the run folder in the workspace")
    if arguments:
        arguments(parser)
    parsed = parser.parse_args()
    try:
        element = _element(parsed)
    except ContractError as error:
        sys.exit(f"error: {error}")
    sys.exit(_run(element, work, ranks or _Alone()))


def _element(parsed: argparse.Namespace) -> Element:
    run = RunFolder(parsed.run_dir.resolve())
    token = os.environ.get("HPC_TOKEN")
    return Element(
        index=int(os.environ.get("TASK_INDEX", "0")),
        run=run,
        arguments=parsed,
        frozen=read_model(FrozenCampaign, run.campaign),
        job_id=os.environ.get("HPC_JOB_ID", BY_HAND),
        folder=run.job(token) if token else None,
    )


def _run(element: Element, work: Work, ranks: Ranks) -> int:
    if not ranks.any(ranks.leads and _may_work(element)):
        return 0
    if element.folder is None or not ranks.leads:
        try:
            work(element)
        except HandedOver as words:
            log.info("%s", words)
            # A launcher ends all ranks when one fails: the leader has a result to publish.
            return EX_TEMPFAIL if ranks.leads else 0
        return 0
    return _work_and_report(element, work)


def _may_work(element: Element) -> bool:
    """By hand always; under a scheduler if nobody did or does it already."""
    if element.folder is None:
        return True
    if element.folder.result(element.index).exists():
        log.info("element %d is already done", element.index)
        return False
    if take_lock(element.folder, element.index, element.job_id):
        return True
    log.info("element %d is being worked on by another job; nothing to do", element.index)
    return False


def _work_and_report(element: Element, work: Work) -> int:
    assert element.folder is not None
    started, wall, cpu = time.time(), time.monotonic(), _cpu_seconds()
    outcome: Outcome = "done"
    message, facts = "", dict[str, Any]()
    try:
        answer = work(element)
        facts = answer.model_dump(mode="json") if answer else {}
    except HandedOver as words:
        log.info("element %d asks to be continued: %s", element.index, words)
        outcome, message = "handed_over", str(words)[:2000]
    except Exception as error:
        traceback.print_exc(file=sys.stdout)
        outcome, message = "failed", f"{_kind(error)}: {error}"[:2000]
    if not owns_lock(element.folder, element.index, element.job_id):
        log.error("element %d was given to another job meanwhile; leaving", element.index)
        return EX_TEMPFAIL
    result = ElementResult(
        element=element.index,
        outcome=outcome,
        job_id=element.job_id,
        host=socket.gethostname(),
        started=started,
        wall_s=round(time.monotonic() - wall, 3),
        cpu_s=round(_cpu_seconds() - cpu, 3),
        message=message,
        phases=phases_so_far(),
        peak_mib=_peak_mib(),
        facts=facts,
    )
    publish_result(element.folder, element.index, outcome, result.model_dump_json(indent=1))
    return EXIT_CODES[outcome]


def _peak_mib() -> float:
    """Largest resident memory of this process, or of a child where that was more."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return round(max(resource.getrusage(one).ru_maxrss for one in who) / 1024, 1)


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
