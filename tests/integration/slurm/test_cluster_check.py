"""The cluster check on real clusters: all well, and each deliberate fault said in plain words."""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clusters.hpc_site import Site
from tests.clusters.slurm import SlurmCluster

CHECKOUT = Path(__file__).parents[3]


@dataclass
class Control:
    """A control host: descriptions and Connections of both clusters."""

    dags: Path
    setenv: Callable[[str, str], None]
    workspaces: Path

    def describe(self, cluster: SlurmCluster, **changed: Any) -> None:
        document = {
            "schema_version": 1,
            "name": cluster.name,
            "description": f"{cluster.name} on loopback",
            "scheduler": "slurm",
            "workspaces": {"kind": "directory", "root": str(self.workspaces)},
            "python": sys.executable,
            "max_array_size": 10,
        }
        path = self.dags / "clusters" / f"{cluster.name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document | changed))

    def connect(self, cluster: SlurmCluster, **changed: Any) -> None:
        node = cluster.login
        extra = {"host_key": node.host_key, "key_file": str(node.key_file)} | changed
        fields = {"conn_type": "hpc", "host": node.host, "port": node.port, "login": node.user}
        text = json.dumps(fields | {"extra": json.dumps(extra)})
        self.setenv(f"AIRFLOW_CONN_{cluster.name.upper()}", text)

    def check(self, cluster: SlurmCluster, **options: Any) -> dict[str, Any]:
        """Steps by name."""
        from operators.checks.cluster import check_cluster

        return {step.name: step for step in check_cluster(cluster.name, **options).steps}


@pytest.fixture
def control(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Control:
    made = Control(tmp_path / "dags", monkeypatch.setenv, folder / "workspaces")
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(made.dags))
    for cluster in site.clusters:
        made.describe(cluster)
        made.connect(cluster)
    return made


def failed(steps: dict[str, Any]) -> str:
    """The one failed step, as it is told."""
    [step] = [step for step in steps.values() if step.outcome == "FAILED"]
    assert step.remedy, "whoever reads it knows what to do"
    return str(step)


def left_behind(cluster: SlurmCluster, control: Control) -> list[str]:
    queue = cluster.admin("squeue", "--noheader", "--states=PD,R,CG", "--format=%j").split()
    files = [str(path) for path in control.workspaces.rglob("*") if path.name != ".released"]
    return [job for job in queue if job.startswith("check-")] + files


