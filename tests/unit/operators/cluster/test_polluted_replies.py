"""Every parser against answers that something spoiled on the way.

Whatever arrives: no exception but ours, no id that nobody gave, and nothing concluded about a job
that the whole answer would have told of.
"""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpc_jobs.job_folder import lock_probes, probes
from operators.cluster.errors import ClusterError, PollutedReply
from operators.cluster.job import Status
from operators.cluster.reply import Frame, Reply, parsed
from operators.cluster.schedulers import SCHEDULERS
from operators.cluster.visibility import check
from operators.cluster.workspaces.directory import Directory
from operators.cluster.workspaces.hpc_workspace import HpcWorkspace
from tests.standins.pbs.text import as_text

BANNERS = (
    *("Welcome to cluster7\n", "95%", "95%\n", "95\n", "7", "Last login: Thu\n", "\n", "\x1b[1m"),
    *("12|0|RUNNING|None|.\n", "99.pbs1\n", "d results/3.json\n", "id: x\n", "<\n", ">\n", "\n>\n"),
    *("@\n", ".\n", "Job Id: 99.pbs1\n", "    job_state = F\n", "/home/quota\n", '{"jobs": []}\n'),
)

LIKE_IDS = {"95", "7", "99.pbs1"}
"""Banners that, within the marks, nobody could tell from a job id."""


def whole(text: str) -> str:
    return f"<\n{text}\n>\n"


SLURM, PBS, LOCAL = (SCHEDULERS[name]() for name in ("slurm", "pbs", "local"))
PBS_JOBS = {
    "12[].pbs1": {"Job_Name": "t.0", "job_state": "B", "qtime": "x"},
    "12[0].pbs1": {"Job_Name": "t.0", "job_state": "R", "stime": "x"},
    "12[1].pbs1": {"Job_Name": "t.0", "job_state": "X", "stime": "x", "Exit_status": 0},
    "13.pbs1": {"Job_Name": "u.0", "job_state": "Q", "comment": "Can Never Run: " + "x" * 90},
}
BATCHQ = (
    '{"jobs": [{"id": "12", "name": "t.0", "elements": [{"index": 0, "state": "RUNNING"}]}, '
    '{"id": "13", "name": "u.0", "elements": [{"index": 0, "state": "PENDING"}]}]}\n'
)
SACCT = "12_0|COMPLETED\n12_[1-9%2]|PENDING\n13|CANCELLED by 1000\n"
USAGE = "12_0|100|160|3600|02:03:04|cpu=8,gres/gpu=2\n12_0.batch|100|160|1|00:01|\n"
WS_LIST = (
    "user: hpc\nid: yieldloop\n     workspace directory  : /lustre/hpc-yieldloop\n"
    "     remaining time       : 9 days 23 hours\n     available extensions : 2\n"
)
SCAN = "@\nd results/0.json\nd results/*.json\nf results/1.failed\nl locks/2\n{\n"
SCAN += ' "done": 3,\n "total": 9,\n "unit": "epochs"\n}\n@\n.\n'
IDS = {"slurm": ["12", "13"], "pbs": ["12[].pbs1", "13.pbs1"], "local": ["12", "13"]}


@dataclass(frozen=True)
class Answer:
    """A parser, a whole answer, and which ids it may tell."""

    parse: Callable[[Reply], Any]
    text: str
    ids: frozenset[str] = frozenset()
    """that a result may consist of, or have as keys; empty: it has none"""


def status(name: str) -> Callable[[Reply], Status]:
    return lambda reply: SCHEDULERS[name]().parse_status(reply, IDS[name])


def probe(parse: Callable[..., Any], *more: Any) -> Callable[[Reply], Any]:
    return lambda reply: parsed(parse, reply, *more)


def manifest(reply: Reply) -> Any:
    """The first answer to a check of visibility."""
    steps = check(["/ws/manifest.json"], 0.0)
    next(steps)
    try:
        return steps.send(reply)
    except StopIteration as stop:
        return stop.value


