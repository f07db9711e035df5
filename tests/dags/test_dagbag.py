"""The DAGs load: all of them, fast, and without dragging in what runs on the clusters."""

import json
from typing import get_args

from hpc_jobs.contract.execution import ON_GPU_CLUSTER, Job

DAGS = {
    "hybrid_campaign",
    "nightly_campaign",
    "inverse_validation",
    "retraining",
    "housekeeping",
    "cluster_check",
    "hyperparameter_search",
}

LOAD = """
import inspect, json, logging, sys, time
from airflow.sdk.definitions.context import KNOWN_CONTEXT_KEYS
from airflow.sdk.configuration import conf
DAGS_FOLDER = conf.get("core", "dags_folder")
logging.disable(logging.CRITICAL)
import airflow.sdk
from airflow.dag_processing.dagbag import DagBag
import operators.array.operator, operators.sensors.visible_files  # a warm parser has them
started = time.process_time()  # not the clock: the machine may be busy
bag = DagBag(DAGS_FOLDER)
seconds = time.process_time() - started
heavy = [name for name in ("torch", "numba", "mlflow", "h5py") if name in sys.modules]
print("RESULT", json.dumps({
    "seconds": seconds,
    "errors": {str(k): v for k, v in bag.import_errors.items()},
    "heavy": heavy,
    "dags": {
        dag_id: {
            "schedule": type(dag.timetable).__name__,
            "tasks": sorted(dag.task_ids),
            "doc": dag.doc_md,
            "injected": sorted({
                name
                for task in dag.tasks if hasattr(task, "python_callable")
                for name in inspect.signature(task.python_callable).parameters
                if name in KNOWN_CONTEXT_KEYS
            }),
            "sites": {
                task.job: task.site
                for task in dag.tasks
                if isinstance(task, operators.array.operator.HpcArrayJobOperator)
            },
            "params": {name: dag.params.get_param(name).schema for name in dag.params},
        }
        for dag_id, dag in bag.dags.items()
    },
}))
"""


def load(in_airflow):  # a fresh process each time
    printed = in_airflow(LOAD)
    line = next(line for line in printed.splitlines() if line.startswith("RESULT "))
    return json.loads(line.removeprefix("RESULT "))


def test_the_dagbag(in_airflow):
    bag = load(in_airflow)
    assert bag["errors"] == {}
    assert set(bag["dags"]) == DAGS
    assert bag["heavy"] == []
    assert all(dag["doc"] for dag in bag["dags"].values())


def test_what_people_start_is_not_scheduled_and_all_else_is(in_airflow):
    dags = load(in_airflow)["dags"]
    for by_hand in ("hybrid_campaign", "cluster_check", "hyperparameter_search"):
        assert dags.pop(by_hand)["schedule"] == "NullTimetable"
    assert "NullTimetable" not in {dag["schedule"] for dag in dags.values()}


def test_parsing_is_quick(in_airflow):
    """Below a second of computing for the whole bag; the best of three."""
    assert min(load(in_airflow)["seconds"] for _ in range(3)) < 1.0


def test_no_argument_is_taken_for_airflows_context(in_airflow):
    """Airflow fills arguments that bear the name of something in its context, run_id among them."""
    for dag_id, dag in load(in_airflow)["dags"].items():
        assert set(dag["injected"]) <= {"params", "ti", "outlet_events"}, dag_id


def test_every_form_field_has_a_title_and_a_description(in_airflow):
    for dag_id, dag in load(in_airflow)["dags"].items():
        for name, schema in dag["params"].items():
            assert schema.get("title"), f"{dag_id}.{name}"
            assert schema.get("description_md"), f"{dag_id}.{name}"


def test_jobs_run_where_the_contract_says(in_airflow):
    """Resources are checked against the cluster that the contract names for each job."""
    sites = {}
    for dag in load(in_airflow)["dags"].values():
        sites |= dag["sites"]
    assert sites == {job: "gpu" if job in ON_GPU_CLUSTER else "cpu" for job in get_args(Job)}
