"""Scheduler dialects: what they say and what they understand, expectations written by hand.

Slurm's answers were given by a Slurm 22.05 (Debian), with and without accounting; batchq's by
the queue of the one-machine stack.
"""

import ast
import itertools
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from operators.cluster.errors import (
    AmbiguousReply,
    ArrayTooLarge,
    LimitReached,
    SubmissionRefused,
    TransportError,
)
from operators.cluster.job import ArrayRequest, Resources
from operators.cluster.job import ElementState as S
from operators.cluster.reply import Reply
from operators.cluster.schedulers import SCHEDULERS
from operators.cluster.schedulers.scheduler import Scheduler
from operators.cluster.usage import Consumed
from tests.harness.recorded_transport import read_transcript
from tests.standins.pbs.text import as_text

TRANSCRIPTS = Path(__file__).parents[1] / "transcripts"

REQUEST = ArrayRequest(
    name="solve-0123456789.0",
    script=PurePosixPath("/ws/it's 100%/jobs/t/script-0.sh"),
    log_folder=PurePosixPath("/ws/it's 100%/jobs/t/logs"),
    elements=10,
    resources=Resources(walltime_s=601, memory_mib=1500, cpus=2),
)
WISHES: dict[str, Any] = {
    **{"partition": "long", "account": "materials"},
    **{"nodes": 3, "tasks_per_node": 4, "cpus": 2, "gpus": 1, "exclusive": True},
    **{"constraint": "node_type=rome", "mail": "me@example.org", "running_at_most": 5},
    **{"after": ("12", "13")},
}


def said(text: str, stderr: str = "", exit_code: int = 0) -> Reply:
    """A whole answer: between its marks."""
    return Reply(exit_code, f"<\n{text}\n>\n", stderr)


def failed(stderr: str, exit_code: int = 1) -> Reply:
    return said("", stderr, exit_code)


def bare(text: str) -> Reply:
    """No answer to what was asked: the marks are missing."""
    return Reply(0, text, "")


def consumed(wait_s: float, run_s: float, cores: int, gpus: int, cpu_s: float) -> Consumed:
    return Consumed(queue_wait_s=wait_s, run_s=run_s, cores=cores, gpus=gpus, cpu_s=cpu_s)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What one dialect must say and understand."""

    submit: tuple[str, ...]
    wishes: dict[str, tuple[str, ...] | str]
    """resource and value -> the arguments that ask for it, or why it is refused"""
    options: dict[str, str]
    """an extra option -> why it is refused, "" where it is taken"""
    job_ids: list[tuple[Reply, str]]
    refused: list[Reply]
    ambiguous: list[Reply]
    full: list[Reply]
    """no room for so many jobs now"""
    too_large: list[Reply]
    outage: list[Reply]
    status: tuple[str, ...]
    states: list[tuple[Reply, dict[str, dict[int, S]]]]
    silent: list[Reply]
    """answers to the status command that are none"""
    untold: list[tuple[Reply, set[str]]] = field(default_factory=list)
    """answers to the status command, and which of the jobs "12" and "13" they say nothing of"""
    reasons: list[tuple[Reply, dict[str, str]]] = field(default_factory=list)
    """answers to the status command, and what a person should know of jobs that wait"""
    unknown: Reply
    """job 7's element 0 in a state that nobody knows"""
    found: list[tuple[Reply, list[str]]]
    names: tuple[Reply, dict[str, str]]
    cancel: tuple[str, ...]
    cancel_elements: tuple[str, ...]
    gone: list[Reply]
    """answers to the cancel command about jobs that have ended, or never were"""
    history: tuple[str, ...] | None = None
    histories: list[tuple[Reply, dict[str, dict[int, S]]]] = field(default_factory=list)
    usage: tuple[str, ...] | None = None
    usages: list[tuple[Reply, list[Consumed]]] = field(default_factory=list)
    log: str = "/ws/it's 100%/jobs/t/logs/12_3.out"


def batchq(*jobs: tuple[str, str, list[str]]) -> Reply:
    documents = [
        {
            "id": number,
            "name": name,
            "elements": [
                {"index": i, "state": s, "exit_code": None, "started": None, "ended": None}
                for i, s in enumerate(states)
            ],
        }
        for number, name, states in jobs
    ]
    return said(json.dumps({"jobs": documents}) + "\n")