SLURM_QUEUE = "12|0-3%2|PENDING|Priority|.\n12|4|RUNNING|None|.\n13|N/A|PENDING|a|b|.\n"
ANSWERS = {
    "slurm submit": Answer(SLURM.parse_submit, whole("12;vulcan\n"), frozenset({"12"})),
    "slurm status": Answer(status("slurm"), whole(SLURM_QUEUE), frozenset(IDS["slurm"])),
    "slurm history": Answer(SLURM.parse_history, whole(SACCT), frozenset({"12", "13"})),
    "slurm usage": Answer(SLURM.parse_usage, whole(USAGE)),
    "slurm find": Answer(
        lambda reply: SLURM.parse_find(reply, "t.0"),
        whole("12|RUNNING|None|t.0|.\n13|RUNNING|None|u|.\n--\n12_0|t.0\n"),
        frozenset({"12"}),
    ),
    "slurm names": Answer(
        SLURM.parse_names, whole("12|t.0|.\n13|an odd|name|.\n"), frozenset({"12", "13"})
    ),
    "slurm survey": Answer(SLURM.parse_survey, whole("variable SQUEUE_ALL=1\nhidden x\n")),
    "pbs submit": Answer(PBS.parse_submit, whole("12[].pbs1\n"), frozenset({"12[].pbs1"})),
    "pbs status": Answer(status("pbs"), whole(as_text(PBS_JOBS)), frozenset(IDS["pbs"])),
    "pbs usage": Answer(PBS.parse_usage, whole(as_text(PBS_JOBS))),
    "pbs find": Answer(
        lambda reply: PBS.parse_find(reply, "t.0"),
        whole("12[].pbs1\n13.pbs1\n"),
        frozenset(IDS["pbs"]),
    ),
    "pbs names": Answer(
        PBS.parse_names,
        whole("12[].pbs1 13.pbs1\n" + as_text({i: PBS_JOBS[i] for i in IDS["pbs"]})),
        frozenset(IDS["pbs"]),
    ),
    "local submit": Answer(LOCAL.parse_submit, whole("12\n"), frozenset({"12"})),
    "local status": Answer(status("local"), whole(BATCHQ), frozenset(IDS["local"])),
    "local find": Answer(
        lambda reply: LOCAL.parse_find(reply, "t.0"), whole(BATCHQ), frozenset({"12"})
    ),
    "local names": Answer(LOCAL.parse_names, whole(BATCHQ), frozenset({"12", "13"})),
    "directory": Answer(Directory("/ws").parse_path, whole("/ws/x\n")),
    "directory list": Answer(Directory("/ws").parse_list, whole("x\0/ws/x\0")),
    "hpc_workspace": Answer(HpcWorkspace().parse_find, whole("/lustre/hpc-x\n")),
    "hpc_workspace list": Answer(HpcWorkspace().parse_list, whole(WS_LIST)),
    "scan": Answer(probe(probes.parse_scan, 2), SCAN),
    "indices": Answer(probe(probes.parse_indices, 2), "@\n0\n7\n@\n!\n.\n"),
    "owners": Answer(probe(lock_probes.parse_owners), "@\n12_0\n13_4\n.\n"),
    "lock ages": Answer(probe(lock_probes.parse_lock_ages), "@\n3 60\n4 -2\n.\n"),
    "results": Answer(probe(probes.parse_results), '{"element": 0}\n{"element": 1}\n.\n'),
    "books": Answer(probe(probes.parse_books), '{"outcome": "done"}\n.\n'),
    "stale locks": Answer(probe(lock_probes.parse_stale_locks), "4\n.\n"),
    "manifest": Answer(manifest, '{"files": [{"path": "a", "bytes": 1, "sha256": "x"}]}\n'),
}


def outcome(answer: Answer, text: str, exit_code: int = 0) -> Any:
    """What a parser makes of it; one of our errors is as good as an answer."""
    try:
        return answer.parse(Reply(exit_code, text, ""))
    except ClusterError as error:
        return error


def ids_in(result: Any) -> set[str]:
    """Job ids that a result tells of."""
    if isinstance(result, Status):
        return {*result.queue, *result.reasons, *result.silent}
    if isinstance(result, str):
        return {result}
    return set(result) if isinstance(result, dict | list | set) else set()


def live_jobs(result: Any) -> Mapping[str, Any]:
    """What is known to be in the queue; a silent job is not known to be absent."""
    if isinstance(result, Status):
        return {**result.queue, **dict.fromkeys(result.silent)}
    return dict.fromkeys(ids_in(result))


cases = pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())


