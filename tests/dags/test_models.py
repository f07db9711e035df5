"""What travels between tasks is JSON; what their functions take and return are models."""

import inspect
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hpc_jobs.contract.report import Champion, RoundPlan

sys.path.insert(0, str(Path(__file__).parents[2] / "dags"))
from yieldloop_dags.models import takes_models

PLAN = RoundPlan(round=1, train_records=2, records=3, shards=4)


@takes_models
def grow(plan: RoundPlan, before: Champion | None = None, **more: Any) -> RoundPlan:
    """Add what is more."""
    assert before is None or isinstance(before, Champion)
    return plan.model_copy(update={"records": plan.records + sum(more.values())})


def test_json_is_read_and_a_model_is_written() -> None:
    answer = grow(PLAN.model_dump(mode="json"), more=5)
    assert json.loads(json.dumps(answer)) == PLAN.model_dump() | {"records": 8}
    assert grow(plan=PLAN) == PLAN.model_dump(), "a model may be handed over as it is"
    champion = Champion(run_id="r", model="m", version="1").model_dump()
    assert grow(PLAN.model_dump(), before=champion) == grow(PLAN.model_dump(), before=None)


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValidationError, match=r"(?s)RoundPlan.*shards"):
        grow({"round": 1, "train_records": 2, "records": 3})


def test_airflow_sees_the_function_as_it_is_written() -> None:
    assert list(inspect.signature(grow).parameters) == ["plan", "before", "more"]
    assert (grow.__name__, grow.__doc__) == ("grow", "Add what is more.")


def test_a_task_that_takes_no_model_keeps_what_it_is_given() -> None:
    @takes_models
    def plain(params: dict[str, Any], run: Champion | None) -> str:
        assert run is None
        return str(params["x"])

    assert plain({"x": 1}, None) == "1"