LOCAL = Expected(
    submit=(
        *("batchq", "submit", "/ws/it's 100%/jobs/t/script-0.sh"),
        *("--name", "solve-0123456789.0", "--array", "0-9", "--cpus", "2"),
        *("--memory-mib", "1500", "--walltime-s", "601"),
        *("--log-dir", "/ws/it's 100%/jobs/t/logs"),
    ),
    wishes={
        "gpus=2": "grants no GPU.*another cluster",
        "nodes=2": "one machine",
        "tasks_per_node=2": "one machine",
        "partition='long'": "one machine",
        "account='materials'": "one machine",
        "qos='high'": "one machine",
        "constraint='node_type=rome'": "one machine",
        "reservation='course'": "one machine",
        "exclusive=True": "one machine",
        "mail='me@example.org'": "Airflow send mail",
        "signal_before_end_s=60": "ends an element at once",
        "running_at_most=5": "one machine",
        "after=('12', '13')": "let Airflow order",
    },
    options={"--nice": "it has none"},
    job_ids=[(said("12\n"), "12")],
    refused=[
        failed("batchq: refused: it asks for 8 cpus, this queue has 2\n"),
        failed("sh: 1: batchq: not found\n", 127),
    ],
    ambiguous=[
        *(said(""), said("queued!\n"), bare("12\n"), failed("timed out\n")),
        failed("Killed\n", 137),
    ],
    full=[],
    too_large=[],
    outage=[failed("batchq: cannot reach its state folder; try again\n")],
    status=("batchq", "status", "--json", "12", "13"),
    states=[
        (batchq(), {}),
        (
            batchq(
                ("12", "a", ["COMPLETED", "RUNNING", "PENDING", "FAILED"]),
                ("13", "b", ["CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL"]),
            ),
            {
                "12": {0: S.COMPLETED, 1: S.RUNNING, 2: S.PENDING, 3: S.FAILED},
                "13": {0: S.CANCELLED, 1: S.TIMEOUT, 2: S.OUT_OF_MEMORY, 3: S.NODE_FAIL},
            },
        ),
    ],
    silent=[
        failed("batchq: BATCHQ_STATE is not set\n"),
        said(""),
        said('{"jobs": [{"id": "12", "na'),
        said('{"jo": []}'),
        said("[]"),
        bare('{"jobs": []}\n'),
        said('{"jobs": [{"id": "12; rm", "name": "a", "elements": []}]}'),
    ],
    unknown=batchq(("7", "a", ["HIBERNATING"])),
    found=[
        (batchq(), []),
        (
            batchq(
                ("10", "t.0", ["FAILED"]), ("9", "t.0", ["RUNNING"]), ("8", "t.01", ["RUNNING"])
            ),
            ["9", "10"],
        ),
    ],
    names=(
        batchq(("9", "t.0", ["COMPLETED", "RUNNING"]), ("8", "u.0", ["COMPLETED"])),
        {"9": "t.0"},
    ),
    cancel=("12", "13"),
    cancel_elements=("script", "12"),
    gone=[failed("batchq: no job 12\n")],
)


def slurm(name: str) -> Reply:
    """What the real Slurm said, between the marks that ask for it; a record's end is one, too."""
    reply = read_transcript(TRANSCRIPTS / "slurm-22.05" / f"{name}.txt")[1]
    text = reply.stdout
    if name.startswith("squeue"):
        text = "".join(f"{line}|.\n" for line in text.splitlines())
    return said(text, reply.stderr, reply.exit_code)


def queue(text: str) -> Reply:
    """What squeue says: records, each with its end."""
    return said("".join(f"{line}|.\n" for line in text.splitlines()))


DOWN = "the partition is down; wait for the site, or name another one"

