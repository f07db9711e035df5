"""The two sides of a job folder against each other: the real writer, and the real shell."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pytest

from hpc_jobs.contract.records import ElementResult, read_model
from hpc_jobs.job_folder import lock_probes, names, probe_replies, probes
from hpc_jobs.job_folder.folder import (
    ElementProgress,
    JobFolder,
    LockOwner,
    lock_owner,
    progress_of,
)
from hpc_jobs.job_folder.writer import owns_lock, publish_progress, publish_result, take_lock

SHELLS = [shell for shell in ("dash", "bash", "ksh", "mksh") if shutil.which(shell)]
UGLY = ("plain", "a folder; it's $(touch canary)\nhere", '"quoted" \\ and `touch canary`', "-n *")


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=UGLY)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> JobFolder[Path]:
    return JobFolder(tmp_path / request.param)


@pytest.fixture(autouse=True)
def nothing_was_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """No part of a name is ever a command."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(tmp_path.rglob("canary"))


def run(shell: str, argv: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    assert argv[0] == "sh"
    return subprocess.run([shell, *argv[1:]], capture_output=True, text=True, check=False)


def posix(folder: JobFolder[Path]) -> PurePosixPath:
    return PurePosixPath(folder.root)


def result(element: int, outcome: str, job_id: str = "12_0") -> str:
    told = ElementResult(
        element=element,
        outcome=outcome,
        job_id=job_id,
        host="node",
        started=0.0,
        wall_s=1.0,
        cpu_s=1.0,
        message='a message that says "outcome": "failed",\n@\n.\n{and "done": 7',
        facts={"nested": {"outcome": "failed"}, "unit": "µm"},
    )
    return told.model_dump_json(indent=1)


def scanned(shell: str, *folders: PurePosixPath) -> list[probes.Scan]:
    done = run(shell, probes.scan_command(folders))
    assert (done.returncode, done.stderr) == (0, "")
    return probes.parse_scan(done.stdout, len(folders))


def test_a_scan_sees_what_elements_wrote(shell: str, folder: JobFolder[Path]) -> None:
    ends = {0: "done", 1: "failed", 2: "handed_over", 12: "done"}
    for element in (*ends, 3):
        assert take_lock(folder, element, f"12_{element}")
    publish_progress(folder, 3, ElementProgress(40, 100, "records of it"))
    publish_progress(folder, 0, ElementProgress(100, 100, "records of it"))
    for element, outcome in ends.items():
        publish_result(folder, element, outcome, result(element, outcome))
    (folder.results / ".13.json.k2j3").write_text("{half")
    (folder.locks / f"{names.LOCK_DRAFT}abc").mkdir()
    assert scanned(shell, posix(folder), posix(folder) / "none") == [
        probes.Scan(
            done=frozenset({0, 12}),
            failed=frozenset({1}),
            handed_over=frozenset({2}),
            locked=frozenset({0, 1, 2, 3, 12}),
            progress=(140, 200, "records of it"),
            speakers=2,
        ),
        probes.Scan(),
    ]
    assert sorted(progress_of(folder), key=lambda each: each.done) == [
        ElementProgress(40, 100, "records of it"),
        ElementProgress(100, 100, "records of it"),
    ]


def test_a_mark_stands_before_its_result_does(shell: str, folder: JobFolder[Path]) -> None:
    """Killed between the two, an element has not ended, and is never taken for done."""
    for element, outcome in ((0, "failed"), (1, "handed_over")):
        folder.result(element).mkdir(parents=True)  # publishing cannot replace a folder
        with pytest.raises(IsADirectoryError):
            publish_result(folder, element, outcome, result(element, outcome))
        folder.result(element).rmdir()
    [scan] = scanned(shell, posix(folder))
    assert (scan.done, scan.failed, scan.handed_over) == (frozenset(), {0}, {1})
    with pytest.raises(ValueError, match="outcome is 'lost'; choose from done, failed, handed"):
        publish_result(folder, 2, "lost", "{}")


def test_results_come_back_as_they_were_written(shell: str, folder: JobFolder[Path]) -> None:
    command = probes.results_command(posix(folder))
    assert probes.parse_results(run(shell, command).stdout) == []
    for element in (0, 7, 10):
        publish_result(folder, element, "done", result(element, "done"))
    (folder.results / f"7{names.DOCUMENT}{names.TRY}1").write_text('{"outcome": "failed"}')
    text = run(shell, command).stdout
    found = [ElementResult.model_validate(each) for each in probes.parse_results(text)]
    assert sorted(found, key=lambda each: each.element) == [
        read_model(ElementResult, folder.result(element)) for element in (0, 7, 10)
    ]
    with pytest.raises(probe_replies.CutShort, match="results"):
        probes.parse_results(text[:-2])


def test_of_two_jobs_one_takes_the_lock(shell: str, folder: JobFolder[Path]) -> None:
    assert lock_owner(folder, 4) is None
    assert take_lock(folder, 4, "12_0") and not take_lock(folder, 4, "13_0")
    assert take_lock(folder, 4, "12_0"), "the scheduler started this very job again"
    assert owns_lock(folder, 4, "12_0") and not owns_lock(folder, 4, "13_0")
    assert lock_owner(folder, 4) == LockOwner("12_0", os.uname().nodename, os.getpid())
    assert os.listdir(folder.locks) == ["4"], "the loser's draft is gone"
    take_lock(folder, 5, "14[2].server")
    take_lock(folder, 6, names.BY_HAND)
    command = lock_probes.owners_command(posix(folder))
    owners = lock_probes.parse_owners(run(shell, command).stdout)
    assert owners == {"12", "14[2].server", names.BY_HAND}
    elsewhere = lock_probes.owners_command(posix(folder) / "x")
    assert lock_probes.parse_owners(run(shell, elsewhere).stdout) == set()
    folder.owner(4).write_text('{"job_id"')
    assert lock_owner(folder, 4) is None and not owns_lock(folder, 4, "12_0")


def test_what_is_set_aside_makes_room_and_stays(shell: str, folder: JobFolder[Path]) -> None:
    for element, outcome in ((1, "failed"), (2, "handed_over"), (11, "failed")):
        take_lock(folder, element, "12_0")
        publish_result(folder, element, outcome, result(element, outcome))
    take_lock(folder, 3, "12_0")  # killed: it left a lock alone
    for _ in range(2):  # whoever was cut off does it again
        pairs = [(1, 1), (2, 1), (3, 2), (77, 1)]
        assert run(shell, probes.set_aside_command(posix(folder), pairs)).returncode == 0
    assert scanned(shell, posix(folder)) == [
        probes.Scan(failed=frozenset({11}), locked=frozenset({11}))
    ]
    old = folder.results / f"1{names.DOCUMENT}{names.TRY}1"
    assert json.loads(old.read_text())["outcome"] == "failed"
    assert (folder.locks / f"3{names.TRY}2" / names.OWNER).exists()
    assert not owns_lock(folder, 1, "12_0"), "the element that was given up learns it"
    assert take_lock(folder, 1, "13_0")
    publish_result(folder, 1, "done", result(1, "done", "13_0"))
    assert scanned(shell, posix(folder))[0].done == {1}


def test_index_files_by_one_command(shell: str, folder: JobFolder[Path]) -> None:
    folder.root.mkdir()
    folder.elements(0).write_text("3\n7\n")
    folder.elements(2).write_text("")
    at = JobFolder(posix(folder))
    done = run(shell, probes.indices_command([at.elements(n) for n in range(3)]))
    assert probes.parse_indices(done.stdout, 3) == [(3, 7), None, ()]
    with pytest.raises(probe_replies.CutShort, match="index files"):
        probes.parse_indices(done.stdout, 2)


def test_the_first_of_two_drafts_wins(shell: str, folder: JobFolder[Path]) -> None:
    folder.root.mkdir()
    at, codes = JobFolder(posix(folder)), []
    for number in range(2):
        draft = folder.root / f"draft {number}"
        draft.write_text(str(number))
        command = probes.first_wins_command(PurePosixPath(draft), at.submission(0))
        codes.append(run(shell, command).returncode)
        assert not draft.exists()
    assert codes == [0, probes.LOST] and folder.submission(0).read_text() == "0"


def test_books_hold_ends_and_open_records(shell: str, folder: JobFolder[Path]) -> None:
    run_folder = PurePosixPath(folder.root)
    command = probes.books_command(run_folder)
    assert probes.parse_books(run(shell, command).stdout) == []
    ended, open_ = (JobFolder(folder.root / names.JOBS / token) for token in ("a b", "it's"))
    for job in (ended, open_):
        job.root.mkdir(parents=True)
        job.submission(0).write_text('{"number": 0}\n')
        job.submission(1).write_text('{"number": 1}\n')
    ended.finished.write_text('{"outcome": "done"}')
    text = run(shell, command).stdout
    found = sorted(probes.parse_books(text), key=str)
    assert found == [{"number": 0}, {"number": 1}, {"outcome": "done"}]
    with pytest.raises(probe_replies.CutShort, match="books"):
        probes.parse_books(text[:-1])


def test_stale_locks_go_once_a_job_is_history(shell: str, folder: JobFolder[Path]) -> None:
    old, young, alive = (
        JobFolder(folder.root / names.JOBS / token) for token in ("old", "young", "alive")
    )
    for job in (old, young, alive):
        take_lock(job, 0, "12_0")
        take_lock(job, 1, "12_1")
        publish_result(job, 0, "done", result(0, "done"))
    for job in (old, young):
        job.finished.write_text("{}")
    os.utime(old.finished, (0, 0))
    for removed in (1, 0):
        command = lock_probes.stale_locks_command(PurePosixPath(old.root.parent), 3600)
        assert lock_probes.parse_stale_locks(run(shell, command).stdout) == removed
    assert [sorted(os.listdir(job.locks)) for job in (old, young, alive)] == [
        ["0"],
        ["0", "1"],
        ["0", "1"],
    ]
    command = lock_probes.stale_locks_command(PurePosixPath(folder.root / "none"), 3600)
    assert lock_probes.parse_stale_locks(run(shell, command).stdout) == 0
    with pytest.raises(probe_replies.CutShort, match="stale locks"):
        lock_probes.parse_stale_locks("3\n")


def test_progress_of_many_elements_is_not_read(shell: str, folder: JobFolder[Path]) -> None:
    publish_result(folder, 0, "done", result(0, "done"))
    publish_progress(folder, 0, ElementProgress(1, 2, "records"))
    for number in range(100, 600):
        folder.progress(number).touch()
    [scan] = scanned(shell, posix(folder))
    assert scan.progress is None and scan.done == {0}
    with pytest.raises(ValueError, match="no progress of an element"):
        progress_of(folder)


@pytest.mark.parametrize("text", ["", "@\nd 1\n", "@\nd 1\n@\n.\n", "d 1\n."])
def test_a_cut_answer_is_no_answer(text: str) -> None:
    with pytest.raises(probe_replies.CutShort, match="job folders"):
        probes.parse_scan(text, 1)
