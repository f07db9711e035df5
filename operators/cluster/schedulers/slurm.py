"""Slurm, written for 22.05 and newer: sbatch, squeue, sacct, scancel.

squeue holds finished jobs only for MinJobAge (300 s by default); sacct knows them longer, where
the site runs an accounting. Output formats are spelled out in every command, so that a site's or
a user's SQUEUE_FORMAT and SACCT_FORMAT do not matter.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from operators.cluster.errors import AmbiguousReply, SubmissionRefused, TransportError
from operators.cluster.job import ArrayRequest, ElementState, Queue, Resources
from operators.cluster.reply import Reply
from operators.cluster.schedulers.scheduler import Argv, Scheduler
from operators.cluster.schedulers.slurm_replies import (
    consumed,
    fields,
    left_out,
    plain_reason,
    queue_of,
)
from operators.cluster.usage import Consumed

S = ElementState
RECENTLY = "now-7days"
USAGE = "JobID,Submit,Start,ElapsedRaw,TotalCPU,AllocTRES"
OWN_OPTIONS = (
    *("job-name", "array", "nodes", "ntasks", "ntasks-per-node", "cpus-per-task", "mem", "time"),
    *("output", "error", "requeue", "gres", "gpus", "partition", "account", "qos", "constraint"),
    *("reservation", "exclusive", "mail-type", "mail-user", "signal", "dependency", "parsable"),
    *("kill-on-invalid-dep", "wrap", "wait", "test-only", "clusters", "cluster", "chdir", "quiet"),
    *("hold", "help", "usage", "version", "uid", "gid", "input"),
)
UNCUT = ("env", "SLURM_BITSTR_LEN=0")
REFUSED = ["FAILED", "BadConstraints"]
# The accounting is asked for what the queue has forgotten. One that is down has not answered; one
# that the site does not run never will.
FIND = f"""
queue=$(squeue --me --states=all --noheader --format='%F|%j|%T|%r' --name="$1") || exit
if ! printf '%s\\n' "$queue" | grep -v '|FAILED|BadConstraints$' | grep -q .; then
  said=$(sacct --allocations --noheader --parsable2 --format=JobID,JobName --name="$1" \\
    --starttime={RECENTLY} 2>&1) ||
    case $said in
      *disabled* | *'not found'*) said= ;;
      *) echo "$said" >&2; exit 1 ;;
    esac
