"""Looking at job folders: the real shell on real files, odd names and half-written ones."""

from pathlib import Path, PurePosixPath

import pytest

from hpc_jobs.contract.layout import JobFolder
from hpc_jobs.contract.records import ElementProgress, ElementResult, LockOwner, publish_model
from hpc_jobs.runtime.element import _publish as publish
from operators.cluster.errors import TransportError
from operators.cluster.job import ElementState
from operators.cluster.ledger import by_results
from operators.cluster.reply import Reply
from operators.cluster.scan import (
    Scan,
    first_wins_command,
    indices_command,
    owners_command,
    parse_indices,
    parse_owners,
    parse_scan,
    scan_command,
    set_aside_command,
)
from operators.cluster.transports.local import LocalTransport


def result(element: int, outcome: str) -> ElementResult:
    return ElementResult(
        element=element,
        outcome="done" if outcome == "done" else "failed",
        job_id=f"12_{element}",
        host="node",
        started=0.0,
        wall_s=1.0,
        cpu_s=1.0,
        message='a message that says "outcome": "failed", {and "outcome": "done"}',
        facts={"nested": {"outcome": "failed"}},
    )


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder[Path]:
    made = JobFolder(tmp_path / "a folder; it's $(touch canary)\nhere")
    for element, outcome in ((0, "done"), (1, "failed"), (12, "done")):
        publish(made, result(element, outcome))
    (made.results / ".13.json.k2j3").write_text("{half")
    (made.results / "14.json.try-1").write_text('{"outcome": "failed"}')
    for element in (0, 1, 3):
        made.lock(element).mkdir(parents=True)
        owner = LockOwner(job_id=f"12_{element}", host="node", pid=1)
        publish_model(made.lock(element) / "owner.json", owner)
    (made.locks / "4.try-1").mkdir()
    (made.locks / ".lock-abc").mkdir()
    for element, done in ((3, 40), (0, 100)):
        progress = ElementProgress(done=done, total=100, unit="records of it")
        publish_model(made.progress(element), progress)
    return made


def posix(folder: JobFolder[Path]) -> PurePosixPath:
    return PurePosixPath(str(folder.root))


def test_two_folders_in_one_command(folder: JobFolder[Path], tmp_path: Path) -> None:
    run = LocalTransport(tmp_path).run
    missing = PurePosixPath(tmp_path / "not there")
    one, two = parse_scan(run(scan_command([missing, posix(folder)])), 2)
    assert one == Scan()
    assert two.done | two.failed == {0, 1, 12}
    assert 1 in two.failed
    assert two.locked == {0, 1, 3}
    assert two.progress == (140, 200, "records of it")
    assert not list(tmp_path.rglob("canary"))


def test_an_element_that_hands_over_is_neither_done_nor_failed(
    folder: JobFolder[Path], tmp_path: Path
) -> None:
    publish(folder, result(15, "done").model_copy(update={"outcome": "handed_over"}))
    run = LocalTransport(tmp_path).run
    [found] = parse_scan(run(scan_command([posix(folder)])), 1)
    assert found.handed_over == {15} and not {15} & (found.done | found.failed)
    assert by_results(16, found, {}).failed[15] is ElementState.HANDED_OVER
    assert run(set_aside_command(posix(folder), [(15, 1)])).ok
    assert parse_scan(run(scan_command([posix(folder)])), 1)[0].handed_over == frozenset()


def test_a_message_about_failure_does_not_fail_an_element(
    folder: JobFolder[Path], tmp_path: Path
) -> None:
    [seen] = parse_scan(LocalTransport(tmp_path).run(scan_command([posix(folder)])), 1)
    assert seen.done == {0, 12}


@pytest.mark.parametrize("text", ["", "@\nd 1\n", "@\nd 1\n@\n.\n", "d 1\n."])
def test_a_cut_answer_is_no_answer(text: str) -> None:
    with pytest.raises(TransportError, match="cut short"):
        parse_scan(Reply(0, text, ""), 1)


def test_owners(folder: JobFolder[Path], tmp_path: Path) -> None:
    run = LocalTransport(tmp_path).run
    assert parse_owners(run(owners_command(posix(folder)))) == {"12"}
    assert parse_owners(run(owners_command(PurePosixPath(tmp_path / "none")))) == set()


def test_set_aside_may_be_repeated(folder: JobFolder[Path], tmp_path: Path) -> None:
    run = LocalTransport(tmp_path).run
    for _ in range(2):
        assert run(set_aside_command(posix(folder), [(1, 1), (3, 2), (77, 1)])).ok
    assert not folder.result(1).exists() and not folder.lock(1).exists()
    assert not folder.failed(1).exists()
    assert (folder.results / "1.json.try-1").exists()
    assert (folder.locks / "3.try-2" / "owner.json").exists()
    assert folder.result(0).exists() and folder.lock(0).exists()


def test_index_files_by_one_command(folder: JobFolder[Path], tmp_path: Path) -> None:
    run = LocalTransport(tmp_path).run
    folder.elements(0).write_text("3\n7\n")
    folder.elements(2).write_text("")
    command = indices_command([posix(folder) / f"elements-{n}.txt" for n in range(3)])
    assert parse_indices(run(command), 3) == [(3, 7), None, ()]
    with pytest.raises(TransportError, match="cut short"):
        parse_indices(Reply(0, "@\n3\n", ""), 1)


def test_the_first_of_two_drafts_wins(tmp_path: Path) -> None:
    run, target = LocalTransport(tmp_path).run, tmp_path / "it's; $(touch canary)"
    codes = []
    for number in range(2):
        draft = tmp_path / f"draft {number}"
        draft.write_text(str(number))
        codes.append(run(first_wins_command(PurePosixPath(draft), PurePosixPath(target))).exit_code)
        assert not draft.exists()
    assert codes == [0, 17] and target.read_text() == "0"
    assert not (tmp_path / "canary").exists()


def test_progress_of_many_elements_is_not_read(folder: JobFolder[Path], tmp_path: Path) -> None:
    for number in range(100, 600):
        folder.progress(number).touch()
    [seen] = parse_scan(LocalTransport(tmp_path).run(scan_command([posix(folder)])), 1)
    assert seen.progress is None and seen.done == {0, 12}