SLURM = Expected(
    submit=(
        *("sbatch", "--parsable", "--job-name=solve-0123456789.0", "--array=0-9"),
        *("--nodes=1", "--ntasks=1", "--cpus-per-task=2", "--mem=1500M", "--time=11"),
        *("--output=/ws/it's 100%%/jobs/t/logs/%A_%a.out", "--requeue"),
        "/ws/it's 100%/jobs/t/script-0.sh",
    ),
    wishes={
        "gpus=2": ("--gres=gpu:2",),
        "nodes=2": ("--nodes=2", "--ntasks=2", "--ntasks-per-node=1"),
        "tasks_per_node=2": ("--nodes=1", "--ntasks=2", "--ntasks-per-node=2"),
        "partition='long'": ("--partition=long",),
        "account='materials'": ("--account=materials",),
        "qos='high'": ("--qos=high",),
        "constraint='node_type=rome'": ("--constraint=node_type=rome",),
        "reservation='course'": ("--reservation=course",),
        "exclusive=True": ("--exclusive",),
        "mail='me@example.org'": ("--mail-type=END,FAIL", "--mail-user=me@example.org"),
        "signal_before_end_s=60": ("--signal=B:TERM@60",),
        "running_at_most=5": ("--array=0-9%5",),
        "after=('12', '13')": ("--dependency=afterok:12:13", "--kill-on-invalid-dep=yes"),
    },
    options={
        "--switches=1@60": "",
        "--nice": "",
        "--hint=nomultithread": "",
        "--mem-bind=local": "",
        "--comment=two words; $(id)": "",
        "--wrap=id": "--wrap is set by other means",
        "--wra=id": "--wrap is set by other means",
        "--job-name=x": "--job-name is set by other means",
        "--array=0-99": "--array is set by other means",
        "--time=1": "--time is set by other means",
        "-J x": "write it as --name=value",
        "-Jx": "write it as --name=value",
        "--": "write it as --name=value",
        "--nice --wrap=id": "write it as --name=value",
    },
    job_ids=[(said("4\n"), "4"), (said("4711;vulcan\n"), "4711")],
    refused=[
        failed(
            "sbatch: error: invalid partition specified: nowhere\n"
            "sbatch: error: Batch job submission failed: Invalid partition name specified\n"
        ),
        failed(
            "sbatch: error: Memory specification can not be satisfied\nsbatch: error: Batch job "
            "submission failed: Requested node configuration is not available\n"
        ),
        failed("sbatch: error: Unable to open file /shared/nothing.sh\n"),
        *(slurm(f"sbatch_refused_{what}") for what in ("account", "qos", "gpus", "time", "option")),
        *(slurm(f"sbatch_refused_{what}") for what in ("no_script", "no_shebang", "reservation")),
        failed(
            "sbatch: error: You must name a project\n"
            "sbatch: error: Batch job submission failed: Unspecified error\n"
        ),
    ],
    ambiguous=[
        failed(
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n"
        ),
        said(""),
        said("Submitted batch job 12\n"),
        said("95%\n"),
        bare("4\n"),
        bare("Welcome\n<\n4\n\n>\n"),
        Reply(0, "<\n4", ""),
        *(
            failed(f"sbatch: error: Batch job submission failed: {words}\n")
            for words in (
                *("Connection reset by peer", "Transport endpoint is not connected"),
                *("Zero Bytes were transmitted or received", "Unexpected message received"),
            )
        ),
        failed("sbatch: something that nobody has heard before\n"),
        failed("", 137),
    ],
    full=[
        failed(
            f"sbatch: error: {limit}\nsbatch: error: Batch job submission failed: Job violates "
            "accounting/QOS policy (job submit limit, user's size and/or time limits)\n"
        )
        for limit in ("AssocMaxSubmitJobLimit", "QOSMaxSubmitJobPerUserLimit")
    ],
    too_large=[slurm("sbatch_refused_array_size")],
    outage=[
        failed(
            "sbatch: error: Parse error in file /etc/slurm/slurm.conf line 3\n"
            "sbatch: fatal: Unable to process configuration file\n"
        ),
        failed(
            "sbatch: error: Batch job submission failed: I/O error writing script/environment to "
            "file\n"
        ),
        failed(
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller "
            "(connect failure)\n"
        ),
    ],
    status=(
        *("env", "SLURM_BITSTR_LEN=0", "squeue", "--me", "--all", "--noheader", "--states=all"),
        "--format=%F|%K|%T|%r|.",
    ),
    states=[
        (said(""), {}),
        (
            queue(
                "4|2|PENDING|Resources\n4|1|RUNNING|None\n4|0|COMPLETED|None\n"
                "2|N/A|PENDING|ReqNodeNotAvail, UnavailableNodes:a1\n"
                "7|0|OUT_OF_MEMORY|OutOfMemory\n"
            ),
            {
                "4": {2: S.PENDING, 1: S.RUNNING, 0: S.COMPLETED},
                "2": {0: S.PENDING},
                "7": {0: S.OUT_OF_MEMORY},
            },
        ),
        (
            slurm("squeue_elements_cancelled"),
            {
                "29": {
                    **{0: S.CANCELLED, 1: S.RUNNING, 2: S.RUNNING},
                    **dict.fromkeys((3, 7, 8, 9), S.PENDING),
                }
            },
        ),
        (slurm("squeue_steps"), {"64": dict.fromkeys(range(0, 19, 2), S.PENDING)}),
        (slurm("squeue_gaps"), {"63": dict.fromkeys((n**2 for n in range(30)), S.PENDING)}),
        (
            queue(
                "4|1,3,5-7%4|PENDING|JobArrayTaskLimit\n4|0|COMPLETING|None\n"
                "4|8|CONFIGURING|None\n4|2|DEADLINE|None\n4|9|BOOT_FAIL|None\n"
                "4|4|PREEMPTED|None\n5|0-4:2%2|NODE_FAIL|NodeDown\n"
            ),
            {
                "4": {
                    **dict.fromkeys((1, 3, 5, 6, 7, 8), S.PENDING),
                    **{0: S.RUNNING, 2: S.TIMEOUT, 9: S.NODE_FAIL, 4: S.PREEMPTED},
                },
                "5": dict.fromkeys((0, 2, 4), S.NODE_FAIL),
            },
        ),
        (queue("4|0|PENDING|Dependency|odd, a|b\n"), {"4": {0: S.PENDING}}),
        (said("4|0|PENDING|a reason\nof two lines|.\n"), {"4": {0: S.PENDING}}),
    ],
    # "...,32..." is no list: nothing is known of the job's elements.
    untold=[(queue("12|0-1,4,9,32...|PENDING|JobHeldUser\n13|0|RUNNING|None\n"), {"12"})],
    reasons=[
        (slurm("squeue_throttled_folded"), {}),
        (
            slurm("squeue_folded"),
            {
                "35": f"{DOWN} (PartitionDown)",
                "27": "no node of the partition can ever give what is asked for (PartitionConfig)",
                "36": (
                    "the walltime is longer than the partition allows; ask for less "
                    "(PartitionTimeLimit)"
                ),
                "37": (
                    "nodes are reserved or out of service, perhaps for a maintenance "
                    "(ReqNodeNotAvail, UnavailableNodes:a1)"
                ),
                "33": "the job is held; `scontrol release` lets it go (JobHeldUser)",
            },
        ),
        (
            queue(
                "4|0|PENDING|AssocMaxJobsLimit\n5|0|PENDING|QOSMaxCpuPerUserLimit\n"
                "6|0|PENDING|MoonPhase\n7|0|RUNNING|None\n8|3-9|PENDING|Priority\n"
                "9|0|FAILED|BadConstraints\n"
            ),
            {
                "4": "a limit of your account is reached (AssocMaxJobsLimit)",
                "5": "a limit of your quality of service is reached (QOSMaxCpuPerUserLimit)",
                "6": "Slurm gives a reason unknown here (MoonPhase)",
            },
        ),
    ],
    silent=[
        failed("slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"),
        failed("slurm_load_jobs error: Socket timed out on send/recv operation\n"),
        said("4|0|RUNNING|None|.\n4|1"),  # cut short
        bare("4|0|RUNNING|None|.\n"),
        bare("Welcome\n<\n4|0|RUNNING|None|.\n\n>\n"),
        Reply(0, "<\n4|0|RUNNING|None|.\n", ""),
        said("Your quota is 95% full\n4|0|RUNNING|None|.\n"),
        said("CLUSTER: alpha\n4|0|RUNNING|None|.\n"),
    ],
    unknown=queue("7|0|HIBERNATING|None\n"),
    found=[
        (said("--\n"), []),
        (
            said(
                "4|RUNNING|None|t.0|.\n4|PENDING|Resources|t.0|.\n5|RUNNING|None|t.01|.\n"
                "6|FAILED|NonZeroExitCode|t.0|.\n9|FAILED|BadConstraints|t.0|.\n"
                "8|RUNNING|None|an odd\nname | of somebody's|.\n--\n"
                "3_0|t.0\n3_[1-4]|t.0\n4_0|t.0\n"
            ),
            ["3", "4", "6"],  # 9 was refused
        ),
    ],
    names=(
        queue("10|t.0\n4|u.0\n4|u.0\n5|a|b\n"),
        {"10": "t.0", "4": "u.0", "5": "a|b"},
    ),
    cancel=("scancel", "--quiet", "12", "13"),
    cancel_elements=("scancel", "--quiet", "12_3", "12_5"),
    gone=[slurm("scancel_unknown"), slurm("scancel_ended")],
    history=("7200", "--allocations", "--format=JobID,State", "--jobs=12,13"),
    histories=[
        (said(""), {}),
        (
            slurm("sacct_elements_cancelled"),
            {
                "29": {
                    **{0: S.CANCELLED, 1: S.RUNNING},
                    **dict.fromkeys((2, 3, 7, 8, 9), S.PENDING),
                }
            },
        ),
        (
            slurm("sacct_arrays_cancelled"),
            {
                "29": dict.fromkeys((0, 1, 2, 3, 7, 8, 9), S.CANCELLED),
                "32": dict.fromkeys(range(3), S.CANCELLED),
                "38": {
                    **dict.fromkeys(range(14), S.COMPLETED),
                    **dict.fromkeys(range(14, 30), S.CANCELLED),
                },
            },
        ),
        (
            said("4_0|RUNNING\n4_1|CANCELLED by 1000\n4_[2-9%2]|PENDING\n61_0|NODE_FAIL\n"),
            {
                "4": {0: S.RUNNING, 1: S.CANCELLED, **dict.fromkeys(range(2, 10), S.PENDING)},
                "61": {0: S.NODE_FAIL},
            },
        ),
        (
            said("63_0|NODE_FAIL\n63_0|PENDING\n48|COMPLETED\n9_1|TIMEOUT\n9_2|OUT_OF_MEMORY\n"),
            {
                "63": {0: S.PENDING},
                "48": {0: S.COMPLETED},
                "9": {1: S.TIMEOUT, 2: S.OUT_OF_MEMORY},
            },
        ),
    ],
)


