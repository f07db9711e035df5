"""Who gets another try, and with what."""

from operators.cluster.job import ElementState as S
from operators.cluster.job import Resources
from operators.cluster.retry import MOST_TRIES, grouped, worth_another_try
from operators.cluster.submission import SubmissionRecord

ASKED = Resources(walltime_s=100, memory_mib=1000, cpus=2)


def records(*again: dict[str, str], resources: Resources = ASKED) -> list[SubmissionRecord]:
    """One submission of elements 0 to 3, and one for each mapping of causes."""
    first = SubmissionRecord(
        number=0, name="t.0", submitted=0.0, elements=(0, 1, 2, 3), resources=ASKED
    )
    return [first] + [
        SubmissionRecord(
            number=number,
            name=f"t.{number}",
            submitted=0.0,
            elements=(0, 1, 2, 3),
            resources=resources,
            again=causes,
        )
        for number, causes in enumerate(again, 1)
    ]


def test_an_element_may_fail_so_often_by_itself() -> None:
    failed = {0: S.FAILED, 1: S.OUT_OF_MEMORY, 2: S.LOST}
    assert worth_another_try(failed, records(), 2) == failed
    assert worth_another_try(failed, records(), 1) == {}
    assert worth_another_try(failed, records({"TIMEOUT": "0", "FAILED": "1"}), 2) == {2: S.LOST}


def test_what_a_node_or_a_more_urgent_job_did_does_not_count() -> None:
    again = [{"NODE_FAIL": "0-1"}, {"PREEMPTED": "0-1"}]
    assert worth_another_try({0: S.FAILED}, records(*again), 2) == {0: S.FAILED}
    assert worth_another_try({0: S.PREEMPTED}, records(*again), 1) == {0: S.PREEMPTED}


def test_what_hands_over_is_continued_and_keeps_its_tries() -> None:
    again = [{"HANDED_OVER": "0"}] * (2 * MOST_TRIES)
    assert worth_another_try({0: S.HANDED_OVER}, records(*again), 1) == {0: S.HANDED_OVER}
    assert worth_another_try({0: S.FAILED}, records(*again), 2) == {0: S.FAILED}
    assert worth_another_try({0: S.FAILED}, records(*again, {"FAILED": "0"}), 2) == {}


def test_nothing_is_tried_for_ever() -> None:
    again = [{"NODE_FAIL": "0-3"}] * (MOST_TRIES - 1)
    assert worth_another_try({0: S.NODE_FAIL}, records(*again), 3) == {}


def test_elements_are_grouped_by_what_they_need() -> None:
    failed = {0: S.TIMEOUT, 1: S.OUT_OF_MEMORY, 2: S.NODE_FAIL, 3: S.FAILED}
    found = {tuple(members): asked for asked, members in grouped(failed, records())}
    assert found == {
        (0,): Resources(walltime_s=150, memory_mib=1000, cpus=2),
        (1,): Resources(walltime_s=100, memory_mib=1500, cpus=2),
        (2, 3): ASKED,
    }


def test_growth_goes_on_from_what_was_used_last() -> None:
    before = records({"OUT_OF_MEMORY": "0-3"}, resources=ASKED.grown([S.OUT_OF_MEMORY]))
    [(asked, _)] = grouped({1: S.OUT_OF_MEMORY}, before)
    assert asked.memory_mib == 2250


def test_a_record_survives_its_file() -> None:
    record = records({"TIMEOUT": "0,2-3"})[1]
    assert SubmissionRecord.decode(record.encode()) == record