def test_a_cluster_that_is_ready(alpha: SlurmCluster, beta: SlurmCluster, control: Control) -> None:
    """As a person types it, and with the other cluster as the partner."""
    done = subprocess.run(
        [sys.executable, "-m", "operators.cluster_check", "beta", "--partner", "alpha"],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=180,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    told = [line for line in lines[:-1] if not line.startswith(("note", " "))]
    assert [line.split(":")[0].split(maxsplit=1) for line in told] == [
        ["ok", name]
        for name in (
            *("connection", "network", "login", "shell", "sessions", "description", "scheduler"),
            *("workspaces", "workspace", "files", "code", "doctor", "submit", "poll"),
            *("results", "cancel", "shared view", "clean-up"),
        )
    ]
    assert lines[-1] == "ready for campaigns"
    assert left_behind(beta, control) == []


def test_a_wrong_host_key(alpha: SlurmCluster, beta: SlurmCluster, control: Control) -> None:
    control.connect(alpha, host_key=beta.login.host_key)
    steps = control.check(alpha)
    words = failed(steps)
    assert "login: log in and run hostname" in words and "pinned" in words
    assert "only if they agree" in words
    assert steps["scheduler"].outcome == "skipped" and "submit" not in steps


def test_a_refused_key(alpha: SlurmCluster, control: Control) -> None:
    with alpha.login.key_refused():
        words = failed(control.check(alpha))
    assert "the login was refused" in words and "authorized_keys" in words


def test_a_missing_python(alpha: SlurmCluster, control: Control) -> None:
    control.describe(alpha, python="/opt/nosuch/python")
    words = failed(control.check(alpha))
    assert "code: ship and unpack" in words and "/opt/nosuch/python" in words
    assert "correct `python`, `modules` or `container`" in words
    assert left_behind(alpha, control) == []


def test_a_missing_module(alpha: SlurmCluster, control: Control) -> None:
    control.describe(alpha, modules=["gcc/99"])
    assert "module gcc/99 cannot be loaded" in failed(control.check(alpha))


def test_a_python_without_the_jobs_extra(
    alpha: SlurmCluster, control: Control, tmp_path: Path
) -> None:
    venv.create(tmp_path / "bare", symlinks=True)
    control.describe(alpha, python=str(tmp_path / "bare" / "bin" / "python"))
    words = failed(control.check(alpha))
    assert "doctor: examine the login node" in words and "package pydantic" in words
    assert "jobs` extra" in words and "pip install" in words
    assert left_behind(alpha, control) == []


def test_a_workspace_that_cannot_be_made(alpha: SlurmCluster, control: Control) -> None:
    control.describe(alpha, workspaces={"kind": "directory", "root": "/proc/nowhere"})
    words = failed(control.check(alpha))
    assert "workspace: allocate" in words and "/proc/nowhere" in words
    assert "correct `workspaces`" in words


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"partition": "nowhere"}, "invalid partition specified: nowhere"),
        ({"account": "nosuch"}, "Invalid account"),
        ({"options": ["--nosuch-option"]}, "nosuch-option"),
    ],
)
def test_what_the_scheduler_refuses(
    alpha: SlurmCluster, control: Control, change: dict[str, Any], said: str
) -> None:
    control.describe(alpha, **change)
    steps = control.check(alpha)
    words = failed(steps)
    assert "submit: submit a small array" in words and said in words
    assert "partition, account, qos" in words
    assert steps["clean-up"].outcome == "ok"
    assert left_behind(alpha, control) == []


def test_what_cannot_be_expressed(alpha: SlurmCluster, control: Control) -> None:
    control.describe(alpha, options=["--wrap=id"])
    assert "--wrap is set by other means" in failed(control.check(alpha))


def test_a_queue_that_does_not_move(alpha: SlurmCluster, control: Control) -> None:
    control.describe(alpha, options=["--begin=now+1hour"])
    words = failed(control.check(alpha, wait_s=3))
    assert "3 pending" in words and "longer --wait" in words
    assert left_behind(alpha, control) == []


def test_clusters_that_do_not_share(
    alpha: SlurmCluster, beta: SlurmCluster, control: Control, tmp_path: Path
) -> None:
    control.describe(beta, workspaces={"kind": "directory", "root": str(tmp_path / "elsewhere")})
    words = failed(control.check(alpha, partner="beta"))
    assert "beta has no workspace 'cluster-check'" in words and "mount one filesystem" in words
    (tmp_path / "elsewhere" / "cluster-check").mkdir(parents=True)
    assert "beta does not see" in failed(control.check(alpha, partner="beta"))
    assert left_behind(alpha, control) == []


def test_what_a_killed_check_leaves_is_found_by_its_mark(
    alpha: SlurmCluster, control: Control
) -> None:
    from operators.checks.cluster import clean_up
    from operators.checks.trial import Trial
    from operators.hooks.hpc import open_session

    control.describe(alpha, options=["--begin=now+1hour"])
    with open_session("alpha") as session:
        trial = Trial(session, mark="0a1b2c3d")
        trial.allocate()
        trial.ship()
        trial.submit()
    assert len(left_behind(alpha, control)) > 3
    assert clean_up("alpha", "ffffffff") == "0 jobs cancelled, no files", "another check's"
    assert clean_up("alpha", "0a1b2c3d") == "1 jobs cancelled, files removed"
    assert clean_up("alpha", "0a1b2c3d") == "0 jobs cancelled, no files"
    assert not [left for left in left_behind(alpha, control) if "check-0a1b2c3d" in left]