def openpbs(name: str) -> Reply:
    """What the real OpenPBS said; a failure's words came by stderr, descriptions as text."""
    reply = read_transcript(TRANSCRIPTS / "openpbs-23.06" / f"{name}.txt")[1]
    if "json" in name:
        return said(as_text(json.loads(reply.stdout)["Jobs"]))
    return said(reply.stdout) if reply.ok else failed(reply.stdout, reply.exit_code)


def described(job_id: str, **attributes: str) -> str:
    """A job as `qstat -f` describes it; "__" stands for the point in a name."""
    return as_text({job_id: {name.replace("__", "."): v for name, v in attributes.items()}})


PBS = Expected(
    submit=(
        *(
            "-S",
            "/bin/bash",
            "-N",
            "solve-0123456789.0",
            "-j",
            "oe",
            "-o",
            "/ws/it's 100%/jobs/t/logs/",
        ),
        *("-l", "select=1:ncpus=2:mem=1500mb", "-l", "walltime=00:10:01", "-J", "0-9"),
        "/ws/it's 100%/jobs/t/script-0.sh",
    ),
    wishes={
        "gpus=2": ("-l", "select=1:ncpus=1:mem=2000mb:ngpus=2"),
        "nodes=2": (
            *("-l", "select=2:ncpus=1:mpiprocs=1:ompthreads=1:mem=2000mb"),
            *("-l", "place=scatter"),
        ),
        "tasks_per_node=2": ("-l", "select=1:ncpus=2:mpiprocs=2:ompthreads=1:mem=2000mb"),
        "partition='long'": ("-q", "long"),
        "account='materials'": ("-A", "materials"),
        "qos='high'": "no quality of service: name a queue",
        "constraint='node_type=rome'": ("-l", "select=1:ncpus=1:mem=2000mb:node_type=rome"),
        "constraint='a&b'": "name resources of a node as in node_type=rome",
        "constraint='a=1+9:ncpus=99'": "name resources of a node",
        "reservation='R12'": ("-q", "R12"),
        "exclusive=True": ("-l", "place=exclhost"),
        "mail='me@example.org'": ("-m", "ae", "-M", "me@example.org"),
        "signal_before_end_s=60": "give walltime_s a reserve",
        "running_at_most=5": ("-W", "max_run_subjobs=5"),
        "after=('12', '13')": ("-W", "depend=afterok:12:13"),
    },
    options={
        "-l software=abaqus": "",
        "-W umask=027": "",
        "-r n": "",
        "-l walltime=1": "none of select",
        "-l software=a,walltime=1": "one resource at a time",
        "-W depend=afterok:1": "none of select",
        "-W block=true": "none of select",
        "-J 0-99": "-J is set by other means",
        "-N x": "-N is set by other means",
        "-I": "write it as in",
        "-lwalltime=1": "write it as in",
        "--": "write it as in",
    },
    job_ids=[(openpbs("qsub_array"), "0[].pbs1"), (openpbs("qsub_single"), "2.pbs1")],
    refused=[openpbs("qsub_bad_queue"), openpbs("qsub_bad_resource")],
    ambiguous=[
        *(said(""), said("qsub: waiting for job\n"), failed("qsub: End of File\n")),
        *(said("95%\n"), bare("12.pbs1\n"), said("Welcome\n12.pbs1\n"), failed("", 137)),
        failed("qsub: Connection reset by peer\n"),
        failed("qsub: something that nobody has heard before\n", 189),
    ],
    full=[
        failed("qsub: would exceed queue workq's per-user limit of jobs in 'Q' state\n", 189),
        failed("qsub: would exceed complex's per-user limit\n", 189),
        failed("qsub: Maximum number of jobs for user hpc already in queue workq\n", 189),
    ],
    too_large=[failed("qsub: Array job exceeds server or queue size limit\n", 3)],
    outage=[failed("qsub: cannot connect to server pbs1 (errno=15010)\n")],
    status=("12", "13"),
    states=[
        (openpbs("qstat_unknown"), {}),
        (
            openpbs("qstat_json_running"),
            {"0[].pbs1": {**dict.fromkeys(range(4), S.RUNNING), 4: S.PENDING, 5: S.PENDING}},
        ),
        (
            openpbs("qstat_x_json_finished"),
            {"0[].pbs1": {**dict.fromkeys(range(6), S.COMPLETED), 3: S.FAILED}},
        ),
        (openpbs("qstat_x_json_deleted"), {"2.pbs1": {0: S.CANCELLED}}),
        (openpbs("qstat_x_json_walltime"), {"3.pbs1": {0: S.TIMEOUT}}),
    ],
    untold=[
        (said(described("12", job_state="R", stime="x")), {"13"}),
        (
            said(described("12", job_state="R", stime="x"), "qstat: Unknown Job Id 13.pbs1\n", 153),
            set(),
        ),
        (failed("qstat: Unknown Job Id 12.pbs1\nqstat: Unknown Job Id 13.pbs1\n", 153), set()),
        (
            failed(
                "qstat: 12.pbs1 Job has finished, use -x or -H to obtain historical job "
                "information\nqstat: Unknown Job Id 13.pbs1\n",
                35,
            ),
            set(),
        ),
        # History off: the sentence is no answer about anything.
        (
            said("", "qstat: PBS is not configured to maintain job history 12.pbs1\n"),
            {"12", "13"},
        ),
        # An array as a whole, without its elements, tells nothing of them.
        (said(described("12[].pbs1", job_state="B") + described("13", job_state="Q")), {"12"}),
    ],
    reasons=[
        (
            said(
                described(
                    "83[].pbs1",
                    job_state="Q",
                    comment="Can Never Run: Insufficient amount of resource: ncpus (R: 64 A: 12)",
                )
                + described("84[].pbs1", job_state="H")
                + described("85.pbs1", job_state="H", depend="afterok:84[].pbs1@pbs1")
                + described("86.pbs1", job_state="Q", comment="Not Running: Insufficient ncpus")
                + described("87.pbs1", job_state="Q", comment="Not Running: User limit reached")
                + described("88.pbs1", job_state="F", comment="Can Never Run: it is over")
            ),
            {
                "83[].pbs1": (
                    "no node can ever give what is asked for; ask for less (Can Never Run: "
                    "Insufficient amount of resource: ncpus (R: 64 A: 12))"
                ),
                "84[].pbs1": "the job is held; `qrls` lets it go, where it is your own hold",
                "87.pbs1": "a limit of the site is reached (Not Running: User limit reached)",
            },
        ),
    ],
    silent=[
        failed("qstat: cannot connect to server pbs1 (errno=15010)\n"),
        Reply(0, openpbs("qstat_json_running").stdout[:3000], ""),
        bare(""),
        said("Welcome\n" + described("12", job_state="R")),
        said(described("12 x", job_state="R")),
        said("Job Id: 12\n"),
        said(described("12", Job_Name="t")),
        failed("qstat: cannot resolve\n", 153),
    ],
    unknown=said(described("7", job_state="HIBERNATING")),
    found=[
        (openpbs("qselect_by_name"), ["0[].pbs1"]),
        (said("10.pbs1\n9.pbs1\n"), ["9.pbs1", "10.pbs1"]),
        (said(""), []),
    ],
    names=(
        said(
            "0[].pbs1 2.pbs1 3.pbs1\n"
            + described("0[].pbs1", Job_Name="t.0", job_state="B")
            + described("2.pbs1", Job_Name="u.0", job_state="R"),
            "qstat: 3.pbs1 Job has finished, use -x or -H to obtain historical job information\n",
            35,
        ),
        {"0[].pbs1": "t.0", "2.pbs1": "u.0"},
    ),
    cancel=("qdel", "12", "13"),
    cancel_elements=("qdel", "12"),
    gone=[openpbs("qdel_again"), failed("qdel: Unknown Job Id 99999.pbs1\n", 153)],
    usage=("12", "13"),
    usages=[
        (openpbs("qstat_unknown"), []),
        (openpbs("qstat_json_running"), [consumed(0, 0, 1, 0, 0)] * 4),
        (
            openpbs("qstat_x_json_finished"),
            [*([consumed(0, 6, 1, 0, 0)] * 4), *([consumed(6, 6, 1, 0, 0)] * 2)],
        ),
        (openpbs("qstat_x_json_walltime"), [consumed(0, 10, 1, 0, 0)]),
    ],
    log="/ws/it's 100%/jobs/t/logs/12.OU",
)

