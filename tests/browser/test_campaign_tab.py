"""What a person sees of a campaign in Airflow: the real web interface, in Chromium.

The DAG run is one that has ended; what its tasks handed over lies in Airflow's database as they
leave it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.browser.chromium import Browser, browser, free_port
from tests.harness.reports import GATE, REPORT, array_report
from tests.harness.waiting import wait_until

CHECKOUT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("chromedriver"), reason="run tests/install.sh browser"),
]
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
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.dagrun import DagRun
from airflow.models.dag_version import DagVersion
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunType
from airflow.sdk.configuration import conf
from airflow.models.dagbundle import DagBundleModel

with create_session() as session:
    session.merge(DagBundleModel(name="dags-folder"))
sync_bag_to_db(DagBag(conf.get("core", "dags_folder")), "dags-folder", None)
seen = json.loads(sys.argv[1])
for dag_id, runs in seen.items():
    dag = SerializedDagModel.get_dag(dag_id) if hasattr(SerializedDagModel, "get_dag") else None
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


def environment(home: Path, port: int) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    return clean | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API_AUTH__JWT_SECRET": "s" * 64,
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000",
        "PYTHONPATH": f"{CHECKOUT / 'dags'}:{CHECKOUT}",
        "PYTHONWARNINGS": "ignore",
    }


def seen() -> dict[str, object]:
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
        "hybrid_campaign": {"refused": refused, "failed": failed},
        "housekeeping": {"other": other},
    }


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an API server whose database holds these DAG runs."""
    import json

    home, port = tmp_path_factory.mktemp("airflow"), free_port()
    variables, program = environment(home, port), Path(sys.executable).parent / "airflow"
    for command in ([program, "db", "migrate"], [sys.executable, "-c", SEED, json.dumps(seen())]):
        done = subprocess.run(
            command, env=variables, capture_output=True, text=True, timeout=300, cwd=CHECKOUT
        )
        assert done.returncode == 0, done.stdout + done.stderr
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [program, "api-server", "--port", str(port), "--host", "127.0.0.1"],
            env=variables,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=CHECKOUT,
        )
    address = f"http://127.0.0.1:{port}"

    def up() -> bool:
        assert server.poll() is None, (home / "server.log").read_text()[-3000:]
        try:
            return httpx.get(f"{address}/api/v2/version", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(up, what="the API server answers")
        yield address
    finally:
        server.terminate()
        server.wait(60)


@pytest.fixture(scope="module")
def window(airflow: str) -> Iterator[Browser]:
    with browser() as one:
        one.open(airflow)
        yield one


def test_from_the_dag_run_one_click_leads_to_verdict_and_parameters(airflow, window):
    window.open(f"{airflow}/dags/hybrid_campaign/runs/refused")
    window.click("Campaign")
    window.reads("not promoted: [it] failed")
    for text in ("Champion before: none", "dp780 (network): pass", "0.751 to 0.811", "core-hours"):
        window.reads(text)
    window.reads("as of")
    wide = window.run("return document.querySelector('#campaign-page').scrollWidth")
    assert wide <= window.run("return window.innerWidth")
    links = window.run(
        "return [...document.querySelectorAll('#campaign-page a')].map((one) => one.href)"
    )
    assert any(link.endswith("#/experiments/7/runs/feed/artifacts/report.html") for link in links)


def test_a_failed_campaign_says_so_first_and_leads_to_what_failed(airflow, window):
    window.open(f"{airflow}/dags/hybrid_campaign/runs/failed/plugin/campaign")
    window.reads("This run failed.")
    window.click("train.train_networks")
    window.reads("train_networks")
    wait_until(lambda: "/tasks/" in window.run("return location.pathname"), what="its page")
    assert "train.train_networks" in window.run("return location.pathname")


def test_a_dag_run_that_is_no_campaign_has_one_quiet_line(airflow, window):
    window.open(f"{airflow}/dags/housekeeping/runs/other/plugin/campaign")
    window.reads("This DAG run has not opened a campaign's run.")
    assert "Stages" not in window.text and "Materials" not in window.text
