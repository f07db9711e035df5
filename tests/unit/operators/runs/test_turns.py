"""DAG runs that write one campaign run: one after the other, whoever dies meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from hpc_jobs.contract.run import RunHandle
from operators.runs.closing import failed_tasks
from operators.runs.run import folder_of
from operators.runs.turns import DagRun, live_by_airflow, take_turn

NIGHTLY = DagRun("nightly_campaign", "scheduled__2026-11-20T22:00:00+00:00")
SEARCH = DagRun("hyperparameter_search", "manual__a b/#1")


@pytest.fixture
def run(bench) -> RunHandle:
    return bench.open()


def test_a_second_dag_run_waits_until_the_first_has_ended(bench, run):
    live = {NIGHTLY, SEARCH}
    assert take_turn(run, NIGHTLY, live.__contains__, bench.connect) is None
    assert take_turn(run, SEARCH, live.__contains__, bench.connect) == NIGHTLY
    assert take_turn(run, NIGHTLY, live.__contains__, bench.connect) is None  # a retry keeps it
    live.remove(NIGHTLY)
    assert take_turn(run, SEARCH, live.__contains__, bench.connect) is None
    live.add(NIGHTLY)  # cleared, it comes again
    assert take_turn(run, NIGHTLY, live.__contains__, bench.connect) == SEARCH


def test_of_many_at_once_one_takes_the_turn(bench, run):
    together, number = Barrier(6), 6

    def take(index: int) -> DagRun | None:
        together.wait()
        return take_turn(run, DagRun("dag", str(index)), lambda _: True, bench.connect)

    with ThreadPoolExecutor(number) as pool:
        answers = list(pool.map(take, range(number)))
    assert answers.count(None) == 1
    winner = DagRun("dag", str(answers.index(None)))
    assert set(answers) == {None, winner}
    turns = folder_of(run.run_id, run.sites["cpu"]).turn(0).parent
    assert [path.name for path in type(bench.home)(turns).iterdir()] == ["000001.json"]


def test_airflow_knows_whether_a_dag_run_is_at_work():
    asked = []

    def count(**query):
        asked.append(query)
        return int(query["run_ids"] == [NIGHTLY.run_id])

    is_live = live_by_airflow(count)
    assert is_live(NIGHTLY) and not is_live(SEARCH)
    assert asked[0]["states"] == ["queued", "running"]


class Instance:
    dag_id, run_id = "d", "r"

    def __init__(self, **states):
        self.states = states

    def get_task_states(self, **_):
        return {"r": self.states} if self.states else {}


def test_who_failed_comes_before_who_merely_came_after():
    states = {"solve": "failed", "pack": "upstream_failed", "open": "success", "close": "running"}
    assert failed_tasks(Instance(**states)) == ["solve"]
    assert failed_tasks(Instance(pack="upstream_failed", open="success")) == ["pack"]
    assert failed_tasks(Instance(a="success", b="skipped")) == failed_tasks(Instance()) == []
