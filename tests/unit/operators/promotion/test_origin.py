"""Which run goes on: the champion's, or the one that is named; never the latest."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from operators.promotion.origin import announced_run, origin_of
from operators.runs.run import finish_run


@pytest.fixture
def runs(bench):
    """The full campaign's run, then a toy's, both completed."""
    full, toy = (
        bench.open("demo-1"),
        bench.open("toy-1", overrides={"design": {"train_records": 600}}),
    )
    for run in (full, toy):
        finish_run(run, mlflow=bench.mlflow)
    return full, toy


def test_the_latest_run_is_not_the_origin_of_a_night(bench, runs):
    full, toy = runs
    with pytest.raises(AirflowSkipException, match=r"no champion.*toy-1.*demo-1"):
        origin_of("demo", None, bench.mlflow)
    make_champion(bench, full)
    found, handle = origin_of("demo", None, bench.mlflow)
    assert (found.run_id, found.why) == ("demo-1", "champion") and handle == full
    found, handle = origin_of("demo", "toy-1", bench.mlflow)
    assert (found.run_id, found.why) == ("toy-1", "chosen") and handle == toy


def test_a_run_that_is_not_there_is_named_beside_those_that_are(bench, runs):
    with pytest.raises(AirflowFailException, match=r"no run 'nowhere'.*toy-1"):
        origin_of("demo", "nowhere", bench.mlflow)


def make_champion(bench, run) -> None:
    """Let the registry have a champion of that run; a name may have been registered before."""
    name, client = "demo-material-identifier", bench.mlflow.client
    with suppress(Exception):
        client.create_registered_model(name)
    tags = {"handle": run.model_dump_json(), "model": "mlp"}
    source, made_by = f"runs:/{run.mlflow_run_id}/model", run.mlflow_run_id
    made = client.create_model_version(name, source, made_by, tags=tags)
    client.set_registered_model_alias(name, "champion", made.version)


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
