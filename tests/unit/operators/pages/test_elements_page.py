"""The Elements tab's answer: bounded for any array, nothing lost in the sums."""

import json
import time

import pytest

from hpc_jobs.job_folder.folder import JobFolder
from hpc_jobs.job_folder.probes import Scan
from operators.cluster.job import Resources
from operators.cluster.submission import SubmissionRecord
from operators.pages.array_view import STATES, ArrayView, states_of
from operators.pages.elements_page import SQUARES, elements_document, failures
from tests.unit.operators.conftest import posix

MANY = 100_000


def record(elements, **changed) -> SubmissionRecord:
    values = {"number": 0, "name": "t.0", "submitted": 0.0, "job_ids": ("7",)} | changed
    return SubmissionRecord(elements=tuple(elements), resources=Resources(), **values)


def view(tmp_path, elements: int) -> ArrayView:
    """Every kind of state, finely mixed: the hardest to say briefly."""
    scan = Scan(
        done=frozenset(range(0, elements, 2)),
        failed=frozenset(range(1, elements, 4)),
        locked=frozenset(range(elements)),
    )
    states = states_of(elements, scan, [record(range(elements))])
    causes = {e: f"ValueError: cause {e % 7}" for e in range(1, elements, 4)}
    return ArrayView("solve_shard", JobFolder(posix(tmp_path)), "cpu", [], states, causes)


def test_states_follow_from_what_lies_in_the_folder():
    scan = Scan(
        done=frozenset({0, 5}), failed=frozenset({1}), handed_over=frozenset({3}),
        locked=frozenset({0, 1, 2, 3}),
    )  # fmt: skip
    held = record([7], number=1, job_ids=())
    states = states_of(9, scan, [record(range(7)), held], given_up={4, 5})
    assert states == b"dfrpfdphh", "given up counts, but not against a result; 7 and 8 are held"


def test_a_small_array_has_a_square_for_each_element(tmp_path):
    page = elements_document(view(tmp_path, 8))
    assert (page["size"], page["squares"]) == (1, list("dfdrdfdr"))
    assert page["counts"] == {"d": 4, "f": 2, "r": 2, "p": 0, "h": 0}


def test_the_answer_for_a_hundred_thousand_elements_is_small(tmp_path):
    page = elements_document(view(tmp_path, MANY))
    assert len(json.dumps(page).encode()) < 200 * 1024
    assert len(page["squares"]) <= SQUARES
    summed = [sum(int(s.split(",")[i]) for s in page["squares"]) for i in range(len(STATES))]
    assert dict(zip(STATES, summed, strict=True)) == page["counts"]
    assert sum(summed) == MANY


def test_a_part_of_it_is_shown_element_by_element(tmp_path):
    page = elements_document(view(tmp_path, MANY), first=40, last=79)
    assert (page["first"], page["size"], len(page["squares"])) == (40, 1, 40)
    assert elements_document(view(tmp_path, 8), first=9)["squares"] == []


def test_its_time_grows_no_faster_than_the_array(tmp_path):
    """Answers for ten times as many elements take no more than some ten times as long."""

    def best(elements: int) -> float:
        one = view(tmp_path, elements)
        times = []
        for _ in range(5):
            begun = time.process_time()
            elements_document(one)
            times.append(time.process_time() - begun)
        return min(times)

    assert best(MANY) < 60 * max(best(MANY // 10), 1e-4)


def test_failures_are_grouped_by_cause_the_most_frequent_first():
    groups = failures({3: "b", 1: "a", 4: "b", 9: "b"})
    assert [(g["cause"], g["count"], g["elements"], g["first"]) for g in groups] == [
        ("b", 3, "3-4, 9", 3),
        ("a", 1, "1", 1),
    ]


@pytest.mark.parametrize("causes", [dict.fromkeys(range(MANY), "x" * 9000), {}])
def test_causes_are_cut_short(causes):
    assert len(json.dumps(failures(causes))) < 2000
