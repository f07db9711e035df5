"""The ledger: what may be believed, and when."""

import pytest

from hpc_jobs.job_folder.probes import Scan
from operators.cluster.job import ElementState as S
from operators.cluster.job import Resources, Status, Submission, compress, expand
from operators.cluster.ledger import Ledger, Snapshot, by_results

GRACE_S = 60.0


def scan(done: set[int] = frozenset(), failed: set[int] = frozenset()) -> Scan:  # type: ignore[assignment]
    return Scan(done=frozenset(done), failed=frozenset(failed))


def counts(snapshot: Snapshot) -> tuple[int, int, int, int, int]:
    s = snapshot
    return s.done, len(s.failed), s.running, s.pending, s.unknown


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(3, [Submission(0, ("7",), (0, 1, 2))], GRACE_S)


def test_results_outrank_the_scheduler(ledger: Ledger) -> None:
    queue = {"7": {0: S.RUNNING, 1: S.FAILED, 2: S.PENDING}}
    seen = ledger.update(Status(queue), scan({0, 1}), 0.0)
    assert counts(seen) == (2, 0, 0, 1, 0)


def test_a_failed_result_fails_although_the_scheduler_says_completed(ledger: Ledger) -> None:
    queue = {"7": {0: S.COMPLETED, 1: S.COMPLETED, 2: S.COMPLETED}}
    seen = ledger.update(Status(queue), scan({0, 2}, failed={1}), 0.0)
    assert seen.failed == {1: S.FAILED}
    assert seen.settled


def test_not_in_the_queue_is_not_done(ledger: Ledger) -> None:
    seen = ledger.update(Status({}), scan({0}), 1000.0)
    assert counts(seen) == (1, 0, 0, 0, 2)
    assert not seen.settled


def test_lost_only_after_the_grace_period(ledger: Ledger) -> None:
    ledger.update(Status({}), scan({0}), 1000.0)
    assert counts(ledger.update(Status({}), scan({0}), 1000.0 + GRACE_S - 1))[4] == 2
    seen = ledger.update(Status({}), scan({0, 1}), 1000.0 + GRACE_S)
    assert seen.failed == {2: S.LOST}, "element 1 turned up in time"


def test_completed_without_a_result_has_the_grace_period_too(ledger: Ledger) -> None:
    queue = {"7": dict.fromkeys(range(3), S.COMPLETED)}
    assert counts(ledger.update(Status(queue), scan({0, 1}), 0.0)) == (2, 0, 0, 0, 1)
    assert ledger.update(Status(queue), scan({0, 1}), GRACE_S).failed == {2: S.LOST}


def test_an_element_that_comes_back_is_not_lost(ledger: Ledger) -> None:
    ledger.update(Status({}), scan(), 0.0)
    ledger.update(Status({"7": dict.fromkeys(range(3), S.RUNNING)}), scan(), 50.0)
    assert counts(ledger.update(Status({}), scan(), 70.0))[4] == 3


def test_an_outage_does_not_count(ledger: Ledger) -> None:
    ledger.update(Status({}), scan(), 0.0)
    ledger.interrupted()
    assert counts(ledger.update(Status({}), scan(), 10 * GRACE_S))[4] == 3


@pytest.mark.parametrize(
    "cause", [S.FAILED, S.CANCELLED, S.TIMEOUT, S.OUT_OF_MEMORY, S.NODE_FAIL, S.PREEMPTED]
)
def test_a_bad_end_counts_at_once(ledger: Ledger, cause: S) -> None:
    queue = {"7": {0: cause, 1: S.RUNNING, 2: S.RUNNING}}
    assert ledger.update(Status(queue), scan(), 0.0).failed == {0: cause}


def test_an_unknown_state_is_neither_lost_nor_failed(ledger: Ledger) -> None:
    queue = {"7": dict.fromkeys(range(3), S.UNKNOWN)}
    ledger.update(Status(queue), scan(), 0.0)
    assert counts(ledger.update(Status(queue), scan(), 100 * GRACE_S)) == (0, 0, 0, 0, 3)


def test_a_second_try_is_judged_by_its_own_end() -> None:
    first, second = Submission(0, ("7",), (0, 1, 2)), Submission(1, ("8",), (2,))
    ledger = Ledger(3, [first, second], GRACE_S)
    old = {0: S.COMPLETED, 1: S.COMPLETED, 2: S.FAILED}
    assert counts(ledger.update(Status({"7": old}), scan({0, 1}), 0.0))[4] == 1, (
        "8 is not visible yet"
    )
    seen = ledger.update(Status({"7": old, "8": {0: S.TIMEOUT}}), scan({0, 1}), 1.0)
    assert seen.failed == {2: S.TIMEOUT}
    assert ledger.tries(2) == 2 and ledger.tries(0) == 1


def test_any_live_twin_keeps_an_element_alive() -> None:
    ledger = Ledger(1, [Submission(0, ("7", "8"), (0,))], GRACE_S)
    seen = ledger.update(Status({"7": {0: S.RUNNING}, "8": {0: S.COMPLETED}}), scan(), 0.0)
    assert counts(seen) == (0, 0, 1, 0, 0)


