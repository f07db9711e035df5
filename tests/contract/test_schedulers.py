"""Scheduler dialects: what they say and what they understand, expectations written by hand.

Slurm's answers were given by a Slurm 22.05 (Debian), with and without accounting; batchq's by
the queue of the one-machine stack.
"""

import json
import subprocess
import time
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from operators.cluster.errors import AmbiguousReply, SubmissionRefused, TransportError
from operators.cluster.job import ArrayRequest, Resources
from operators.cluster.job import ElementState as S
from operators.cluster.reply import Reply
from operators.cluster.schedulers import SCHEDULERS
from operators.cluster.schedulers.base import Scheduler
from operators.cluster.transports.recorded import read_transcript

REQUEST = ArrayRequest(
    name="solve-0123456789.0",
    script=PurePosixPath("/ws/it's 100%/jobs/t/script-0.sh"),
    log_folder=PurePosixPath("/ws/it's 100%/jobs/t/logs"),
    elements=10,
    resources=Resources(walltime_s=601, memory_mib=1500, cpus=2),
    partition="long",
    account="materials",
)


def said(text: str, stderr: str = "", exit_code: int = 0) -> Reply:
    return Reply(exit_code, text, stderr)


def failed(stderr: str, exit_code: int = 1) -> Reply:
    return Reply(exit_code, "", stderr)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What one dialect must say and understand."""

    submit: tuple[str, ...]
    gpus: str | None
    """the argument that asks for two GPUs; None: refused"""
    job_ids: list[tuple[Reply, str]]
    refused: list[Reply]
    ambiguous: list[Reply]
    outage: list[Reply]
    status: tuple[str, ...]
    states: list[tuple[Reply, dict[str, dict[int, S]]]]
    silent: list[Reply]
    """answers to the status command that are none"""
    unknown: Reply
    """job 7's element 0 in a state that nobody knows"""
    found: list[tuple[Reply, list[str]]]
    names: tuple[Reply, dict[str, str]]
    cancel: tuple[str, ...]
    history: tuple[str, ...] | None = None
    histories: list[tuple[Reply, dict[str, dict[int, S]]]] = field(default_factory=list)
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
    gpus=None,
    job_ids=[(said("12\n"), "12")],
    refused=[
        failed("batchq: refused: it asks for 8 cpus, this queue has 2\n"),
        failed("sh: 1: batchq: not found\n", 127),
    ],
    ambiguous=[said(""), said("queued!\n"), failed("timed out\n")],
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
    cancel=(
        *("sh", "-c", 'for id; do batchq cancel "$id" || code=$?; done; exit ${code:-0}'),
        *("cancel", "12", "13"),
    ),
)

