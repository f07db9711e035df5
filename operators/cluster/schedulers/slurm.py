"""Slurm, written for 22.05 and newer: sbatch, squeue, sacct, scancel.

squeue holds finished jobs only for MinJobAge (300 s by default); sacct knows them longer, where
the site runs an accounting. Output formats are spelled out in every command, so that a site's or
a user's SQUEUE_FORMAT and SACCT_FORMAT do not matter.
"""

import re
from collections.abc import Iterator, Sequence

from operators.cluster.errors import AmbiguousReply, TransportError
from operators.cluster.job import ArrayRequest, ElementState, Queue, Resources, expand
from operators.cluster.reply import Reply
from operators.cluster.schedulers.base import Argv, Scheduler, log

S = ElementState
RECENTLY = "now-7days"
OWN_OPTIONS = (
    *("job-name", "array", "nodes", "ntasks", "ntasks-per-node", "cpus-per-task", "mem", "time"),
    *("output", "error", "requeue", "gres", "gpus", "partition", "account", "qos", "constraint"),
    *("reservation", "exclusive", "mail-type", "mail-user", "signal", "dependency", "parsable"),
    *("kill-on-invalid-dep", "wrap", "wait", "test-only", "clusters", "cluster", "chdir", "quiet"),
    *("hold", "help", "usage", "version", "uid", "gid", "input"),
)


class Slurm(Scheduler):
    """Arrays only, from 0; one element is an array of one."""

    name = "Slurm"
    job_id_variable = "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}"
    array_index_variable = "${SLURM_ARRAY_TASK_ID:-0}"
    states = {
        **dict.fromkeys(("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD"), S.PENDING),
        **dict.fromkeys(("REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT"), S.PENDING),
        **dict.fromkeys(("RUNNING", "COMPLETING", "STAGE_OUT", "SIGNALING"), S.RUNNING),
        **dict.fromkeys(("SUSPENDED", "STOPPED", "RESIZING"), S.RUNNING),
        "COMPLETED": S.COMPLETED,
        "FAILED": S.FAILED,
        "CANCELLED": S.CANCELLED,
        "REVOKED": S.CANCELLED,
        "TIMEOUT": S.TIMEOUT,
        "DEADLINE": S.TIMEOUT,
        "OUT_OF_MEMORY": S.OUT_OF_MEMORY,
        "NODE_FAIL": S.NODE_FAIL,
        "BOOT_FAIL": S.NODE_FAIL,
        "PREEMPTED": S.PREEMPTED,
    }
    outage = (
        "unable to contact slurm controller",
        "connection refused",
        "temporarily unable to accept job",
        "resource temporarily unavailable",
        "slurm backup controller in standby mode",
    )
    ambiguous = ("socket timed out", "timed out on send/recv", "zero bytes were transmitted")

    def submit_command(self, request: ArrayRequest) -> Argv:
        """Write sbatch; the time limit is rounded up to Slurm's minutes."""
        self.require_expressible(request)
        wanted = request.resources
        throttle = f"%{wanted.running_at_most}" if wanted.running_at_most else ""
        return (
            *("sbatch", "--parsable", f"--job-name={request.name}"),
            f"--array=0-{request.elements - 1}{throttle}",
            f"--nodes={wanted.nodes}",
            f"--ntasks={wanted.nodes * wanted.tasks_per_node}",
            f"--cpus-per-task={wanted.cpus}",
            f"--mem={wanted.memory_mib}M",
            f"--time={-(-wanted.walltime_s // 60)}",
            f"--output={_pattern(request.log_folder)}/%A_%a.out",
            # A requeue by Slurm after a node failure keeps job id and lock: it is the same element.
            "--requeue",
            *_wishes(wanted),
            *wanted.options,
            str(request.script),
        )

    def option_refusal(self, option: str) -> str:
        """Long options only, and none that is set here; sbatch takes any unique beginning."""
        match = re.fullmatch(r"--([a-z][a-z0-9-]*)(=.*)?", option)
        if not match:
            return "write it as --name=value"
        taken = next((name for name in OWN_OPTIONS if name.startswith(match[1])), None)
        return f"--{taken} is set by other means; leave it out" if taken else ""

    def parse_job_id(self, reply: Reply) -> str:
        """Read the id, or "id;cluster" in a federation."""
        match = re.fullmatch(r"(\d+)(;[^\s;]+)?", reply.stdout.strip())
        if not match:
            raise AmbiguousReply(f"sbatch answered {reply.stdout[:200]!r}, not a job id")
        return match[1]

    def status_command(self, job_ids: Sequence[str]) -> Argv:
        """Ask squeue for all our jobs: asking by id fails as a whole when one id is forgotten."""
        return ("squeue", *_SQUEUE, "--format=%F|%K|%T")

    def parse_status(self, reply: Reply) -> Queue:
        """Lines "job|index|STATE"; a pending rest may come as "job|3-9%2|PENDING"."""
        self.require_answer(reply)
        queue: dict[str, dict[int, ElementState]] = {}
        for job_id, indices, native in self._fields(reply.stdout, 3):
            for index in _indices(indices):
                queue.setdefault(job_id, {})[index] = self.state(native)
        return queue

    def history_command(self, job_ids: Sequence[str]) -> Argv | None:
        """Ask sacct by id; without a window, which with --jobs begins at the epoch.

        Old releases have no --array, and shorten "[0,2,4,...]" unless told otherwise.
        """
        return (
            *("env", "SLURM_BITSTR_LEN=0"),
            *("sacct", "--allocations", "--noheader", "--parsable2"),
            *("--format=JobID,State", f"--jobs={','.join(job_ids)}"),
        )

    def parse_history(self, reply: Reply) -> Queue:
        """Lines "123_4|COMPLETED" or "123_[5-9]|PENDING"; a cancelled one names who did it."""
        if not reply.ok:
            if "disabled" in reply.words.lower():  # no accounting here: nothing more to know
                return {}
            raise TransportError(f"sacct did not answer: {reply.words}")
        queue: dict[str, dict[int, ElementState]] = {}
        for identity, native in self._fields(reply.stdout, 2):
            match = re.fullmatch(r"(\d+)(?:_\[?([\d,%:-]+)\]?)?", identity)
            if not match:
                log.warning("sacct names a job '%s'; not understood, left out", identity)
                continue
            for index in _indices(match[2] or "0"):
                queue.setdefault(match[1], {})[index] = self.state(native.split()[0].rstrip("+"))
        return queue

    def find_command(self, name: str) -> Argv:
        """Ask squeue for what is live, then sacct, where there is one, for what has ended."""
        script = (
            'squeue --me --array --states=all --noheader --format="%F|%j" --name="$1" || exit; '
            'sacct --allocations --noheader --parsable2 --format=JobID,JobName --name="$1" '
            f"--starttime={RECENTLY} 2>/dev/null || true; echo ."
        )
        return ("sh", "-c", script, "find", name)

    def parse_find(self, reply: Reply, name: str) -> list[str]:
        """Lines "123|name" and "123_4|name"; a last "." says that the answer is whole."""
        self.require_answer(reply)
        lines = reply.stdout.split()
        if lines[-1:] != ["."]:
            raise TransportError("squeue was cut short")
        found = {
            line.split("|")[0].split("_")[0] for line in lines if line.partition("|")[2] == name
        }
        return sorted(found, key=int)

    def names_command(self) -> Argv:
        """Ask squeue for names."""
        return ("squeue", "--me", "--states=PD,R,CF,CG,S,RQ", "--noheader", "--format=%F|%j")

    def parse_names(self, reply: Reply) -> dict[str, str]:
        """Lines "job|name"."""
        self.require_answer(reply)
        return {job_id: name for job_id, name in self._fields(reply.stdout, 2)}

    def cancel_command(self, job_ids: Sequence[str]) -> Argv:
        """Call scancel; --quiet says nothing of jobs that have ended."""
        return ("scancel", "--quiet", *job_ids)

    def _fields(self, text: str, count: int) -> Iterator[list[str]]:
        for line in text.splitlines():
            fields = [field.strip() for field in line.split("|")]
            if len(fields) == count and all(fields):
                yield fields
            elif line.strip():
                log.warning("Slurm answered '%s'; not understood, left out", line[:200])