SLURM_USAGE = read_transcript(TRANSCRIPTS / "slurm-22.05" / "sacct_usage.txt")
SLURM = replace(
    SLURM,
    usage=(
        *("7200", "--duplicates"),
        *("--format=JobID,Submit,Start,ElapsedRaw,TotalCPU,AllocTRES", "--jobs=12,13"),
    ),
    usages=[
        (
            said(SLURM_USAGE[1].stdout),
            [consumed(0, 11, 2, 0, cpu) for cpu in (2.013, 2.013, 2.016)],
        ),
        (
            said(
                "7_0|100|160|3600|1-02:03:04|billing=8,cpu=8,gres/gpu:a100=2,gres/gpu=2,node=1\n"
                "7_1|100|160|3600|02:03:04|cpu=8,gres/gpu:a100=2,mem=1.50G\n"
                "7_2|100|Unknown|0|00:00:00|\n7_3|100|1"
            ),
            [consumed(60, 3600, 8, 2, 93784), consumed(60, 3600, 8, 2, 7384)],
        ),
    ],
)

EXPECTED = {"local": LOCAL, "slurm": SLURM, "pbs": PBS}


@pytest.fixture(params=sorted(EXPECTED))
def case(request: pytest.FixtureRequest) -> tuple[Scheduler, Expected]:
    return SCHEDULERS[request.param](), EXPECTED[request.param]


