"""The whole workflow in containers: a campaign through two Slurms, and what may go wrong."""

import json
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.docker.conftest import Containers, wait_until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(3600)]

DAG = "hybrid_campaign"
CONTROL = ("airflow-api", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
ENDED = ("success", "failed")
MODEL = "single_sheet-material-identifier"
SMALL: dict[str, Any] = {
    "campaign": "single_sheet",
    "train_records": 240,
    "test_records": 40,
    "epochs": 4,
    "overrides": {
        "design": {"records_per_shard": 20},
        "solver": "native",
        "training": {
            "networks": [{"kind": "mlp", "hidden": [32], "components": 16}],
            "batch_size": 16,
        },
        "validation": {"measurements": ["single-dp780"], "updating": False},
        "gate": {"require_validation": False},
    },
}


def start(airflow: httpx.Client, dag: str, conf: dict[str, Any]) -> str:
    run_id = f"test__{uuid.uuid4().hex[:8]}"
    body = {"dag_run_id": run_id, "conf": conf, "logical_date": None}
    airflow.patch(f"/api/v2/dags/{dag}", json={"is_paused": False})
    airflow.post(f"/api/v2/dags/{dag}/dagRuns", json=body).raise_for_status()
    return run_id


def state(airflow: httpx.Client, dag: str, run_id: str) -> str:
    reply = airflow.get(f"/api/v2/dags/{dag}/dagRuns/{run_id}")
    return str(reply.raise_for_status().json()["state"])


def ended(airflow: httpx.Client, dag: str, run_id: str) -> str:
    """How a run ended; the failed tasks' logs where it was not well."""

    def look() -> str | None:
        try:
            now = state(airflow, dag, run_id)
        except httpx.HTTPError:  # the API server is being replaced
            return None
        return now if now in ENDED else None

    return str(wait_until(f"the end of {dag}", look, 1800))


def failures(airflow: httpx.Client, dag: str, run_id: str) -> str:
    base = f"/api/v2/dags/{dag}/dagRuns/{run_id}/taskInstances"
    texts = []
    for task in airflow.get(base).json()["task_instances"]:
        if task["state"] == "failed":
            log = airflow.get(f"{base}/{task['task_id']}/logs/{task['try_number']}")
            texts.append(f"{task['task_id']}: {log.text[-3000:]}")
    return "\n".join(texts)


def known(airflow: httpx.Client) -> bool:
    return airflow.get(f"/api/v2/dags/{DAG}").status_code == httpx.codes.OK


def shell(containers: Containers, service: str, command: str) -> str:
    return containers.compose("exec", "--no-TTY", service, "sh", "-c", command)


def job_ids(containers: Containers) -> list[int]:
    """Every job id that the cpu cluster's job folders remember."""
    text = shell(
        containers, "cpu", "cat /workspace/*/*/jobs/*/submission-*.json 2>/dev/null || true"
    )
    decoder, found, at = json.JSONDecoder(), list[int](), 0
    text = text.strip()
    while at < len(text):
        document, at = decoder.raw_decode(text, at)
        found += [int(one) for one in document["job_ids"]]
        while at < len(text) and text[at].isspace():
            at += 1
    return found


def test_nobody_comes_in_without_a_password(containers: Containers) -> None:
    port = containers.environment["AIRFLOW_PORT"]
    refused = httpx.get(f"http://127.0.0.1:{port}/api/v2/dags", trust_env=False)
    assert refused.status_code == httpx.codes.UNAUTHORIZED
    with containers.mlflow() as nobody:
        search = "/api/2.0/mlflow/experiments/search?max_results=1"
        assert nobody.get(search).status_code == httpx.codes.UNAUTHORIZED
    with containers.mlflow("reader") as reader:
        assert reader.get(search).status_code == httpx.codes.OK


def test_no_secret_is_in_a_listing_or_a_layer(containers: Containers) -> None:
    secrets = [
        path.read_text().strip()
        for path in containers.secrets.iterdir()
        if not path.name.startswith("mlflow_") or path.name.endswith("_password")
    ]
    ids = containers.compose("ps", "--all", "--quiet").split()
    listing = containers.docker("inspect", *ids)
    for image in ("yieldloop-control:0.1.0", "yieldloop-cluster:0.1.0"):
        listing += containers.docker("history", "--no-trunc", image)
    listing += shell(containers, "airflow-scheduler", "cat /proc/[0-9]*/cmdline")
    assert not [secret for secret in secrets if secret in listing]


def test_the_containers_cannot_write_into_themselves(containers: Containers) -> None:
    for service in ("airflow-scheduler", "mlflow", "cpu", "postgres"):
        said = shell(containers, service, "touch /usr/touched 2>&1 || true")
        assert "Read-only" in said, f"{service}: {said}"
    assert shell(containers, "airflow-scheduler", "id -u").strip() == "50000"


@pytest.mark.parametrize("cluster", ["cpu", "ai"])
def test_the_cluster_check_is_green(containers: Containers, cluster: str) -> None:
    partner = "cpu" if cluster == "ai" else "ai"
    said = containers.compose(
        *("exec", "--no-TTY", "airflow-scheduler", "/opt/yieldloop/entrypoint.sh"),
        *("python", "-m", "operators.cluster_check", cluster, "--partner", partner),
    )
    assert "FAILED" not in said


@pytest.fixture(scope="module")
def campaign(containers: Containers) -> str:
    """A campaign in whose array of simulations the whole control host was replaced."""
    with containers.airflow as airflow:
        wait_until("the DAGs", lambda: known(airflow))
        run_id = start(airflow, DAG, SMALL)
        count = "ls /workspace/*/*/rounds/000/shards/*.json 2>/dev/null | wc -l"
        wait_until("first shards", lambda: int(shell(containers, "cpu", count)) >= 1)
        containers.compose("kill", *CONTROL)
        containers.compose("rm", "--force", *CONTROL)
        containers.up()
    with containers.airflow as airflow:
        how = ended(airflow, DAG, run_id)
        assert how == "success", failures(airflow, DAG, run_id)
    return run_id


def test_a_campaign_survives_the_control_host(containers: Containers, campaign: str) -> None:
    shards = "cd /workspace/*/*/rounds/000/shards && ls *.json | wc -l"
    assert int(shell(containers, "cpu", shards)) == 14  # of 280 records, 20 each
    tries = "ls -d /workspace/*/*/jobs/*/results/*.try-* 2>/dev/null | wc -l"
    assert int(shell(containers, "cpu", tries)) == 0
    results = "for j in /workspace/*/*/jobs/*solve_shard*; do ls $j/results/*.json | wc -l; done"
    assert shell(containers, "cpu", results).split() == ["14"]


def champion(client: httpx.Client) -> str:
    alias = {"name": MODEL, "alias": "champion"}
    reply = client.get("/api/2.0/mlflow/registered-models/alias", params=alias)
    return str(reply.raise_for_status().json()["model_version"]["version"])


def test_an_ordinary_user_cannot_move_the_champion(containers: Containers, campaign: str) -> None:
    with containers.mlflow("reader") as reader:
        version = champion(reader)
        moved = reader.post(
            "/api/2.0/mlflow/registered-models/alias",
            json={"name": MODEL, "alias": "champion", "version": version},
        )
        assert moved.status_code == httpx.codes.FORBIDDEN


def test_job_ids_go_on_when_the_cluster_is_recreated(containers: Containers, campaign: str) -> None:
    before = max(job_ids(containers))
    containers.compose("up", "--detach", "--force-recreate", "--no-deps", "--wait", "cpu")
    said = containers.compose(
        "exec",
        "--no-TTY",
        "--user",
        "hpc",
        "--env",
        "SLURM_CONF=/var/lib/slurm/etc/slurm.conf",
        "cpu",
        "sbatch",
        "--parsable",
        "--chdir=/tmp",
        "--output=/dev/null",
        "--wrap=true",
    )
    assert int(said) > before


def test_a_backup_restored_into_empty_volumes_has_champion_and_history(
    containers: Containers, campaign: str, tmp_path: Path
) -> None:
    with containers.mlflow("admin") as admin:
        version = champion(admin)
    saved = tmp_path / "saved"
    containers.script("backup.sh", str(saved))
    containers.compose("rm", "--stop", "--force", "--volumes", *CONTROL, "mlflow", "postgres")
    containers.compose("rm", "--force", "migrate", "mlflow-users", "connect")
    for volume in ("database", "artifacts"):
        containers.docker("volume", "rm", f"{containers.environment['PROJECT']}_{volume}")
    containers.script("restore.sh", str(saved))
    containers.up()
    with containers.mlflow("admin") as admin:
        assert champion(admin) == version
        found = admin.get("/api/2.0/mlflow/registered-models/get", params={"name": MODEL})
        assert found.status_code == httpx.codes.OK
        run = admin.get(
            "/api/2.0/mlflow/model-versions/get", params={"name": MODEL, "version": version}
        )
        kept = run.json()["model_version"]["run_id"]
        files = admin.get("/api/2.0/mlflow/artifacts/list", params={"run_id": kept})
        assert files.json()["files"]
    with containers.airflow as airflow:
        assert state(airflow, DAG, campaign) == "success"
        connections = airflow.get("/api/v2/connections").json()["connections"]
        assert {"cpu", "ai"} <= {one["connection_id"] for one in connections}