SLURM = Expected(
    submit=(
        *("sbatch", "--parsable", "--job-name=solve-0123456789.0", "--array=0-9"),
        *("--nodes=1", "--ntasks=1", "--cpus-per-task=2", "--mem=1500M", "--time=11"),
        *("--output=/ws/it's 100%%/jobs/t/logs/%A_%a.out", "--requeue"),
        *("--partition=long", "--account=materials", "/ws/it's 100%/jobs/t/script-0.sh"),
    ),
    gpus="--gres=gpu:2",
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
        failed("sbatch: error: Batch job submission failed: Invalid job array specification\n"),
        failed("sbatch: error: Unable to open file /shared/nothing.sh\n"),
    ],
    ambiguous=[
        failed(
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n"
        ),
        said(""),
        said("Submitted batch job 12\n"),
    ],
    outage=[
        failed(
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller "
            "(connect failure)\n"
        ),
    ],
    status=("squeue", "--me", "--array", "--states=all", "--noheader", "--format=%F|%K|%T"),
    states=[
        (said(""), {}),
        (
            said("4|2|PENDING\n4|1|RUNNING\n4|0|COMPLETED\n2|N/A|PENDING\n7|0|OUT_OF_MEMORY\n"),
            {
                "4": {2: S.PENDING, 1: S.RUNNING, 0: S.COMPLETED},
                "2": {0: S.PENDING},
                "7": {0: S.OUT_OF_MEMORY},
            },
        ),
        (
            said("4|3,7-9%2|PENDING\n4|2|CANCELLED\n5|0-4:2%2|NODE_FAIL\n"),
            {
                "4": {**dict.fromkeys((3, 7, 8, 9), S.PENDING), 2: S.CANCELLED},
                "5": dict.fromkeys((0, 2, 4), S.NODE_FAIL),
            },
        ),
        (
            said("4|0|COMPLETING\n4|1|CONFIGURING\n4|2|DEADLINE\n4|3|BOOT_FAIL\n4|4|PREEMPTED\n"),
            {
                "4": {
                    **{0: S.RUNNING, 1: S.PENDING, 2: S.TIMEOUT},
                    **{3: S.NODE_FAIL, 4: S.PREEMPTED},
                }
            },
        ),
        (said("4|0|RUNNING\n4|1"), {"4": {0: S.RUNNING}}),  # a cut line says nothing
    ],
    silent=[
        failed("slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"),
        failed("slurm_load_jobs error: Socket timed out on send/recv operation\n"),
    ],
    unknown=said("7|0|HIBERNATING\n"),
    found=[
        (said(".\n"), []),
        (said("4|t.0\n4|t.0\n3_0|t.0\n3_[1-4]|t.0\n4_0|t.0\n5|t.01\n.\n"), ["3", "4"]),
    ],
    names=(said("10|t.0\n4|u.0\n4|u.0\n"), {"10": "t.0", "4": "u.0"}),
    cancel=("scancel", "--quiet", "12", "13"),
    history=(
        *("env", "SLURM_BITSTR_LEN=0", "sacct", "--allocations", "--noheader", "--parsable2"),
        *("--format=JobID,State", "--jobs=12,13"),
    ),
    histories=[
        (failed("Slurm accounting storage is disabled\n"), {}),
        (said(""), {}),
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

TRANSCRIPTS = Path(__file__).parents[1] / "transcripts" / "openpbs-23.06"


def openpbs(name: str) -> Reply:
    """What the real OpenPBS said; a failure's words came by stderr."""
    reply = read_transcript(TRANSCRIPTS / f"{name}.txt")[1]
    return reply if reply.ok else Reply(reply.exit_code, "", reply.stdout)


PBS = Expected(
    submit=(
        *("qsub", "-N", "solve-0123456789.0", "-j", "oe", "-o", "/ws/it's 100%/jobs/t/logs/"),
        *("-l", "select=1:ncpus=2:mem=1500mb", "-l", "walltime=00:10:01", "-J", "0-9"),
        *("-q", "long", "-A", "materials", "/ws/it's 100%/jobs/t/script-0.sh"),
    ),
    gpus="select=1:ncpus=1:mem=2000mb:ngpus=2",
    job_ids=[(openpbs("qsub_array"), "0[].pbs1"), (openpbs("qsub_single"), "2.pbs1")],
    refused=[openpbs("qsub_bad_queue"), openpbs("qsub_bad_resource")],
    ambiguous=[said(""), said("qsub: waiting for job\n"), failed("qsub: End of File\n")],
    outage=[failed("qsub: cannot connect to server pbs1 (errno=15010)\n")],
    status=("qstat", "-x", "-t", "-f", "-F", "json", "12", "13"),
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
    silent=[
        openpbs("qstat_gone"),
        failed("qstat: cannot connect to server pbs1 (errno=15010)\n"),
        said(openpbs("qstat_json_running").stdout[:3000]),
        said(""),
    ],
    unknown=said('{"Jobs": {"7": {"job_state": "HIBERNATING"}}}'),
    found=[
        (openpbs("qselect_by_name"), ["0[].pbs1"]),
        (said("10.pbs1\n9.pbs1\n"), ["9.pbs1", "10.pbs1"]),
        (said(""), []),
    ],
    names=(
        said('{"Jobs": {"0[].pbs1": {"Job_Name": "t.0"}, "2.pbs1": {"Job_Name": "u.0"}}}'),
        {"0[].pbs1": "t.0", "2.pbs1": "u.0"},
    ),
    cancel=("qdel", "12", "13"),
    log="/ws/it's 100%/jobs/t/logs/12.OU",
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
    assert dialect.submit_command(REQUEST) == expected.submit


def test_gpus(case: Case) -> None:
    dialect, expected = case
    asked = Resources(gpus=2)
    request = ArrayRequest(
        name="t.0",
        script=REQUEST.script,
        log_folder=REQUEST.log_folder,
        elements=1,
        resources=asked,
    )
    if expected.gpus is None:
        with pytest.raises(SubmissionRefused, match=r"GPU.*another cluster"):
            dialect.submit_command(request)
    else:
        assert expected.gpus in dialect.submit_command(request)


def test_job_ids(case: Case) -> None:
    dialect, expected = case
    for reply, job_id in expected.job_ids:
        assert dialect.parse_submit(reply) == job_id


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("refused", SubmissionRefused),
        ("ambiguous", AmbiguousReply),
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
    assert dialect.status_command(["12", "13"]) == expected.status
    for reply, queue in expected.states:
        assert dialect.parse_status(reply) == queue


def test_silence_is_never_an_empty_queue(case: Case) -> None:
    dialect, expected = case
    for reply in expected.silent:
        with pytest.raises(TransportError):
            dialect.parse_status(reply)


def test_an_unknown_state_is_unknown_and_said(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    dialect, expected = case
    assert dialect.parse_status(expected.unknown) == {"7": {0: S.UNKNOWN}}
    assert "HIBERNATING" in caplog.text


def test_history(case: Case) -> None:
    dialect, expected = case
    assert dialect.history_command(["12", "13"]) == expected.history
    for reply, queue in expected.histories:
        assert dialect.parse_history(reply) == queue
    if expected.history:
        with pytest.raises(TransportError):
            dialect.parse_history(failed("sacct: error: Problem talking to the database\n"))


def test_find(case: Case) -> None:
    dialect, expected = case
    assert "t.0" in dialect.find_command("t.0")
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
    assert dialect.cancel_command(["12", "13"]) == expected.cancel
    assert str(dialect.log_path(REQUEST.log_folder, "12", 3)) == expected.log


def test_a_hundred_thousand_elements_are_understood_within_half_a_second() -> None:
    text = "".join(f"{4 + i // 1000}|{i % 1000}|RUNNING\n" for i in range(100_000))
    reply, dialect = said(text), SCHEDULERS["slurm"]()
    started = time.process_time()
    queue: dict[str, Any] = dict(dialect.parse_status(reply))
    assert time.process_time() - started < 0.5
    assert len(queue) == 100 and len(queue["4"]) == 1000


def test_a_cut_answer_of_squeue_finds_nothing_and_says_so() -> None:
    with pytest.raises(TransportError, match="cut short"):
        SCHEDULERS["slurm"]().parse_find(said("4|t.0\n"), "t.0")


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
