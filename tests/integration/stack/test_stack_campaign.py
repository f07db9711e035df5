"""A whole campaign on a real stack, while its parts are killed one after the other.

One run serves all of this file's tests: each looks at it from another side.
"""

import json
import re
import time
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from hpc_jobs.job_folder.folder import JobFolder
from quickstart.batchq.store import Store
from quickstart.stack import mlflow_settings
from quickstart.stack.components import mlflow_url
from quickstart.stack.supervisor import Stack
from tests.harness.waiting import wait_until
from tests.integration.stack.watched import Array, Campaign, get, kill_worker, wait_for_run

RECORDS = 1248
SETTINGS = (
    "solver=reference",  # slow enough to be killed in the middle
    "specimens.mesh=coarse",
    "specimens.steps_per_output=2",
    "train_records=1100",
    "test_records=148",
    "design.records_per_shard=52",
    "epochs=20",
    "validation.strain_rms_tolerance=0.1",  # of the noise: nobody passes, so retraining follows
    "gate.require_validation=false",  # and there is a champion all the same
)
ARRAY = "simulate.solve_shards"
SILENCE_S = 600


@dataclass(frozen=True)
class Survivor:
    """The campaign after its end, and its FEM array."""

    output: str
    run_id: str
    array: Array
    killed: tuple[str, ...]


@pytest.fixture(scope="module")
def survivor(stack: Stack) -> Survivor:
    """Run a campaign; kill what can be killed while the FEM array computes."""
    campaign = Campaign(stack, SETTINGS)
    try:
        return _survive(stack, campaign)
    finally:
        campaign.process.kill()  # of one that has ended there is nothing to kill


def _survive(stack: Stack, campaign: Campaign) -> Survivor:
    campaign.said(f"{ARRAY}: running", timeout_s=400)
    array = Array.of(stack, campaign.run_id, ARRAY)
    wait_until(lambda: array.locked, 120, "elements are worked on")
    kill_worker(stack, campaign.run_id, ARRAY)
    killed = ["worker"]
    for component in ("batchq-cpu", "airflow-triggerer", "airflow-scheduler"):
        before = stack.roster.running(component)
        assert array.goes_on, f"the array ended before {component} could be killed; make it longer"
        stack.kill(component)
        wait_until(lambda name=component: not stack.roster.running(name), what="killed")
        stack.up()
        assert stack.roster.running(component) not in (None, before)
        killed.append(component)
    assert array.goes_on, "the array ended before its login node was stopped; make it longer"
    stack.down("login-cpu")
    done = len(array.done)
    wait_until(lambda: len(array.done) > done, what="the array goes on without its login node")
    stack.up()
    output = campaign.wait(SILENCE_S)
    return Survivor(output, campaign.run_id, array, tuple(killed))


def test_the_run_completes_and_no_record_is_lost(survivor: Survivor) -> None:
    assert survivor.array.done == survivor.array.elements == list(range(24))
    assert f"(of {RECORDS})" in survivor.output


def test_no_element_is_solved_twice(stack: Stack, survivor: Survivor) -> None:
    assert survivor.array.locked == survivor.array.elements
    assert survivor.array.times_worked_on() == [1] * 24
    owners = [
        json.loads(survivor.array.folder.owner(element).read_text())["job_id"]
        for element in survivor.array.elements
    ]
    assert len({owner.split("_")[0] for owner in owners}) == 1  # one submission, one job
    token = survivor.array.folder.root.name
    jobs = Store(stack.layout.node_queue("cpu")).find()
    [job] = [job for job in jobs if job.request.name.startswith(token)]
    assert all(element.report()["state"] == "COMPLETED" for element in job.elements)


def test_every_task_is_green(stack: Stack, survivor: Survivor) -> None:
    path = f"dags/hybrid_campaign/dagRuns/{survivor.run_id}"
    assert get(stack, path)["state"] == "success"
    tasks = get(stack, f"{path}/taskInstances")["task_instances"]
    assert {task["state"] for task in tasks} <= {"success", "skipped"}
    [array] = [task for task in tasks if task["task_id"] == ARRAY]
    assert array["try_number"] > 1  # its worker was killed, and the retry re-attached


