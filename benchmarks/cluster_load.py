"""What waiting costs a cluster: 200 array jobs watched by one poller, or each by itself.

    python -m benchmarks.cluster_load [--jobs N] [--json FILE]

The first part needs root and a Slurm (tests/install.sh clusters): real jobs are held in a real
queue behind a real sshd, polled every 2 s; once as it is, once with no more than 2 sessions a
connection, as strict sites have it. Beside the poller, each job is asked for as a system
without one does it: a connection and a squeue of its own, all once in an interval. Connections are
counted by sshd, commands where they are sent; CPU seconds are those of everything that sshd
started. Latency is from the file of the last result to the poller's word that all is settled.

The second part measures the control host alone: 100,000 elements understood and judged, and how
large what Airflow keeps becomes. Prints a table and writes JSON.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import shlex
import sys
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from benchmarks.waiting.control_host import ELEMENTS, kept_by_airflow, on_the_control_host
from hpc_jobs.job_folder.folder import JobFolder
from operators.cluster.poller import Poller, Watch
from operators.cluster.reply import Reply
from operators.cluster.schedulers.slurm import Slurm
from operators.cluster.transports.login import Login
from operators.cluster.transports.ssh import AsyncSshTransport
from tests.clusters import services
from tests.clusters.hpc_site import Site
from tests.clusters.login import LoginNode
from tests.clusters.processes import descendants
from tests.clusters.slurm import SlurmCluster

INTERVAL_S = 2.0
POLLS = 5
AT_ONCE = 8  # sshd drops connections beyond MaxStartups, 10 by default
LATENCIES = 20
GOALS = {
    "connections": 1,
    "status commands per interval": 1.0,
    "latency, s beyond an interval": 5.0,
    "100,000 elements understood, s": 0.5,
    "100,000 elements judged, MiB": 200.0,
}
FEW = 2
"""Sessions a connection where sites are strict."""
FEW_GOALS = ("connections", "status commands per interval")


class Counted(AsyncSshTransport):
    """Counts what is sent."""

    sent: Counter[str] = Counter()
    asked: list[float] = []
    """monotonic times of the status commands"""

    async def run(self, argv: Sequence[str], timeout_s: float = 60.0) -> Reply:
        """Run a command."""
        Counted.sent["commands"] += 1
        if "squeue" in argv:
            Counted.asked.append(time.monotonic())
        return await super().run(argv, timeout_s)


async def connect(login: LoginNode) -> AsyncSshTransport:
    """Log in once."""
    Counted.sent["connections"] += 1
    account = Login(
        host=login.host,
        port=login.port,
        user=login.user,
        host_key=login.host_key,
        key_file=str(login.key_file),
    )
    return await Counted.connect(account)


def hold(cluster: SlurmCluster, folders: Sequence[JobFolder[Path]]) -> list[str]:
    """Queue an array of five for each folder; none of them starts."""
    for folder in folders:
        folder.results.mkdir(parents=True)
        folder.elements(0).write_text("".join(f"{element}\n" for element in range(5)))
    submit = "sbatch --parsable --hold --array=0-4 --output=/dev/null --wrap=true"
    done = cluster.login.run(f"for i in $(seq {len(folders)}); do {submit}; done", timeout_s=600)
    ids = done.stdout.split()
    if len(ids) != len(folders):
        raise RuntimeError(f"{len(ids)} of {len(folders)} jobs were queued: {done.stderr[-500:]}")
    return ids


async def together(
    login: LoginNode,
    folders: Sequence[JobFolder[Path]],
    ids: list[str],
    latencies: int = LATENCIES,
) -> Any:
    """Watch all jobs by one poller for some intervals, then let `latencies` of them end."""
    Counted.sent.clear()
    Counted.asked.clear()
    poller = Poller(lambda: connect(login), Slurm(), INTERVAL_S, grace_s=60)
    settled: dict[int, float] = {}

    async def follow(number: int) -> None:
        watch = Watch(
            folder=JobFolder(PurePosixPath(folders[number].root)),
            elements=5,
            job_ids=[(ids[number],)],
            submitted=time.time(),
            not_before_s=0.0,
        )
        async for report in poller.watch(watch):
            if report.snapshot is None:
                raise RuntimeError(report.trouble)
            if report.snapshot.settled:
                settled[number] = time.time()
                return

    before = cpu_seconds(login)
    tasks = [asyncio.create_task(follow(number)) for number in range(len(folders))]
    started = time.monotonic()
    while poller.polls < POLLS:
        await asyncio.sleep(0.05)
        for task in tasks:
            if task.done():
                task.result()
    await asyncio.sleep(INTERVAL_S / 2)  # nothing is under way
    intervals = max(1.0, (time.monotonic() - started) / INTERVAL_S)
    gaps = [later - sooner for sooner, later in pairwise(Counted.asked)]
    found: dict[str, Any] = {
        "connections": Counted.sent["connections"],
        "sshd connections": served(login),
        "polls": poller.polls,
        "status commands per interval": INTERVAL_S / min(gaps),
        "commands per interval": Counted.sent["commands"] / intervals,
        "cpu s per interval": (cpu_seconds(login) - before) / intervals,
    }
    ended = random.Random(7).sample(range(len(folders)), min(latencies, len(folders)))
    published = {}
    for number in ended:
        await asyncio.sleep(0.3)
        for element in range(5):
            folders[number].result(element).write_text("{}")
        published[number] = time.time()
    async with asyncio.timeout(60):
        await asyncio.gather(*(tasks[number] for number in ended))
    if delays := [settled[number] - published[number] for number in ended]:
        found |= {"latency s, longest": max(delays), "latency s, mean": sum(delays) / len(delays)}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def apart(login: LoginNode, ids: Sequence[str]) -> dict[str, Any]:
    """Ask for each job by a connection and a command of its own, once."""
    Counted.sent.clear()
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(job_id: str) -> None:
        async with gate:
            transport = await connect(login)
            await transport.run(("squeue", "--noheader", f"--jobs={job_id}"))
            await transport.close()

    before = cpu_seconds(login)
    await asyncio.gather(*(ask(job_id) for job_id in ids))
    return {
        "connections": Counted.sent["connections"],
        "status commands per interval": Counted.sent["commands"],
        "commands per interval": Counted.sent["commands"],
        "cpu s per interval": cpu_seconds(login) - before,
    }


def served(login: LoginNode) -> int:
    """Count connections as sshd does: one child of the listening process each."""
    children = Path(f"/proc/{login.daemon.pid}/task/{login.daemon.pid}/children")
    return len(children.read_text().split())


def cpu_seconds(login: LoginNode) -> float:
    """CPU time of sshd and of all that it has started, ended children included."""
    ticks = 0
    for pid in (login.daemon.pid, *descendants(login.daemon.pid)):
        with contextlib.suppress(OSError):  # it has ended meanwhile, and its parent has its time
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def on_a_cluster(jobs: int) -> dict[str, Any]:
    """Both ways, on the same jobs."""
    with Site() as site:
        folders = [JobFolder(site.shared / "jobs" / f"job {number}") for number in range(jobs)]
        ids = hold(site.alpha, folders)
        login = site.alpha.login
        with login.max_sessions(FEW):
            few = asyncio.run(together(login, folders, ids, latencies=0))
        found = {
            "one poller": asyncio.run(together(login, folders, ids)),
            f"MaxSessions {FEW}": few,
            "one query per job": asyncio.run(apart(login, ids)),
        }
        site.alpha.login.run(f"scancel --quiet {shlex.join(ids)}")
        return found


def report(found: dict[str, Any]) -> str:
    """Lay the figures out as tables, and say which goals are met."""
    lines = []
    measured = dict(found["control host"])
    if "cluster" in found:
        one, few, each = found["cluster"].values()
        lines.append(
            f"{found['jobs']} waiting array jobs"
            + " " * 12
            + "".join(f"{name:>20}" for name in found["cluster"])
        )
        for key in each:
            lines.append(f"{key:34}{one[key]:>20.6g}{few[key]:>20.6g}{each[key]:>20.6g}")
        lines.append(
            f"{'latency s, mean and longest':34}{one['latency s, mean']:>12.2f}"
            f"{one['latency s, longest']:>8.2f}"
        )
        measured |= one
        measured |= {f"{name}, MaxSessions {FEW}": few[name] for name in FEW_GOALS}
        measured["latency, s beyond an interval"] = one["latency s, longest"] - INTERVAL_S
    lines += [f"{name:34}{value:>20.3f}" for name, value in found["control host"].items()]
    few, many = found["bytes kept by Airflow"].values()
    lines += [f"{name + ', bytes':34}{few[name]:>20}{many[name]:>20}" for name in few]
    goals = GOALS | {f"{name}, MaxSessions {FEW}": GOALS[name] for name in FEW_GOALS}
    for name, goal in goals.items():
        if name in measured:
            verdict = "met" if measured[name] <= goal else "MISSED"
            lines.append(f"goal {name}: {measured[name]:.3g} of {goal:g}: {verdict}")
    same = all(many[name] <= few[name] + 300 for name in few)
    lines.append(f"goal sizes independent of the elements: {'met' if same else 'MISSED'}")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=200, help="array jobs that wait")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/cluster_load.json"))
    options = parser.parse_args()
    found: dict[str, Any] = {"jobs": options.jobs, "control host": on_the_control_host()}
    found["bytes kept by Airflow"] = {str(n): kept_by_airflow(n) for n in (100, ELEMENTS)}
    try:
        services.require()
    except OSError as error:
        sys.stderr.write(f"without a cluster: {error}\n")
    else:
        found["cluster"] = on_a_cluster(options.jobs)
    sys.stdout.write(report(found) + "\n")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
