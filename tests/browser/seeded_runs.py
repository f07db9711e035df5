"""DAG runs that have ended, put into Airflow's database with what their tasks handed over."""

import json
import subprocess
import sys

from quickstart.stack.components import airflow_environment
from quickstart.stack.supervisor import Stack
from tests.harness.reports import GATE, REPORT, array_report
from tests.harness.waiting import wait_until

HANDLE = {
    "run_id": "demo-20261120-100000-abc",
    "campaign": "demo",
    "code_sha256": "0" * 64,
    "sites": {
        site: {"cluster": name, "workspace": "/ws"}
        for site, name in (("cpu", "cpu"), ("gpu", "ai"))
    },
    "networks": 2,
    "measurements": 3,
    "resources": {},
    "allowed_loss": 0.0,
    "tries_per_element": 3,
    "mlflow_experiment": "material-identification/demo",
    "mlflow_run_id": "feed",
}
SEED = """
import json, sys
from airflow._shared.timezones import timezone
from airflow.models.dagrun import DagRun
from airflow.models.dag_version import DagVersion
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunType

seen = json.loads(sys.argv[1])
for dag_id, runs in seen.items():
    for run_id, run in runs.items():
        with create_session() as session:
            dag = SerializedDagModel.get(dag_id, session=session).dag
            version = DagVersion.get_latest_version(dag_id, session=session)
            now = timezone.utcnow()
            dag_run = DagRun(
                dag_id=dag_id, run_id=run_id, run_type=DagRunType.MANUAL, run_after=now,
                logical_date=None, start_date=now, state=DagRunState(run["state"]),
            )
            dag_run.dag = dag
            dag_run.created_dag_version = version
            session.add(dag_run)
            session.flush()
            dag_run.verify_integrity(session=session, dag_version_id=version.id)
            for ti in dag_run.get_task_instances(session=session):
                state = run["tasks"].get(ti.task_id, run["other"])
                ti.state, ti.start_date, ti.end_date, ti.duration = state, now, now, 1.0
            session.flush()
            for task_id, value in run["returned"].items():
                XComModel.set(
                    key="return_value", value=value, dag_id=dag_id, task_id=task_id,
                    run_id=run_id, session=session,
                )
"""


def seed(stack: Stack) -> None:
    """Put two campaigns, one refused and one failed, and a run of another DAG into a stack."""
    with stack.api() as api:
        wait_until(
            lambda: {*_seen()} <= {dag["dag_id"] for dag in api.get("dags")["dags"]},
            what="Airflow knows the DAGs",
        )
    environment = airflow_environment(stack.layout, stack.ports) | {"PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", SEED, json.dumps(_seen())],
        env=environment,
        cwd=stack.layout.airflow,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _seen() -> dict[str, object]:
    """Two campaigns, one refused and one failed, and a DAG run that is no campaign."""
    report = REPORT.model_copy(update={"mlflow_experiment_id": "7"})
    solved = array_report("solve_shard", elements=2, done=2)
    returned = {
        "open_run": HANDLE,
        "simulate.solve_shards": solved.model_dump(mode="json"),
        "gate": GATE.model_dump(mode="json"),
        "report": report.model_dump(mode="json"),
    }
    refused = {"state": "success", "tasks": {}, "other": "success", "returned": returned}
    failed = {
        "state": "failed",
        "tasks": {"open_run": "success", "train.train_networks": "failed"},
        "other": "upstream_failed",
        "returned": {"open_run": HANDLE},
    }
    other = {"state": "success", "tasks": {}, "other": "success", "returned": {}}
    return {
        "hybrid_campaign": {"seen-refused": refused, "seen-failed": failed},
        "cluster_check": {"other": other},
    }