Case = tuple[Scheduler, Expected]


def test_every_scheduler_is_in_this_suite() -> None:
    assert set(EXPECTED) == set(SCHEDULERS)


def test_submit(case: Case) -> None:
    dialect, expected = case
    assert ends(dialect.submit_command(REQUEST), expected.submit)


def ends(argv: tuple[str, ...], words: tuple[str, ...]) -> bool:
    """Whether the words are what is asked, behind what every question begins with."""
    assert argv[:2] == ("sh", "-c") and "echo '<'" in argv[2], "marks around the answer"
    return argv[-len(words) :] == words


def wanting(**wishes: Any) -> ArrayRequest:
    return replace(REQUEST, resources=Resources(**wishes))


def contains(argv: tuple[str, ...], part: tuple[str, ...]) -> bool:
    """Whether the arguments are there, each beside its neighbour where it is an option's value."""
    pairs = list(itertools.pairwise(argv))
    if part and part[0] in ("-l", "-q", "-A", "-m", "-W"):
        return all(pair in pairs for pair in zip(part[::2], part[1::2], strict=True))
    return set(part) <= set(argv)


def test_every_resource_is_asked_for_or_refused_with_a_remedy(case: Case) -> None:
    dialect, expected = case
    asked = {wish.partition("=")[0] for wish in expected.wishes}
    sizes = {"walltime_s", "memory_mib", "cpus", "options", "memory"}  # in test_submit, and below
    assert asked == set(Resources.__slots__) - sizes, "none is forgotten"
    for wish, answer in expected.wishes.items():
        key, _, value = wish.partition("=")
        request = wanting(**{key: ast.literal_eval(value)})
        if isinstance(answer, tuple):
            assert contains(dialect.submit_command(request), answer), wish
            assert dialect.refusals(request.resources) == []
        else:
            with pytest.raises(SubmissionRefused, match=f"{key} is .*{answer}"):
                dialect.submit_command(request)