def test_a_job_that_was_not_answered_is_never_lost() -> None:
    """Asked for with others and not told: nothing follows, however long it lasts."""
    ledger = Ledger(2, [Submission(0, ("7",), (0,)), Submission(1, ("8",), (1,))], GRACE_S)
    for now_s in (0.0, GRACE_S, 10 * GRACE_S):
        seen = ledger.update(Status({"7": {0: S.RUNNING}}, silent=frozenset({"8"})), scan(), now_s)
        assert counts(seen) == (0, 0, 1, 0, 1)
    assert ledger.unseen(Status({}, silent=frozenset({"8"})), scan()) == ["7"]
    assert ledger.update(Status({"7": {0: S.RUNNING}}), scan(), 10 * GRACE_S + 1).failed == {}, (
        "its time begins when it is called unknown"
    )


def test_what_only_the_accounting_calls_live_is_lost_after_the_grace_period(
    ledger: Ledger,
) -> None:
    """A runaway job: its record was never closed, and the whole queue answers without it."""
    rumour = Status({}, hearsay={"7": {0: S.RUNNING, 1: S.PENDING, 2: S.COMPLETED}})
    assert counts(ledger.update(rumour, scan({2}), 0.0)) == (1, 0, 1, 1, 0)
    assert ledger.update(rumour, scan({2}), GRACE_S).failed == {0: S.LOST, 1: S.LOST}


def test_a_bad_end_that_only_the_accounting_knows_counts_at_once(ledger: Ledger) -> None:
    over = Status({"7": {1: S.RUNNING, 2: S.RUNNING}}, hearsay={"7": {0: S.TIMEOUT, 1: S.FAILED}})
    assert ledger.update(over, scan(), 0.0).failed == {0: S.TIMEOUT}, "the queue says that 1 runs"


def test_elements_that_wait_for_room_are_neither_lost_nor_settled() -> None:
    sent, held = Submission(0, ("7",), (0, 1)), Submission(1, (), (2,))
    ledger = Ledger(5, [sent, held], GRACE_S)
    for now_s in (0.0, 100 * GRACE_S):
        seen = ledger.update(Status({"7": {}}), scan({0, 1}), now_s)
        assert seen.held == 3 and not seen.settled and not seen.failed
    assert "3 waiting for room in the queue" in seen.line


def test_only_jobs_that_matter_are_asked_of_the_accounting() -> None:
    submissions = [Submission(0, ("7",), (0, 1)), Submission(1, ("8",), (1,))]
    ledger = Ledger(2, submissions, GRACE_S)
    assert ledger.unseen(Status({}), scan({0})) == ["8"]
    assert ledger.unseen(Status({"8": {0: S.RUNNING}}), scan({0})) == []
    assert ledger.unseen(Status({}), scan({0, 1})) == []


def test_an_index_beyond_the_file_is_ignored(ledger: Ledger) -> None:
    queue = {"7": {0: S.RUNNING, 1: S.RUNNING, 2: S.RUNNING, 3: S.FAILED}}
    assert counts(ledger.update(Status(queue), scan(), 0.0)) == (0, 0, 3, 0, 0)


def test_by_results_believes_causes_only_without_a_good_result() -> None:
    seen = by_results(4, scan({0, 1}, failed={2}), {1: S.LOST, 2: S.TIMEOUT, 3: S.NODE_FAIL})
    assert seen.failed == {2: S.TIMEOUT, 3: S.NODE_FAIL}
    assert seen.done == 2 and seen.settled


def test_a_hundred_thousand_elements_are_judged_within_half_a_second() -> None:
    import time

    n = 100_000
    ledger = Ledger(n, [Submission(0, ("7",), tuple(range(n)))], GRACE_S)
    queue = {"7": dict.fromkeys(range(n), S.RUNNING)}
    seen = scan(set(range(0, n, 2)))
    started = time.process_time()
    assert ledger.update(Status(queue), seen, 0.0).done == n // 2
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([4], "4"), ([0, 1, 2, 7], "0-2,7"), ([9, 3, 4], "3-4,9")]
)
def test_ranges(numbers: list[int], text: str) -> None:
    assert compress(numbers) == text
    assert expand(text) == sorted(numbers)


def test_steps_and_nonsense() -> None:
    assert expand("0-6:2") == [0, 2, 4, 6]
    with pytest.raises(ValueError, match="0-2,7"):
        expand("0..3")


def test_growth_follows_the_cause() -> None:
    asked = Resources(walltime_s=100, memory_mib=1000, cpus=2, gpus=1)
    assert asked.grown([S.FAILED, S.NODE_FAIL]) == asked
    assert asked.grown([S.OUT_OF_MEMORY]).memory_mib == 1500
    assert asked.grown([S.OUT_OF_MEMORY]).walltime_s == 100
    assert asked.grown([S.TIMEOUT, S.FAILED]).walltime_s == 150
