"""Which run goes on: the champion's, or the one that is named; never the latest."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from operators.promotion.origin import announced_run, origin_of, take_turn_task
from operators.runs.run import finish_run
from tests.unit.operators.promotion.test_model_registry import Registry


@pytest.fixture
def runs(bench):
    """The full campaign's run, then a toy's, both completed."""
    full, toy = (
        bench.open("demo-1"),
        bench.open("toy-1"),
    )
    for run in (full, toy):
        finish_run(run, mlflow=bench.mlflow)
    return full, toy


def test_the_sequence_that_once_promoted_a_worse_model(bench, runs):
    """Full campaign promoted, a toy's run refused, a night, a retraining: the first one stays.

    The toy's run had a test set of its own, so that errors could not be compared, and a validation
    that passed; and as the latest run it was what nights went on with.
    """
    full, toy = runs
    with pytest.raises(AirflowSkipException, match=r"no champion.*toy-1.*demo-1"):
        origin_of("demo", None, bench.mlflow)
    first = Registry(bench, "demo-1", "demo")
    assert first.made("full", 0.010).promoted
    second = Registry(bench, "toy-1", "demo")
    second.errors = dict(first.errors)
    worse = second.made("toy", 0.024)
    assert not worse.promoted and "140.0% above" in worse.reason
    found, handle = origin_of("demo", None, bench.mlflow)
    assert (found.run_id, found.why) == ("demo-1", "champion") and handle == full
    found, handle = origin_of("demo", "toy-1", bench.mlflow)
    assert (found.run_id, found.why) == ("toy-1", "chosen") and handle == toy
    # A night on it and a retraining: what is no better than the champion changes nothing
    again = first.made("retrained", 0.0101)
    assert not again.promoted and first.alias("champion") == "1"


def test_a_run_that_is_not_there_is_named_beside_those_that_are(bench, runs):
    with pytest.raises(AirflowFailException, match=r"no run 'nowhere'.*toy-1"):
        origin_of("demo", "nowhere", bench.mlflow)


@dataclass
class Night:
    """A task instance of a night, as far as a turn asks it."""

    dag_id: str = "nightly_campaign"
    run_id: str = "tonight"

    def get_dr_count(self, **_: Any) -> int:
        return 0


def test_a_night_on_a_run_whose_workspace_has_expired_says_what_to_do(bench, runs):
    gone, other = runs
    folder = bench.home / "workspaces/yieldloop/demo-1"
    shutil.rmtree(folder)
    asked = ("demo", gone.run_id, Night(), bench.connect, bench.mlflow)
    with pytest.raises(AirflowFailException, match=r"expired.*ws_restore.*hybrid_campaign.*toy-1"):
        take_turn_task(*asked)
    assert not folder.exists()  # nothing is begun where nothing is
    taken = take_turn_task("demo", other.run_id, Night(), bench.connect, bench.mlflow)
    assert taken is not None and taken.run_id == "toy-1"


@dataclass
class Event:
    timestamp: datetime
    extra: dict[str, Any]


def test_the_run_that_grew_is_the_one_to_train_on():
    early, late = (datetime(2026, 11, day, tzinfo=UTC) for day in (1, 2))
    told = {
        "grown": [Event(late, {"campaign": "demo", "run_id": "demo-2"})],
        "failed": [Event(early, {"campaign": "demo", "run_id": "demo-1"}), Event(late, {})],
    }
    assert announced_run("demo", told) == "demo-2"
    assert announced_run("other", told) is None
    assert announced_run("demo", None) is None