def test_progress_was_shown_and_the_result_printed(survivor: Survivor) -> None:
    for text in (
        "records",
        "epochs",
        "records by status",
        "test error",
        "multitask_cnn",
        "mlp",
        "pca_ridge",
        "identified quantities of each alloy, with 90 % intervals (true)",
        "dp780",
        "tr1180",
        "aa2090",
        "OUTSIDE",
        "cost of computing over cost of learning",
        "gate:",
        "Airflow  http://127.0.0.1:",
        "MLflow   http://127.0.0.1:",
    ):
        assert text in survivor.output, text
    for network in ("multitask_cnn", "mlp"):
        assert re.search(rf"{network} (beats|LOSES to|equals) pca_ridge", survivor.output)


def test_mlflow_has_the_campaign_with_its_children(stack: Stack, survivor: Survivor) -> None:
    base = f"{mlflow_url(stack.ports)}/api/2.0/mlflow"
    login = (mlflow_settings.USER, mlflow_settings.password(stack.layout))
    with httpx.Client(trust_env=False, auth=login) as client:
        found = client.post(f"{base}/experiments/search", json={"max_results": 100})
        ids = [e["experiment_id"] for e in found.raise_for_status().json()["experiments"]]
        query = {"experiment_ids": ids, "max_results": 100}

        def all_runs() -> list[dict[str, Any]]:
            reply = client.post(f"{base}/runs/search", json=query).raise_for_status()
            return list(reply.json()["runs"])

        # What follows the campaign, or the clock starts, may be under way.
        wait_until(
            lambda: all(run["info"]["status"] == "FINISHED" for run in all_runs()),
            600,
            "every run in MLflow is finished",
        )
        runs = all_runs()
    tags = [{tag["key"]: tag["value"] for tag in run["data"]["tags"]} for run in runs]
    children = [tag for tag in tags if "mlflow.parentRunId" in tag]
    assert len(children) >= 3  # two trainings, a validation
    parents = {run["info"]["run_id"] for run in runs}
    assert {child["mlflow.parentRunId"] for child in children} <= parents


def test_clearing_a_finished_task_runs_it_again(stack: Stack, survivor: Survivor) -> None:
    first = Array.of(stack, survivor.run_id, "validate.score").folder
    body = {
        "dry_run": False,
        "dag_run_id": survivor.run_id,
        "task_ids": ["validate.score"],
        "only_failed": False,
    }
    with stack.api() as api:
        api.request("POST", "dags/hybrid_campaign/clearTaskInstances", json=body)
    again = JobFolder(first.root.with_name(f"{first.root.name}.2"))
    wait_until(again.result(0).exists, 180, "the score is computed again")
    wait_for_run(stack, "hybrid_campaign", 180, dag_run_id=survivor.run_id)
    assert again.result(0).stat().st_mtime > first.result(0).stat().st_mtime


def test_a_new_champion_is_validated_and_its_failure_starts_a_retraining(
    stack: Stack, survivor: Survivor
) -> None:
    """Nobody triggers these two: the assets chain them."""
    assert ": promoted" in survivor.output
    validation = wait_for_run(stack, "inverse_validation", 600, run_type="asset_triggered")
    tasks = get(stack, f"dags/inverse_validation/dagRuns/{validation['dag_run_id']}/taskInstances")
    states = {task["task_id"]: task["state"] for task in tasks["task_instances"]}
    assert states["validate.score"] == "success"
    wait_for_run(stack, "retraining", 600, run_type="asset_triggered")


@pytest.mark.parametrize("dag", ["nightly_campaign", "housekeeping"])
def test_what_the_clock_starts_does_its_work(stack: Stack, survivor: Survivor, dag: str) -> None:
    with stack.api() as api:
        assert api.get(f"dags/{dag}")["timetable_summary"]
        body = {"dag_run_id": "test", "conf": {}, "logical_date": None}
        api.create(f"dags/{dag}/dagRuns", body)
    wait_for_run(stack, dag, 600, dag_run_id="test")
    if dag == "nightly_campaign":
        run = survivor.array.folder.root.parents[1]
        assert (run / "rounds" / "001" / "shards").is_dir()


def test_a_second_up_is_harmless_and_quick(
    stack: Stack, first_start_s: float, survivor: Survivor
) -> None:
    before = [stack.roster.running(part.name) for part in stack.components]
    began = time.monotonic()
    stack.up()
    assert time.monotonic() - began < first_start_s / 2
    assert [stack.roster.running(part.name) for part in stack.components] == before