def test_python_in_a_container_or_whatever_else_is_put_before_it(
    alpha: SlurmCluster, control: Control, tmp_path: Path
) -> None:
    """The prefix is written word by word; this one leaves a trace and runs what follows."""
    inside = tmp_path / "it's inside"
    script = 'echo "$3" >> "$0"; exec "$@"'
    control.describe(alpha, container=["sh", "-c", script, str(inside)])
    steps = control.check(alpha)
    assert all(step.outcome == "ok" for step in steps.values()), failed(steps)
    jobs = inside.read_text().split()
    assert jobs.count("hpc_jobs.tools.doctor") >= 4, "on the login node, and in three elements"
    control.describe(alpha, container=["apptainer-nosuch", "exec", "image.sif"])
    words = failed(control.check(alpha))
    assert "apptainer-nosuch" in words and "`container`" in words


def test_the_wrong_scheduler(alpha: SlurmCluster, control: Control) -> None:
    control.describe(alpha, scheduler="pbs")
    words = failed(control.check(alpha))
    assert "PBS's commands are not found" in words and "correct `scheduler`" in words


def notes(steps: list[Any]) -> str:
    return "\n".join(str(step) for step in steps if step.outcome == "note")


def check(cluster: SlurmCluster, **options: Any) -> list[Any]:
    """All steps; several may have one name."""
    from operators.checks.cluster import check_cluster

    return check_cluster(cluster.name, **options).steps


def trouble(steps: list[Any]) -> list[str]:
    return [str(step) for step in steps if step.outcome in ("FAILED", "skipped")]


@pytest.mark.slow
def test_what_may_surprise_a_campaign_is_said_with_a_remedy(
    beta: SlurmCluster, control: Control
) -> None:
    """No sacct, variables of the login, a hidden partition: it copes, and says so."""
    with beta.hidden("gpu"), beta.login.played(SQUEUE_PARTITION="nosuch"):
        steps = check(beta)
    said = notes(steps)
    assert trouble(steps) == []
    assert "no accounting (sacct: Slurm accounting storage is disabled)" in said
    assert "hidden partitions: gpu; jobs in them are seen all the same" in said
    assert "SQUEUE_PARTITION=nosuch" in said and "belongs into the cluster's file" in said
    assert all(step.remedy for step in steps if step.outcome == "note")
    assert left_behind(beta, control) == []


@pytest.mark.slow
def test_a_login_shell_that_prints(alpha: SlurmCluster, control: Control) -> None:
    with alpha.login.played(banner="Welcome to cluster7"):
        steps = check(alpha)
    assert trouble(steps) == []
    [shell] = [step for step in steps if step.name == "shell"]
    assert "Welcome to cluster7" in str(shell), "it is cut away, and said"


@pytest.mark.slow
def test_a_chatty_sbatch_leaves_no_job_behind(alpha: SlurmCluster, control: Control) -> None:
    """Its answer is no job id: the job is found by its name, as a task finds it."""
    with alpha.login.command("sbatch", 'echo "Submitting for you"; exec "$REAL" "$@"'):
        steps = check(alpha)
    assert trouble(steps) == []
    assert left_behind(alpha, control) == []


@pytest.mark.slow
def test_memory_that_a_site_wants_by_the_cpu(alpha: SlurmCluster, control: Control) -> None:
    refuse = "echo 'sbatch: error: Batch job submission failed: --mem is not allowed here' >&2"
    script = f'case "$*" in *--mem=*) {refuse}; exit 1;; esac; exec "$REAL" "$@"'
    with alpha.login.command("sbatch", script):
        words = failed(control.check(alpha))
        assert "--mem is not allowed here" in words and "memory: per_cpu" in words
        control.describe(alpha, memory="per_cpu")
        assert trouble(check(alpha)) == []
    assert left_behind(alpha, control) == []


@pytest.mark.slow
def test_a_quota_that_is_used_up(alpha: SlurmCluster, control: Control, tmp_path: Path) -> None:
    """Played by a filesystem of a megabyte that is full."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no filesystem can be mounted here")
    try:
        with pytest.raises(OSError, match="No space left"):
            (small / "ballast").write_bytes(bytes(2 << 20))
        control.describe(alpha, workspaces={"kind": "directory", "root": str(small)})
        words = failed(control.check(alpha))
        assert "No space left" in words and "the quota is used up" in words
    finally:
        subprocess.run(["umount", str(small)], check=True)