def _wishes(wanted: Resources) -> Iterator[str]:
    """Options for what is asked for, and none for what is not."""
    if wanted.nodes * wanted.tasks_per_node > 1:
        yield f"--ntasks-per-node={wanted.tasks_per_node}"
    if wanted.gpus:
        yield f"--gres=gpu:{wanted.gpus}"
    for key in ("partition", "account", "qos", "constraint", "reservation"):
        if getattr(wanted, key):
            yield f"--{key}={getattr(wanted, key)}"
    if wanted.exclusive:
        yield "--exclusive"
    if wanted.mail:
        yield from ("--mail-type=END,FAIL", f"--mail-user={wanted.mail}")
    if wanted.signal_before_end_s:
        # B: to the script's own process, which has become the element; else only steps hear it.
        yield f"--signal=B:TERM@{wanted.signal_before_end_s}"
    if wanted.after:
        # One that can never be met would otherwise wait for ever.
        yield from (f"--dependency=afterok:{':'.join(wanted.after)}", "--kill-on-invalid-dep=yes")


_SQUEUE = ("--me", "--array", "--states=all", "--noheader")


def _indices(text: str) -> list[int]:
    """Read indices: "4", "3-9%2", "[1,5-7]", "0-198:2" or "N/A", as squeue writes them."""
    if text == "N/A":
        return [0]
    return expand(text.strip("[]").partition("%")[0])


def _pattern(path: object) -> str:
    """Write a path into a pattern: Slurm reads "%%" as a percent sign."""
    return str(path).replace("%", "%%")