def test_options_of_ones_own_never_change_what_is_set_here(case: Case) -> None:
    dialect, expected = case
    plain = dialect.submit_command(wanting())
    for option, reason in expected.options.items():
        request = wanting(options=(option,))
        if reason:
            with pytest.raises(SubmissionRefused) as refused:
                dialect.submit_command(request)
            assert reason in str(refused.value)
        else:
            argv = dialect.submit_command(request)
            words = (option,) if option in argv else tuple(option.split(" ", 1))
            start = next(i for i in range(len(argv)) if argv[i : i + len(words)] == words)
            assert argv[:start] + argv[start + len(words) :] == plain


def test_all_ranks_of_a_step_hear_the_warning() -> None:
    """Sent to the script's own process it would reach srun, which then kills them all."""
    request = wanting(tasks_per_node=2, signal_before_end_s=60)
    assert "--signal=TERM@60" in SCHEDULERS["slurm"]().submit_command(request)


@pytest.mark.parametrize(
    ("name", "argv"),
    [
        (
            "slurm",
            """sbatch --parsable --job-name=solve-0123456789.0 --array=0-9%5 --nodes=3
            --ntasks=12 --cpus-per-task=2 --mem=2000M --time=10
            --output=LOGS/%A_%a.out --requeue --ntasks-per-node=4 --gres=gpu:1
            --partition=long --account=materials --constraint=node_type=rome --exclusive
            --mail-type=END,FAIL --mail-user=me@example.org
            --dependency=afterok:12:13 --kill-on-invalid-dep=yes SCRIPT""",
        ),
        (
            "pbs",
            """-S /bin/bash -N solve-0123456789.0 -j oe -o LOGS/
            -l select=3:ncpus=8:mpiprocs=4:ompthreads=2:mem=2000mb:ngpus=1:node_type=rome
            -l walltime=00:10:00 -J 0-9 -W max_run_subjobs=5 -l place=scatter:exclhost
            -q long -A materials -m ae -M me@example.org -W depend=afterok:12:13 SCRIPT""",
        ),
    ],
)
def test_all_resources_at_once(name: str, argv: str) -> None:
    request = replace(
        wanting(**WISHES), script=PurePosixPath("SCRIPT"), log_folder=PurePosixPath("LOGS")
    )
    assert ends(SCHEDULERS[name]().submit_command(request), tuple(argv.split()))


@pytest.mark.parametrize(
    ("memory", "wishes", "asked"),
    [
        ("per_node", {}, ["--mem=2000M"]),
        ("per_cpu", {"cpus": 3, "tasks_per_node": 2}, ["--mem-per-cpu=334M"]),
        ("per_gpu", {"gpus": 3}, ["--mem-per-gpu=667M"]),
        ("none", {}, []),
    ],
)
def test_memory_as_sites_want_it(memory: Any, wishes: dict[str, Any], asked: list[str]) -> None:
    argv = SCHEDULERS["slurm"]().submit_command(wanting(memory=memory, **wishes))
    assert [word for word in argv if word.startswith("--mem")] == asked


def test_memory_that_cannot_be_asked_for_so_is_refused_with_a_remedy() -> None:
    slurm, pbs, local = (SCHEDULERS[name]() for name in ("slurm", "pbs", "local"))
    [words] = slurm.refusals(Resources(memory="per_gpu"))
    assert "no GPU is asked for" in words and "say per_cpu" in words
    for option in ("--mem-per-cpu=1G", "--mem=1G", "--mem-per-g=1"):
        [words] = slurm.refusals(Resources(options=(option,)))
        assert "the cluster's key `memory`" in words
    [words] = pbs.refusals(Resources(memory="per_cpu"))
    assert "say per_node or none" in words
    assert not any(":mem=" in word for word in pbs.submit_command(wanting(memory="none")))
    [words] = local.refusals(Resources(memory="none"))
    assert "say per_node" in words


def test_all_that_is_refused_is_said_at_once() -> None:
    refusals = SCHEDULERS["local"]().refusals(Resources(**WISHES))
    assert len(refusals) == len(WISHES) - 1  # cpus it has


def test_job_ids(case: Case) -> None:
    dialect, expected = case
    for reply, job_id in expected.job_ids:
        assert dialect.parse_submit(reply) == job_id


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("refused", SubmissionRefused),
        ("ambiguous", AmbiguousReply),
        ("full", LimitReached),
        ("too_large", ArrayTooLarge),
        ("outage", TransportError),
    ],
)
def test_a_submit_that_did_not_simply_succeed(
    case: Case, kind: str, error: type[Exception]
) -> None:
    dialect, expected = case
    for reply in getattr(expected, kind):
        with pytest.raises(error) as raised:
            dialect.parse_submit(reply)
        assert type(raised.value) is error
        assert reply.stderr.strip().splitlines()[-1:] == [] or (
            reply.stderr.strip().splitlines()[-1] in str(raised.value)
        ), "the scheduler's own words are kept"


def test_status(case: Case) -> None:
    dialect, expected = case
    assert ends(dialect.status_command(["12", "13"]), expected.status)
    for reply, queue in expected.states:
        status = dialect.parse_status(reply, ["999.pbs1", *queue])
        assert status.queue == queue
        assert not dialect.parse_status(reply, ["4711"]).queue, "what nobody asked for is not told"


