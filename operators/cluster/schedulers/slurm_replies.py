"""What Slurm's commands print: folded array indices, states, reasons to wait."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from operators.cluster.job import ElementState, expand
from operators.cluster.schedulers.scheduler import log
from operators.cluster.usage import Consumed, seconds

IN_TURN = {
    *("None", "Priority", "Resources", "Dependency", "BeginTime", "JobArrayTaskLimit"),
    *("Prolog", "Cleaning", "NodesNotAvail", "BurstBufferResources", "BurstBufferStageIn"),
}
"""Reasons that pass by themselves; squeue's manual lists them all."""

REMEDIES: Mapping[str, str] = {
    "PartitionTimeLimit": "the walltime is longer than the partition allows; ask for less",
    "PartitionNodeLimit": "the partition has too few nodes for the request",
    "PartitionConfig": "no node of the partition can ever give what is asked for",
    "PartitionDown": "the partition is down; wait for the site, or name another one",
    "PartitionInactive": "the partition takes no jobs now; wait for the site, or name another one",
    "ReqNodeNotAvail": "nodes are reserved or out of service, perhaps for a maintenance",
    "BadConstraints": "no node can ever give what is asked for",
    "DependencyNeverSatisfied": "the job that it depends on failed; it will never start",
    "JobHeldUser": "the job is held; `scontrol release` lets it go",
    "JobHeldAdmin": "the site holds the job; ask its administrators",
    "JobLaunchFailure": "the job could not be launched; ask the site's administrators",
    "InvalidAccount": "the account is not valid; mend `account` in the cluster's file",
    "InvalidQOS": "the quality of service is not valid",
    "AccountNotAllowed": "the account may not use this partition",
    "QOSNotAllowed": "the quality of service may not be used in this partition",
    "ReservationDeleted": "the reservation that it asks for was deleted",
    "Reservation": "the reservation that it asks for has not begun",
    "Licenses": "a licence is not free",
    "NodeDown": "a node that it needs is down",
}

LIMITS = {"Assoc": "account", "QOS": "quality of service"}
"""Beginnings of reasons such as AssocGrpCPUMinutesLimit, and whose limit they speak of."""

WORD = re.compile(r"[^,\s(]+")


def queue_of(
    entries: Iterable[tuple[str, str, str]], translate: Callable[[str], ElementState]
) -> dict[str, dict[int, ElementState]]:
    """Collect (job id, indices, native state); each native state is translated once."""
    queue: dict[str, dict[int, ElementState]] = {}
    known: dict[str, ElementState] = {}
    for job_id, indices, native in entries:
        elements = queue.get(job_id)
        if elements is None:
            elements = queue[job_id] = {}
        state = known.get(native)
        if state is None:
            state = known[native] = translate(native)
        if indices.isdecimal():
            elements[int(indices)] = state
        else:
            elements.update(dict.fromkeys(_indices(job_id, indices), state))
    return queue


def fields(text: str, count: int) -> Iterator[list[str]]:
    """Lines of so many fields; a line of another shape is said and left out."""
    for line in text.splitlines():
        found = line.split("|")
        if len(found) == count:
            yield found
        elif line.strip():
            left_out(line)


def left_out(line: str) -> None:
    """Say that a line means nothing here."""
    log.warning("Slurm answered '%s'; not understood, left out", line[:200])


def plain_reason(native: str) -> str:
    """Say in plain words why a job waits; empty where it is only a matter of time.

    squeue adds details to some: "ReqNodeNotAvail, UnavailableNodes:a1".
    """
    word = WORD.match(native)
    code = word[0] if word else native
    if code in IN_TURN:
        return ""
    for beginning, whose in LIMITS.items():
        if code.startswith(beginning) and code not in REMEDIES:
            return f"a limit of your {whose} is reached ({native})"
    return f"{REMEDIES.get(code, 'Slurm gives a reason unknown here')} ({native})"


def _indices(job_id: str, text: str) -> list[int]:
    """Read indices: "3-9%2", "[1,5-7]", "0-198:2%2" or "N/A", a job that is no array."""
    if text == "N/A":
        return [0]
    try:
        return expand(text.strip("[]").partition("%")[0])
    except ValueError:
        left_out(f"{job_id}_{text}")
        return []


def consumed(text: str) -> list[Consumed]:
    """Read lines "123_4|submit|start|elapsed|cpu time|granted" of tries that have begun.

    Steps, "123_4.batch", are left out: their job's line has their sums.
    """
    tries = []
    for line in text.splitlines():
        identity, submit, start, elapsed, cpu, granted = (line.split("|") + [""] * 6)[:6]
        if "." in identity or not (submit.isdigit() and start.isdigit() and granted):
            continue
        resources = _granted(granted)
        typed = [count for key, count in resources.items() if key.startswith("gres/gpu:")]
        tries.append(
            Consumed(
                queue_wait_s=float(int(start) - int(submit)),
                run_s=float(elapsed),
                cores=resources.get("cpu", 0),
                gpus=resources.get("gres/gpu", sum(typed)),
                cpu_s=seconds(cpu),
            )
        )
    return tries


def _granted(text: str) -> dict[str, int]:
    """Read "billing=2,cpu=2,mem=100M,gres/gpu=1"; what is no plain number is left out."""
    pairs = (item.partition("=") for item in text.split(","))
    return {key: int(value) for key, _, value in pairs if value.isdigit()}
