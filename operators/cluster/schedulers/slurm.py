"""Slurm, written for 22.05 and newer: sbatch, squeue, sacct, scancel.

squeue holds finished jobs only for MinJobAge (300 s by default); sacct knows them longer, where
the site runs an accounting. Output formats are spelled out in every command, so that a site's or
a user's SQUEUE_FORMAT and SACCT_FORMAT do not matter.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import operators.cluster.schedulers.slurm_scripts as scripts
from operators.cluster.answers import Argv
from operators.cluster.errors import SubmissionRefused, TransportError
from operators.cluster.job import ArrayRequest, ElementState, Queue, Resources, Status
from operators.cluster.reply import Reply, polluted
from operators.cluster.schedulers.scheduler import Notice, Scheduler
from operators.cluster.schedulers.slurm_replies import (
    consumed,
    notices,
    plain_reason,
    queue_of,
    records,
)
from operators.cluster.usage import Consumed

S = ElementState
USAGE = "JobID,Submit,Start,ElapsedRaw,TotalCPU,AllocTRES"
OWN_OPTIONS = (
    *("job-name", "array", "nodes", "ntasks", "ntasks-per-node", "cpus-per-task", "time"),
    *("output", "error", "requeue", "gres", "gpus", "partition", "account", "qos", "constraint"),
    *("reservation", "exclusive", "mail-type", "mail-user", "signal", "dependency", "parsable"),
    *("kill-on-invalid-dep", "wrap", "wait", "test-only", "clusters", "cluster", "chdir", "quiet"),
    *("hold", "help", "usage", "version", "uid", "gid", "input"),
)
MEMORY_OPTIONS = ("mem", "mem-per-cpu", "mem-per-gpu")
REFUSED = "FAILED|BadConstraints"


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
    job_id = r"[0-9]{1,18}"
    beside_job_id = r";[^\s;]+"  # the cluster, in a federation
    variables = "SQUEUE_|SACCT_|SBATCH_|SCANCEL_|SLURM_CLUSTERS|SLURM_TIME_FORMAT|SLURM_BITSTR_LEN"
    limits = (*("maxsubmitjob", "grpsubmitjob", "maxsubmitpu", "maxjobcount"),)
    too_large = ("invalid job array specification",)
    gone = ("invalid job id", "already completing or completed")
    outage = (
        "unable to contact slurm controller",
        # A client that did not come as far as the controller, or one that is being configured.
        *("unable to process configuration file", "could not establish a configuration source"),
        *("i/o error writing script", "no route to host", "getaddrinfo", "munge encode failed"),
        "connection refused",
        "temporarily unable to accept job",
        "resource temporarily unavailable",
        "slurm backup controller in standby mode",
    )
    ambiguous = (
        *("timed out", "zero bytes were transmitted", "connection reset", "broken pipe"),
        *("transport endpoint is not connected", "unexpected message", "communication"),
    )
    refusal = (
        *("batch job submission failed", "unrecognized option", "invalid", "unable to open file"),
        *("not permitted", "denied", "batch script", "requires an argument", "must "),
    )

    def submit_command(self, request: ArrayRequest) -> Argv:
        """Write sbatch; the time limit is rounded up to Slurm's minutes."""
        self.require_expressible(request)
        wanted = request.resources
        throttle = f"%{wanted.running_at_most}" if wanted.running_at_most else ""
        return self.ask(
            *("sbatch", "--parsable", f"--job-name={request.name}"),
            f"--array=0-{request.elements - 1}{throttle}",
            f"--nodes={wanted.nodes}",
            f"--ntasks={wanted.tasks}",
            f"--cpus-per-task={wanted.cpus}",
            *_memory(wanted),
            f"--time={-(-wanted.walltime_s // 60)}",
            f"--output={_pattern(request.log_folder)}/%A_%a.out",
            # A requeue by Slurm after a node failure keeps job id and lock: it is the same element.
            "--requeue",
            *_wishes(wanted),
            *wanted.options,
            str(request.script),
        )

    def refusals(self, wanted: Resources) -> list[str]:
        """Add that there is no share of a GPU's where none is asked for."""
        found = super().refusals(wanted)
        if wanted.memory == "per_gpu" and not wanted.gpus:
            found.append(
                "memory is per_gpu, and no GPU is asked for; ask for gpus, or say per_cpu in the "
                "file of a cluster without GPUs"
            )
        return found

    def option_refusal(self, option: str) -> str:
        """Long options only, and none that is set here; sbatch takes any unique beginning."""
        match = re.fullmatch(r"--([a-z][a-z0-9-]*)(=.*)?", option)
        if not match:
            return "write it as --name=value"
        if any(name.startswith(match[1]) for name in MEMORY_OPTIONS):
            return f"--{match[1]} is set by memory_mib and the cluster's key `memory`; leave it out"
        taken = next((name for name in OWN_OPTIONS if name.startswith(match[1])), None)
        return f"--{taken} is set by other means; leave it out" if taken else ""

    def status_command(self, job_ids: Sequence[str]) -> Argv:
        """Ask squeue for all our jobs: asking by id fails as a whole when one id is forgotten.

        --all: partitions that are hidden have jobs, too. Elements that wait come as one line,
        "3,7-9%2", which is cut short unless told otherwise.
        """
        return self.ask(*scripts.QUEUE, "--states=all", "--format=%F|%K|%T|%r|.")

    def parse_status(self, reply: Reply, job_ids: Sequence[str]) -> Status:
        """Read records "job|index|STATE|reason|."; a job that is not among ours is gone.

        Where the indices of a job cannot be read, nothing is known of its elements.
        """
        ours = set(job_ids)
        entries = [each for each in self._records(reply, 4) if each[0] in ours]
        told = ((job_id, index, native) for job_id, index, native, _ in entries)
        queue, unread = queue_of(told, self.state)
        waiting = dict.fromkeys((e[0], e[3]) for e in entries if e[2] == "PENDING")
        reasons = {job_id: plain_reason(native) for job_id, native in waiting}
        return Status(queue, {j: words for j, words in reasons.items() if words}, unread)

    def history_command(self, job_ids: Sequence[str], age_s: float) -> Argv | None:
        """Ask sacct by id; old releases have no --array, and shorten "[0,2,4,...]".

        The span is the one that the jobs lie in, shortened where the site answers no such span.
        """
        options = ("--allocations", "--format=JobID,State", f"--jobs={','.join(job_ids)}")
        return self.ask_by(scripts.ACCOUNTING, scripts.span(age_s), *options)

    def parse_history(self, reply: Reply) -> Queue:
        """Lines "123_4|COMPLETED" or "123_[5-9]|PENDING"; a cancelled one names who did it."""
        return queue_of(self._accounts(self.answer(reply)), self.state)[0]

    def usage_command(self, job_ids: Sequence[str], age_s: float) -> Argv | None:
        """Ask sacct; with steps, for without them it leaves the processor time out.

        Duplicates are earlier tries of elements that Slurm has requeued.
        """
        options = ("--duplicates", f"--format={USAGE}", f"--jobs={','.join(job_ids)}")
        return self.ask_by(scripts.ACCOUNTING, scripts.span(age_s), *options)

    def parse_usage(self, reply: Reply) -> list[Consumed]:
        """Lines "123_4|submit|start|elapsed|cpu time|granted"; steps are in their job's sums."""
        return consumed(self.answer(reply))

    def find_command(self, name: str, age_s: float) -> Argv:
        """Ask squeue, which also knows what has just ended, then sacct, where there is one."""
        return self.ask_by(scripts.FIND, name, scripts.span(age_s))

    def parse_find(self, reply: Reply, name: str) -> list[str]:
        """Read records "123|STATE|reason|name|.", a line "--", then lines "123_4|name".

        What sbatch refused may stay in the queue under its name; it never was a job.
        """
        queue, found, rest = self.answer(reply).partition("--\n")
        if not found:
            raise TransportError("squeue was cut short")
        ids = {
            fields[0]
            for fields in self._parsed(queue, 2)
            if fields[1].endswith(f"|{name}") and not fields[1].startswith(f"{REFUSED}|")
        }
        for identity, told in self._lines(rest):
            if told == name:
                ids.add(identity.partition("_")[0])
        return sorted(ids, key=int)

    def names_command(self) -> Argv:
        """Ask squeue for names."""
        return self.ask(*scripts.QUEUE, "--states=PD,R,CF,CG,S,RQ", "--format=%F|%j|.")

    def parse_names(self, reply: Reply) -> dict[str, str]:
        """Read records "job|name|."; a name may hold anything."""
        return {job_id: name for job_id, name in self._records(reply, 2)}

    def cancel_command(self, job_ids: Sequence[str]) -> Argv:
        """Call scancel; --quiet says nothing of jobs that have ended."""
        return self.ask("scancel", "--quiet", *job_ids)

    def cancel_elements_command(self, job_id: str, indices: Sequence[int]) -> Argv:
        """Call scancel for elements."""
        return self.ask("scancel", "--quiet", *(f"{job_id}_{index}" for index in indices))

    def survey_command(self) -> Argv | None:
        """Look for what makes Slurm answer less, or other things, than a campaign needs."""
        return ("sh", "-c", scripts.SURVEY, "survey", self.variables)

    def parse_survey(self, reply: Reply) -> list[Notice]:
        """Read "kind words"."""
        return notices(self.answer(reply))

    def _records(self, reply: Reply, count: int) -> list[list[str]]:
        return self._parsed(self.answer(reply), count)

    def _parsed(self, text: str, count: int) -> list[list[str]]:
        """Split into records; raises PollutedReply for anything else."""
        found, rest = records(text, count)
        if rest:
            raise polluted("squeue", rest)
        return found

    def _lines(self, text: str) -> Iterator[list[str]]:
        """Lines "123_4|words" of sacct's."""
        for line in filter(None, text.split("\n")):
            identity, bar, words = line.partition("|")
            if not bar or not re.fullmatch(r"\d+([_+.].*)?", identity):
                raise polluted("sacct", line)
            yield [identity, words]

    def _accounts(self, text: str) -> Iterator[tuple[str, str, str]]:
        for identity, native in self._lines(text):
            job_id, _, indices = identity.partition("_")
            if job_id.isdecimal() and native:  # else part of a heterogeneous job: none of ours
                yield job_id, indices or "0", native.split()[0].rstrip("+")


def _memory(wanted: Resources) -> Iterator[str]:
    """Ask as the site wants it; shares are rounded up."""
    if wanted.memory == "per_node":
        yield f"--mem={wanted.memory_mib}M"
    elif wanted.memory == "per_cpu":
        yield f"--mem-per-cpu={-(-wanted.memory_mib // (wanted.tasks_per_node * wanted.cpus))}M"
    elif wanted.memory == "per_gpu":
        yield f"--mem-per-gpu={-(-wanted.memory_mib // wanted.gpus)}M"


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


def _pattern(path: PurePosixPath) -> str:
    """Write a path into a pattern: Slurm reads "%%" as a percent sign."""
    if "\\" in str(path):
        raise SubmissionRefused(
            f"'{path}' holds a backslash, which Slurm does not keep in the path of an output file; "
            "name another workspace"
        )
    return str(path).replace("%", "%%")
