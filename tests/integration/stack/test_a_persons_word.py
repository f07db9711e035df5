"""A person is asked by a running Airflow, and answers by its API: yes, no, or not at all."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quickstart.stack.airflow_api import AirflowApi
from quickstart.stack.layout import Layout
from quickstart.stack.supervisor import Stack
from tests.harness.stack_ports import claim_stack_ports
from tests.harness.waiting import wait_until

CHECKOUT = Path(__file__).parents[3]
DAG = "asking"
SOON = 180 / 86400
"""Days. Airflow must first have seen that the task waits, see `parked`."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Start a stack whose only DAG asks a person."""
    checkout = tmp_path_factory.mktemp("asking")
    for entry in CHECKOUT.iterdir():
        if entry.name not in ("dags", ".stack", ".git"):
            (checkout / entry.name).symlink_to(entry)
    ignored = shutil.ignore_patterns("*.h5", "__pycache__", *(f"{dag}.py" for dag in shipped()))
    shutil.copytree(CHECKOUT / "dags", checkout / "dags", ignore=ignored)
    shutil.copy(Path(__file__).with_name("asking_dag.py"), checkout / "dags" / "asking.py")
    stack = Stack(
        Layout(root=tmp_path_factory.mktemp("stack"), checkout=checkout), start_timeout_s=900
    )
    stack.layout.make()
    claim_stack_ports(stack.layout)
    try:
        stack.up()
        yield stack
    finally:
        stack.down()


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[AirflowApi]:
    with stack.api() as api:
        wait_until(lambda: known(api), 600, "Airflow knows the DAG")
        api.request("PATCH", f"dags/{DAG}", json={"is_paused": False})
        yield api


def shipped() -> list[str]:
    return [path.stem for path in (CHECKOUT / "dags").glob("*.py")]


def known(api: AirflowApi) -> bool:
    return any(dag["dag_id"] == DAG for dag in api.get("dags", limit=100)["dags"])


def trigger(api: AirflowApi, name: str, approval_days: float) -> str:
    """Start a run under a name of its own, so that the request may be repeated."""
    body = {"dag_run_id": name, "logical_date": None, "conf": {"approval_days": approval_days}}
    api.create(f"dags/{DAG}/dagRuns", body)
    return f"dags/{DAG}/dagRuns/{name}"


def waits(api: AirflowApi, run: str) -> dict[str, Any] | None:
    """Return what a person is shown, once the task waits for one."""
    asking = api.get(f"{run}/taskInstances/ask_person")
    assert asking["state"] not in ("failed", "upstream_failed", "success"), asking
    if asking["state"] != "awaiting_input":
        return None
    shown: dict[str, Any] = api.get(f"{run}/taskInstances/ask_person/-1/hitlDetails")
    return shown


def parked(stack: Stack, name: str) -> bool:
    """Whether the scheduler has heard of the worker's end, which no person is quicker than.

    A task that is to go on already when its worker's end is told counts as failed, for Airflow.
    """
    log = stack.layout.log("airflow-scheduler").read_text()
    return f"TaskInstance Finished: dag_id={DAG}, task_id=ask_person, run_id={name}," in log


def decision(api: AirflowApi, run: str) -> dict[str, Any]:
    """Return what was decided, once the run has ended; it must end green."""

    def ended() -> str | None:
        state = str(api.get(run)["state"])
        return state if state in ("success", "failed") else None

    assert wait_until(ended, 600, f"{run} has ended") == "success"
    path = f"{run}/taskInstances/decided/xcomEntries/return_value"
    value = api.get(path, deserialize=False)["value"]
    found: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
    return found


@pytest.mark.parametrize(("option", "promoted"), [("Promote", True), ("Reject", False)])
def test_who_answers_decides_and_the_reason_is_kept(
    stack: Stack, api: AirflowApi, option: str, promoted: bool
) -> None:
    name = f"answered-{option}"
    run = trigger(api, name, approval_days=3.0)
    shown: Any = wait_until(lambda: waits(api, run), 600, "a person is asked")
    wait_until(lambda: parked(stack, name), 600, "the scheduler knows that the task waits")
    assert shown["subject"] == "Promote mlp to champion of demo?"
    assert "20 % better" in shown["body"] and shown["options"] == ["Promote", "Reject"]
    reason = f"because {option}"
    answer = {"chosen_options": [option], "params_input": {"reason": reason}}
    api.request("PATCH", f"{run}/taskInstances/ask_person/-1/hitlDetails", json=answer)
    found = decision(api, run)
    assert found["promoted"] is promoted
    assert found["word"]["reason"] == reason and reason in found["reason"]
    assert found["decided_by"] == found["word"]["by"] != ""


def test_silence_never_promotes(api: AirflowApi) -> None:
    found = decision(api, trigger(api, "silent", SOON))
    assert not found["promoted"] and found["decided_by"] == "rules"
    assert found["word"]["answer"] == "no answer"
    assert "clear the task ask_person" in found["reason"]
