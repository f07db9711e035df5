"""The poller: one status command for all, and what only one needs stalls no other."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import PurePosixPath

from hpc_jobs.job_folder.folder import JobFolder
from operators.cluster.poller import Poller, Report, Watch
from operators.cluster.reply import Reply
from operators.cluster.schedulers.slurm import Slurm
from operators.cluster.transports.transport import AsyncTransport


class Login(AsyncTransport):
    """Answers as a login node whose accounting is down, and whose queue knows job 7 only."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    async def run(self, argv: Sequence[str], timeout_s: float = 60.0) -> Reply:
        self.asked.append(tuple(argv))
        if "squeue" in argv:
            return Reply(0, "<\n7|0|RUNNING|None|.\n\n>\n", "")
        if any("sacct" in word for word in argv):
            return Reply(1, "<\n\n>\n", "sacct: error: Problem talking to the database\n")
        folders = [word for word in argv if word.startswith("/ws/")]
        if "indices" in argv:
            return Reply(0, "@\n0\n" * len(folders) + ".\n", "")
        return Reply(0, "@\n" * len(folders) + ".\n", "")

    async def close(self) -> None:
        pass


def watch(job_id: str | None) -> Watch:
    return Watch(
        folder=JobFolder(PurePosixPath(f"/ws/{job_id}")),
        elements=1,
        job_ids=[(job_id,) if job_id else ()],
        submitted=time.time(),
        not_before_s=0.0,
    )


async def first_reports(login: Login, *job_ids: str | None) -> list[Report]:
    async def connect() -> AsyncTransport:
        return login

    poller = Poller(connect, Slurm(), interval_s=60.0, grace_s=60.0)

    async def first(job_id: str | None) -> Report:
        async with aclosing(poller.watch(watch(job_id))) as reports:
            return await anext(reports)

    return await asyncio.wait_for(asyncio.gather(*map(first, job_ids)), 30)


def test_an_accounting_that_is_down_stalls_only_those_who_need_it() -> None:
    login = Login()
    here, gone = asyncio.run(first_reports(login, "7", "8"))
    assert here.snapshot is not None and here.snapshot.running == 1
    assert gone.snapshot is None and "Problem talking to the database" in gone.trouble
    assert sum("squeue" in argv for argv in login.asked) == 1, "one status command for both"


def test_without_a_job_id_the_scheduler_is_not_asked_for_everything() -> None:
    """An array that waits for room has none yet."""
    login = Login()
    [report] = asyncio.run(first_reports(login, None))
    assert report.snapshot is not None and report.snapshot.held == 1
    assert not any("squeue" in argv for argv in login.asked)