fi
printf '%s\\n' "$queue" "$said" .
"""


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
            f"--ntasks={wanted.tasks}",
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
        """Ask squeue for all our jobs: asking by id fails as a whole when one id is forgotten.

        Elements that wait come as one line, "3,7-9%2", which is cut short unless told otherwise.
        """
        return (*UNCUT, "squeue", "--me", "--states=all", "--noheader", "--format=%F|%K|%T|%r")

    def parse_status(self, reply: Reply) -> Queue:
        """Lines "job|index|STATE|reason"."""
        self.require_answer(reply)
        lines = fields(reply.stdout, 4)
        return queue_of(((job, index, native) for job, index, native, _ in lines), self.state)

    def parse_reasons(self, reply: Reply) -> dict[str, str]:
        """Read reasons beyond "not yet its turn"; one of them where elements differ."""
        waiting = re.findall(r"^(\d+)\|[^|]+\|PENDING\|(.+)$", reply.stdout, re.MULTILINE)
        told = ((job_id, plain_reason(native)) for job_id, native in dict.fromkeys(waiting))
        return {job_id: words for job_id, words in told if words}

    def history_command(self, job_ids: Sequence[str]) -> Argv | None:
        """Ask sacct by id; without a window, which with --jobs begins at the epoch.

        Old releases have no --array, and shorten "[0,2,4,...]" unless told otherwise.
        """
        return (
            *(*UNCUT, "sacct", "--allocations", "--noheader", "--parsable2"),
            *("--format=JobID,State", f"--jobs={','.join(job_ids)}"),
        )

    def parse_history(self, reply: Reply) -> Queue:
        """Lines "123_4|COMPLETED" or "123_[5-9]|PENDING"; a cancelled one names who did it."""
        if not reply.ok:
            if "disabled" in reply.words.lower():  # no accounting here: nothing more to know
                return {}
            raise TransportError(f"sacct did not answer: {reply.words}")
        return queue_of(_accounts(reply.stdout), self.state)

    def usage_command(self, job_ids: Sequence[str]) -> Argv | None:
        """Ask sacct; with steps, for without them it leaves the processor time out.

        Duplicates are earlier tries of elements that Slurm has requeued.
        """
        return (
            *("env", "SLURM_TIME_FORMAT=%s", "SLURM_BITSTR_LEN=0"),
            *("sacct", "--duplicates", "--noheader", "--parsable2"),
            *(f"--format={USAGE}", f"--jobs={','.join(job_ids)}"),
        )

    def parse_usage(self, reply: Reply) -> list[Consumed]:
        """Lines "123_4|submit|start|elapsed|cpu time|granted"; steps are in their job's sums."""
        if not reply.ok:
            if "disabled" in reply.words.lower():
                return []
            raise TransportError(f"sacct did not answer: {reply.words}")
        return consumed(reply.stdout)

    def find_command(self, name: str) -> Argv:
        """Ask squeue, which also knows what has just ended, then sacct, where there is one."""
        return ("sh", "-c", FIND, "find", name)

    def parse_find(self, reply: Reply, name: str) -> list[str]:
        """Lines "123|name|STATE|reason" and "123_4|name"; a last "." says that all were told.

        What sbatch refused may stay in the queue under its name; it never was a job.
        """
        self.require_answer(reply)
        lines = reply.stdout.splitlines()
        if lines[-1:] != ["."]:
            raise TransportError("squeue was cut short")
        entries = (line.split("|") for line in lines)
        found = {
            entry[0].partition("_")[0]
            for entry in entries
            if entry[1:2] == [name] and entry[2:] != REFUSED
        }
        return sorted(found, key=int)

    def names_command(self) -> Argv:
        """Ask squeue for names."""
        return ("squeue", "--me", "--states=PD,R,CF,CG,S,RQ", "--noheader", "--format=%F|%j")

    def parse_names(self, reply: Reply) -> dict[str, str]:
        """Lines "job|name"."""
        self.require_answer(reply)
        return {job_id: name for job_id, name in fields(reply.stdout, 2)}

    def cancel_command(self, job_ids: Sequence[str]) -> Argv:
        """Call scancel; --quiet says nothing of jobs that have ended."""
        return ("scancel", "--quiet", *job_ids)


def _wishes(wanted: Resources) -> Iterator[str]:
    """Options for what is asked for, and none for what is not."""
    if wanted.tasks > 1:
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
        # B: to the script's own process, which has become the element. Where it has become srun,
        # that would end all tasks at once; without B: the step's own processes hear it.
        whom = "B:" if wanted.tasks == 1 else ""
        yield f"--signal={whom}TERM@{wanted.signal_before_end_s}"
    if wanted.after:
        # One that can never be met would otherwise wait for ever.
        yield from (f"--dependency=afterok:{':'.join(wanted.after)}", "--kill-on-invalid-dep=yes")


def _accounts(text: str) -> Iterator[tuple[str, str, str]]:
    for identity, native in fields(text, 2):
        job_id, _, indices = identity.partition("_")
        if job_id.isdecimal():
            yield job_id, indices or "0", native.split()[0].rstrip("+")
        else:
            left_out(f"{identity}|{native}")


def _pattern(path: PurePosixPath) -> str:
    """Write a path into a pattern: Slurm reads "%%" as a percent sign."""
    if "\\" in str(path):
        raise SubmissionRefused(
            f"'{path}' holds a backslash, which Slurm does not keep in the path of an output file; "
            "name another workspace"
        )
    return str(path).replace("%", "%%")