def test_a_job_that_is_neither_told_nor_called_unknown_is_silent(case: Case) -> None:
    dialect, expected = case
    for reply, silent in expected.untold:
        assert dialect.parse_status(reply, ["12", "13"]).silent == silent


def test_reasons_to_wait(case: Case) -> None:
    dialect, expected = case
    for reply, reasons in expected.reasons:
        asked = [*reasons, "12", "8", "9", "84[].pbs1", "85.pbs1", "86.pbs1", "88.pbs1"]
        assert dialect.parse_status(reply, asked).reasons == reasons


def test_silence_is_never_an_empty_queue(case: Case) -> None:
    dialect, expected = case
    for reply in expected.silent:
        with pytest.raises(TransportError):
            dialect.parse_status(reply, ["12", "13"])


def test_an_unknown_state_is_unknown_and_said(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    dialect, expected = case
    assert dialect.parse_status(expected.unknown, ["7"]).queue == {"7": {0: S.UNKNOWN}}
    assert "HIBERNATING" in caplog.text


def test_history(case: Case) -> None:
    dialect, expected = case
    command = dialect.history_command(["12", "13"], 3600.0)
    assert ends(command, expected.history) if command and expected.history else not expected.history
    for reply, queue in expected.histories:
        assert dialect.parse_history(reply) == queue
    if expected.history:
        with pytest.raises(TransportError):
            dialect.parse_history(failed("sacct: error: Problem talking to the database\n"))


def test_usage(case: Case) -> None:
    dialect, expected = case
    command = dialect.usage_command(["12", "13"], 3600.0)
    assert ends(command, expected.usage) if command and expected.usage else not expected.usage
    for reply, tries in expected.usages:
        assert dialect.parse_usage(reply) == tries
    if expected.usage:
        with pytest.raises(TransportError):
            dialect.parse_usage(failed("Problem talking to the database\n"))


def test_the_recorded_usage_is_an_answer_to_what_is_asked() -> None:
    asked = SCHEDULERS["slurm"]().usage_command(["1", "2"], 0.0)
    assert asked is not None and {*SLURM_USAGE[0][6:]} <= {*asked, "--parsable2"}


def test_find(case: Case) -> None:
    dialect, expected = case
    assert "t.0" in dialect.find_command("t.0", 0.0)
    for reply, ids in expected.found:
        assert dialect.parse_find(reply, "t.0") == ids
    with pytest.raises(TransportError):
        dialect.parse_find(failed("no answer"), "t.0")


def test_names(case: Case) -> None:
    dialect, expected = case
    reply, names = expected.names
    assert dialect.parse_names(reply) == names


def test_cancel_and_logs(case: Case) -> None:
    dialect, expected = case
    assert ends(dialect.cancel_command(["12", "13"]), expected.cancel)
    assert ends(dialect.cancel_elements_command("12", [3, 5]), expected.cancel_elements)
    for reply in (*expected.gone, said("")):
        dialect.parse_cancel(reply)
    for reply in (*expected.outage, failed("Socket timed out\n"), failed("", 255)):
        with pytest.raises(TransportError):
            dialect.parse_cancel(reply)
    assert str(dialect.log_path(REQUEST.log_folder, "12", 3)) == expected.log


def test_a_hundred_thousand_elements_are_understood_as_fast_as_lines_are_split() -> None:
    text = "".join(f"{4 + i // 1000}|{i % 1000}|RUNNING|None|.\n" for i in range(100_000))
    reply, dialect = said(text), SCHEDULERS["slurm"]()
    ids = [str(4 + n) for n in range(100)]
    queue = dialect.parse_status(reply, ids).queue
    assert len(queue) == 100 and all(len(queue[job_id]) == 1000 for job_id in queue)
    seconds = fastest(lambda: dialect.parse_status(reply, ids))
    assert seconds < 5 * fastest(lambda: [line.split("|") for line in text.splitlines()])
    assert seconds < 0.5


def fastest(work: Callable[[], Any]) -> float:
    """Process time of the best of five."""
    times = []
    for _ in range(5):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def test_a_cut_answer_of_squeue_finds_nothing_and_says_so() -> None:
    with pytest.raises(TransportError, match="cut short"):
        SCHEDULERS["slurm"]().parse_find(said("4|RUNNING|None|t.0|.\n"), "t.0")


def test_names_of_pbs_elements() -> None:
    """An array of one is a plain job; an element's job id leads back to its array's."""
    dialect = SCHEDULERS["pbs"]()
    single = replace(REQUEST, elements=1)
    assert "-J" not in dialect.submit_command(single)
    path = dialect.log_path(PurePosixPath("/logs"), "0[].pbs1", 3)
    assert str(path) == "/logs/0[3].pbs1.OU"
    for job_id, array in (("0[3].pbs1", "0[].pbs1"), ("2.pbs1", "2.pbs1")):
        done = subprocess.run(
            ["bash", "-c", f'printf %s "{dialect.job_id_variable}"'],
            env={"PBS_JOBID": job_id, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == array
