"""What Slurm's commands print: folded array indices, states, reasons to wait."""

import logging
import re
from collections.abc import Callable, Iterable, Mapping

from operators.cluster.job import ElementState, expand
from operators.cluster.reply import polluted
from operators.cluster.schedulers.scheduler import Notice
from operators.cluster.usage import Consumed, seconds

log = logging.getLogger(__name__)

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

LONG = re.compile(r"[0-9]{8}")
NUMBER = re.compile(r"[0-9]{1,18}")
WORD = re.compile(r"[^,\s(]+")


def queue_of(
    entries: Iterable[tuple[str, str, str]], translate: Callable[[str], ElementState]
) -> tuple[dict[str, dict[int, ElementState]], frozenset[str]]:
    """Collect (job id, indices, native state), and jobs whose indices cannot be read.

    Each native state is translated once.
    """
    queue: dict[str, dict[int, ElementState]] = {}
    known: dict[str, ElementState] = {}
    unread = set()
    for job_id, indices, native in entries:
        elements = queue.get(job_id)
        if elements is None:
            elements = queue[job_id] = {}
        state = known.get(native)
        if state is None:
            state = known[native] = translate(native)
        if indices.isascii() and indices.isdecimal() and len(indices) < 8:
            elements[int(indices)] = state
            continue
        try:
            elements.update(dict.fromkeys(_indices(indices), state))
        except ValueError:
            log.warning("Slurm tells indices of job %s as '%s'; not understood", job_id, indices)
            unread.add(job_id)
    return {j: elements for j, elements in queue.items() if j not in unread}, frozenset(unread)


def records(text: str, count: int) -> tuple[list[list[str]], str]:
    """Split records "id|field|...|last field|.", and say what is left that is none.

    The last field may hold anything, bars and line breaks too; so the id tells where one begins.
    """
    found: list[list[str]] = []
    pending = ""
    for line in text.split("\n"):
        pending = f"{pending}\n{line}" if pending else line
        if pending.endswith("|."):
            fields = pending[:-2].split("|", count - 1)
            if len(fields) != count or not (fields[0].isascii() and fields[0].isdecimal()):
                return found, pending
            found.append(fields)
            pending = ""
    return found, pending.strip("\n")


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


def _indices(text: str) -> Iterable[int]:
    """Read indices: "3-9%2", "[1,5-7]", "0-198:2%2" or "N/A", a job that is no array."""
    if text == "N/A":
        return (0,)
    ranges = text.strip("[]").partition("%")[0]
    if not ranges or LONG.search(ranges):
        raise ValueError(text)
    return expand(ranges)


def consumed(text: str) -> list[Consumed]:
    """Read lines "123_4|submit|start|elapsed|cpu time|granted" of tries that have begun.

    Steps, "123_4.batch", are left out: their job's line has their sums.
    """
    tries = []
    for line in text.splitlines():
        identity, submit, start, elapsed, cpu, granted = (line.split("|") + [""] * 6)[:6]
        begun = NUMBER.fullmatch(submit) and NUMBER.fullmatch(start) and granted
        if "." in identity or not begun:
            continue
        resources = _granted(granted)
        typed = [count for key, count in resources.items() if key.startswith("gres/gpu:")]
        try:
            tries.append(
                Consumed(
                    queue_wait_s=float(int(start) - int(submit)),
                    run_s=float(elapsed),
                    cores=resources.get("cpu", 0),
                    gpus=resources.get("gres/gpu", sum(typed)),
                    cpu_s=seconds(cpu),
                )
            )
        except ValueError:
            raise polluted("sacct", line) from None
    return tries


def _granted(text: str) -> dict[str, int]:
    """Read "billing=2,cpu=2,mem=100M,gres/gpu=1"; what is no plain number is left out."""
    pairs = (item.partition("=") for item in text.split(","))
    return {key: int(value) for key, _, value in pairs if NUMBER.fullmatch(value)}


def notices(text: str) -> list[Notice]:
    """Read the survey's lines "kind words"."""
    told: dict[str, list[str]] = {}
    for line in text.splitlines():
        kind, _, words = line.partition(" ")
        told.setdefault(kind, []).append(words.strip())
    config = dict(words.partition(" ")[::2] for words in told.get("config", []))
    found = []
    if told.get("variable"):
        found.append(
            Notice(
                f"the login's environment sets {', '.join(told['variable'])}; not used here",
                "what a job needs of them belongs into the cluster's file: partition, account, qos "
                "or options",
            )
        )
    if told.get("accounting"):
        found.append(
            Notice(
                f"no accounting (sacct: {told['accounting'][0]}): how an element ended is known as "
                "long as squeue shows it (MinJobAge); then results and grace_s decide",
                "nothing needs to be done; ask the site for sacct if causes of failures matter",
            )
        )
    if told.get("hidden"):
        found.append(
            Notice(
                f"hidden partitions: {', '.join(told['hidden'])}; jobs in them are seen all the "
                "same (squeue --all)",
                "nothing needs to be done",
            )
        )
    limits = {name: config[name] for name in sorted(config) if name.startswith("MaxMemPer")}
    counted = {name: value for name, value in limits.items() if value != "UNLIMITED"}
    if counted:
        words = ", ".join(f"{name} {value}" for name, value in counted.items())
        found.append(
            Notice(
                f"the site limits memory by its share ({words} MB)",
                "say `memory: per_cpu`, `per_gpu` or `none` in the cluster's file if it refuses "
                "memory by the node",
            )
        )
    return found
