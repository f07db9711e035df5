"""A stage for rehearsals: the one-machine Airflow and MLflow, in front of the tests' Slurm."""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from quickstart.stack.layout import NODES, Layout
from quickstart.stack.supervisor import Stack
from tests.clusters.hpc_site import Site
from tests.clusters.login import LoginNode

CHECKOUT = Path(__file__).parents[2]
CAMPAIGN = "rehearsal"
AT_ONCE = 2
"""Elements side by side: Slurm's nodes all lie on this machine."""
MODEST: dict[str, Any] = {"memory_mib": 1900, "walltime_s": 3000, "cpus": 1}
"""A node of the tests' Slurm has 2000 MiB and lets no job run for longer than an hour."""
SETTINGS: dict[str, Any] = {
    "solver": "rehearsal",
    "training": {
        "networks": [{"kind": "mlp", "hidden": [64], "components": 16}],
        "epochs": 1,
        "batch_size": 1024,
        "source": "stream",
    },
    "validation": {"measurements": ["dp780"], "updating": False},
    "execution": {"cpu_cluster": "cpu", "gpu_cluster": "ai", "workspace": "rehearsal"},
}


def campaign_document(base: Path) -> dict[str, Any]:
    """Return the rehearsal's campaign: the sheets and tests of `base`, all else small."""
    document: dict[str, Any] = yaml.safe_load(base.read_text())
    for key, changes in SETTINGS.items():
        known = document.get(key)
        document[key] = {**known, **changes} if isinstance(known, dict) else changes
    jobs = ("choose_points", "deal_records", "pack_records", "publish_dataset", "train")
    asked = {job: dict(MODEST) for job in (*jobs, "identify", "score")}
    asked["solve_shard"] = {**MODEST, "memory_mib": 900, "running_at_most": AT_ONCE}
    document["execution"]["resources"] = asked
    document |= {"name": CAMPAIGN, "description": f"A rehearsal of {base.stem}: no FEM is run."}
    document.pop("search", None)
    return document


def make_checkout(root: Path, base: Path, workspaces: Path) -> Path:
    """Lay out a checkout whose clusters are the Slurm's, and whose only campaign is ours."""
    checkout = root / "checkout"
    checkout.mkdir(parents=True)
    for entry in CHECKOUT.iterdir():
        if entry.name not in ("dags", ".stack", ".git"):
            (checkout / entry.name).symlink_to(entry)
    shutil.copytree(CHECKOUT / "dags", checkout / "dags")
    for file in (*(checkout / "dags" / "campaigns").glob("*.yaml"),):
        file.unlink()
    target = checkout / "dags" / "campaigns" / f"{CAMPAIGN}.yaml"
    target.write_text(yaml.safe_dump(campaign_document(base), sort_keys=False))
    for node in NODES:
        described = {
            "schema_version": 1,
            "name": node,
            "description": "A real Slurm on this machine.",
            "scheduler": "slurm",
            "workspaces": {"kind": "directory", "root": str(workspaces)},
            "python": sys.executable,
            "poll_interval_s": 5,
            "grace_s": 30,
            "inline_wait_s": 12,
            "max_array_size": 1000,
        }
        path = checkout / "dags" / "clusters" / f"{node}.yaml"
        path.write_text(yaml.safe_dump(described, sort_keys=False))
    return checkout


@contextmanager
def stage(root: Path, base: Path) -> Iterator[Stack]:
    """Start Slurm, Airflow and MLflow; stop all of them in the end, and keep `root`."""
    with Site() as site:
        workspaces = root / "workspaces"
        checkout = make_checkout(root, base, workspaces)
        workspaces.mkdir(exist_ok=True)
        stack = Stack(Layout(root=root, checkout=checkout), say=_say)
        try:
            stack.up()
            with stack.api() as api:
                for node in NODES:
                    wanted = _connection(node, site.alpha.login)
                    api.request("PATCH", f"connections/{node}", json=wanted)
            yield stack
        finally:
            stack.down()


def _connection(name: str, login: LoginNode) -> Mapping[str, Any]:
    extra = {"host_key": login.host_key, "key_file": str(login.key_file)}
    return {
        "connection_id": name,
        "conn_type": "hpc",
        "host": login.host,
        "port": login.port,
        "login": login.user,
        "extra": json.dumps(extra),
    }


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