@cases
def test_a_clean_answer_is_understood(answer: Answer) -> None:
    result = outcome(answer, answer.text)
    assert not isinstance(result, ClusterError)
    if answer.ids:
        assert ids_in(result) == answer.ids


def check_spoiled(answer: Answer, text: str) -> None:
    clean, result = outcome(answer, answer.text), outcome(answer, text)
    if isinstance(result, ClusterError):
        return
    if answer.ids:
        assert ids_in(result) <= answer.ids, "an id that nobody gave"
        assert live_jobs(clean).keys() <= live_jobs(result).keys(), "absence was concluded"


@cases
def test_a_banner_before_or_after(answer: Answer) -> None:
    for banner in BANNERS:
        check_spoiled(answer, banner + answer.text)
        check_spoiled(answer, answer.text + banner)


@cases
def test_every_truncation(answer: Answer) -> None:
    """Cut after any character, or before it."""
    for place in range(len(answer.text)):
        check_spoiled(answer, answer.text[:place])
        check_spoiled(answer, answer.text[place:])


@cases
def test_duplicated_answers(answer: Answer) -> None:
    check_spoiled(answer, answer.text * 2)
    check_spoiled(answer, answer.text + answer.text.replace("12", "4711"))


@cases
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_lines_in_any_order_lines_twice_and_lines_that_are_none(
    answer: Answer, data: st.DataObject
) -> None:
    """Nothing but our errors; what is told all the same is told of known ids."""
    lines = answer.text.splitlines(keepends=True)
    noise = st.sampled_from([*lines, *BANNERS]) | st.text("abc|_\n<>.[]{}", max_size=30)
    more = data.draw(st.lists(noise, max_size=5))
    result = outcome(answer, "".join(data.draw(st.permutations([*lines, *more]))))
    if answer.ids and not isinstance(result, ClusterError):
        assert ids_in(result) <= {*answer.ids, *LIKE_IDS}


@cases
@given(text=st.text(max_size=200), exit_code=st.sampled_from([0, 1, 35, 127, 153, 255]))
@settings(max_examples=20, deadline=None)
def test_anything_at_all(answer: Answer, text: str, exit_code: int) -> None:
    """Out of nothing no job comes, and no empty queue either: there are no marks."""
    for spoiled in (text, whole(text), f"@\n{text}\n.\n"):
        outcome(answer, spoiled, exit_code)
    if answer.ids and "<\n" not in text:
        assert isinstance(outcome(answer, text, 0), ClusterError)


def test_a_polluted_answer_says_what_is_to_be_mended() -> None:
    for name in ("slurm names", "slurm status", "pbs status", "pbs find", "slurm submit"):
        error = outcome(ANSWERS[name], "Welcome\n" + ANSWERS[name].text)
        assert isinstance(error, ClusterError)
        assert "the login shell prints to stdout; make it silent" in str(error), name


NOISE = st.lists(st.sampled_from([b"Welcome\n", b"95%", b"\x00\xff", b"end begin\n"])).map(b"".join)


@given(content=st.binary(max_size=300), before=NOISE, after=NOISE, code=st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_a_frame_cuts_out_the_command_s_own_bytes(
    content: bytes, before: bytes, after: bytes, code: int
) -> None:
    frame = Frame.new()
    begin, end = f"{frame.begin}\n".encode(), f"{frame.end} {code}\n".encode()
    stream = before + begin + content + end + after
    assert frame.content(9, stream, b"words") == (code, content, b"words")
    assert frame.ended(stream) and frame.outside(stream) == before + after
    with pytest.raises(ClusterError):
        frame.content(code, stream[: len(before + begin + content) + 5], b"")
    with pytest.raises(PollutedReply):
        frame.content(code, before + after, b"")


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh"])
def test_a_frame_in_real_shells_with_a_banner(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    frame = Frame.new()
    script = "set -v; echo Welcome; printf 95%%; " + frame.script(
        ["sh", "-c", 'cat; echo "it\'s" >&2; printf "no newline"; exit 7']
    )
    done = subprocess.run([shell, "-c", script + "; echo bye"], input=b"a\0b", capture_output=True)
    code, out, err = frame.content(done.returncode, done.stdout, done.stderr)
    assert (code, out, err) == (7, b"a\0bno newline", b"it's\n")
    assert frame.outside(done.stdout).startswith(b"Welcome\n95%")
