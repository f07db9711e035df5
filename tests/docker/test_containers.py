"""The whole workflow in containers: a campaign through two Slurms, and what may go wrong."""

import json
import re
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.docker.conftest import PATIENCE_S, PROJECT, Containers
from tests.harness.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(3600)]

DAG = "hybrid_campaign"
ONCE = ("migrate", "mlflow-users", "connect")
CONTROL = ("airflow-api", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
IMAGES = ("yieldloop-control:0.1.0", "yieldloop-cluster:0.1.0")
ENDED = ("success", "failed")
MODEL = "single_sheet-material-identifier"
SMALL: dict[str, Any] = {
    "campaign": "single_sheet",
    "train_records": 240,
    "test_records": 40,
    "overrides": {
        "design": {"records_per_shard": 20},
        "solver": "native",
        # one at a time, whatever the machine has: the array is still at work when it is looked at
        "execution": {"resources": {"solve_shard": {"running_at_most": 1}}},
        "training": {
            # as many epochs as it needs to be better than the mean, or nothing is promoted
            "networks": [{"kind": "mlp", "hidden": [64, 64], "forces": True, "epochs": 60}],
        },
        "validation": {"measurements": ["single-dp780"], "updating": False},
        "gate": {"require_validation": False},
    },
}

RECORDS = SMALL["train_records"] + SMALL["test_records"]
SHARDS = RECORDS // SMALL["overrides"]["design"]["records_per_shard"]
COUNT = """
import glob, h5py, json
found = []
for path in glob.glob("/workspace/*/*/rounds/000/shards/*.h5"):
    with h5py.File(path) as shard:
        found += shard["point"][()].tolist()
print(json.dumps({"records": len(found), "different": len(set(found))}))
"""


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

    return str(wait_until(look, 2 * PATIENCE_S, f"the end of {dag}"))


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


def slurm(containers: Containers, command: str, user: str = "root") -> str:
    """What one of Slurm's programs says on the cluster `cpu`."""
    conf = "SLURM_CONF=/var/lib/slurm/etc/slurm.conf"
    options = ("exec", "--no-TTY", "--user", user, "--env", conf, "cpu")
    return containers.compose(*options, "sh", "-c", command).strip()


def shards(containers: Containers) -> int:
    """How many shards of the round are published."""
    published = "ls /workspace/*/*/rounds/000/shards/*.json 2>/dev/null | wc -l"
    return int(shell(containers, "cpu", published))


def test_nobody_comes_in_without_a_password(containers: Containers) -> None:
    port = containers.environment["AIRFLOW_PORT"]
    refused = httpx.get(f"http://127.0.0.1:{port}/api/v2/dags", trust_env=False)
    assert refused.status_code == httpx.codes.UNAUTHORIZED
    with containers.mlflow() as nobody:
        search = "/api/2.0/mlflow/experiments/search?max_results=1"
        assert nobody.get(search).status_code == httpx.codes.UNAUTHORIZED
    with containers.mlflow("reader") as reader:
        assert reader.get(search).status_code == httpx.codes.OK


def words_of(secrets: Path) -> set[str]:
    """Every password and key in the files, without what stands around it."""
    found = {path: re.findall(r"[\w=-]{32,}", path.read_text()) for path in secrets.iterdir()}
    assert all(len(words) == 1 for words in found.values()), found.keys()
    return {words[0] for words in found.values()}


def in_layers(containers: Containers, words: set[str], folder: Path) -> set[str]:
    """Those of the words that are in any file of any layer of the images."""
    (folder / "words").write_text("\n".join(words))
    search = ("grep", "--text", "--only-matching", "--fixed-strings", f"--file={folder / 'words'}")
    saving = subprocess.Popen(
        ["docker", "save", *IMAGES], env=containers.environment, stdout=subprocess.PIPE
    )
    with saving:
        found = subprocess.run(search, stdin=saving.stdout, capture_output=True, text=True)
    assert (saving.returncode, found.stderr) == (0, "")
    return set(found.stdout.splitlines())


def test_no_secret_is_in_a_listing_or_a_layer(containers: Containers, tmp_path: Path) -> None:
    secrets = words_of(containers.secrets)
    ids = containers.compose("ps", "--all", "--quiet").split()
    listing = containers.docker("inspect", *ids, *IMAGES)
    for image in IMAGES:
        listing += containers.docker("history", "--no-trunc", image)
    for service in containers.compose("ps", "--services").split():
        listing += shell(containers, service, "env; cat /proc/[0-9]*/cmdline")
    assert not {secret for secret in secrets if secret in listing}
    known = {"Exit 0 if a part of Airflow is well", "One Slurm cluster in this container"}
    assert in_layers(containers, secrets | known, tmp_path) == known  # it would have been found


def test_the_containers_cannot_write_into_themselves(containers: Containers) -> None:
    for service in ("airflow-scheduler", "mlflow", "cpu", "postgres"):
        said = shell(containers, service, "touch /usr/touched 2>&1 || true")
        assert "Read-only" in said, f"{service}: {said}"
    assert shell(containers, "airflow-scheduler", "id -u").strip() == "50000"


def check(containers: Containers, cluster: str, partner: str) -> None:
    """Try a cluster end to end from the control host, as a person would."""
    said = containers.compose(
        *("exec", "--no-TTY", "airflow-scheduler", "/opt/yieldloop/entrypoint.sh"),
        *("python", "-m", "operators.cluster_check", cluster, "--partner", partner),
    )
    assert "FAILED" not in said, said


@pytest.mark.parametrize("cluster", ["cpu", "ai"])
def test_the_cluster_check_is_green(containers: Containers, cluster: str) -> None:
    partner = "cpu" if cluster == "ai" else "ai"
    check(containers, cluster, partner)


@pytest.fixture(scope="module")
def campaign(containers: Containers) -> str:
    """A campaign in whose array of simulations the whole control host was replaced."""
    with containers.airflow as airflow:
        wait_until(lambda: known(airflow), PATIENCE_S, "the DAGs")
        run_id = start(airflow, DAG, SMALL)
    wait_until(lambda: shards(containers), PATIENCE_S, "the first shards")
    # nothing more is begun, so that the control host goes in the middle of the array, not after it
    slurm(containers, "scontrol update PartitionName=main State=DOWN")
    containers.compose("kill", *CONTROL)
    containers.compose("rm", "--force", *CONTROL)
    assert 0 < shards(containers) < SHARDS
    slurm(containers, "scontrol update PartitionName=main State=UP")
    containers.up()
    with containers.airflow as airflow:
        how = ended(airflow, DAG, run_id)
        assert how == "success", failures(airflow, DAG, run_id)
    with containers.mlflow("admin") as admin:
        assert champion(admin) == "1"
    return run_id


def test_a_campaign_survives_the_control_host(containers: Containers, campaign: str) -> None:
    assert shards(containers) == SHARDS
    counted = json.loads(shell(containers, "cpu", f"/opt/venv/bin/python -c '{COUNT}'"))
    assert counted == {"records": RECORDS, "different": RECORDS}  # none lost, none twice
    for_each = "cd /workspace/*/*/jobs/simulate-solve-shards-*"
    assert shell(containers, "cpu", f"{for_each} && ls results | wc -l").strip() == str(SHARDS)
    assert shell(containers, "cpu", f"{for_each} && ls submission-*.json | wc -l").strip() == "1"


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
        alias = {"name": MODEL, "alias": "champion"}
        taken = reader.request("DELETE", "/api/2.0/mlflow/registered-models/alias", json=alias)
        assert taken.status_code == httpx.codes.FORBIDDEN
        assert champion(reader) == version


def test_job_ids_go_on_when_the_cluster_is_recreated(containers: Containers, campaign: str) -> None:
    submit = "sbatch --parsable --chdir=/tmp --output=/dev/null --wrap=true"
    before = int(slurm(containers, submit, user="hpc"))
    assert before > 10  # of the campaign's jobs
    containers.compose("up", "--detach", "--force-recreate", "--no-deps", "--wait", "cpu")
    assert int(slurm(containers, submit, user="hpc")) > before


def test_a_backup_restored_into_empty_volumes_has_champion_and_history(
    containers: Containers, campaign: str, tmp_path: Path
) -> None:
    with containers.mlflow("admin") as admin:
        version = champion(admin)
    saved = tmp_path / "saved"
    containers.script("backup.sh", str(saved))
    # as on another machine: no secrets either; the clusters and their keys are elsewhere
    containers.compose("rm", "--stop", "--force", *CONTROL, *ONCE, "mlflow", "postgres")
    for volume in ("database", "artifacts", "logs"):
        containers.docker("volume", "rm", f"{PROJECT}_{volume}")
    shutil.rmtree(containers.secrets)
    containers.script("restore.sh", str(saved))
    query = (
        "psql --username=postgres --tuples-only --command='select conn_id from connection' airflow"
    )
    assert {"cpu", "ai"} <= set(shell(containers, "postgres", query).split())
    containers.up()
    with containers.mlflow("reader") as reader:
        assert champion(reader) == version
        named = {"name": MODEL, "version": version}
        found = reader.get("/api/2.0/mlflow/model-versions/get", params=named)
        run = {"run_id": found.raise_for_status().json()["model_version"]["run_id"]}
        files = reader.get("/api/2.0/mlflow/artifacts/list", params=run)
        assert files.raise_for_status().json()["files"]
    with containers.airflow as airflow:
        assert state(airflow, DAG, campaign) == "success"
    check(containers, "cpu", "ai")
