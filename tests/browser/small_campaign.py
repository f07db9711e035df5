"""A stack with one small campaign, and one that fails: what a browser looks at."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from hpc_jobs.fem.native.build import BUILT, library_path
from quickstart.stack.layout import Layout
from quickstart.stack.supervisor import Stack
from tests.browser.chromium import PATIENCE_S
from tests.harness.stack_ports import claim_stack_ports

CHECKOUT = Path(__file__).parents[2]
DAGS = ("hybrid_campaign.py", "cluster_check.py")
"""No other is there: what the clock or a new champion starts would take its time from the test."""


class CopiedDags(Layout):
    """A stack whose DAGs and campaigns are the test's own."""

    @property
    def dags(self) -> Path:
        return self.root / "dags"


@contextmanager
def running_stack(root: Path, *, keep: bool = False) -> Iterator[Stack]:
    """Start a stack below a folder; it ends with the block, unless it is to be kept."""
    layout = CopiedDags(root=root, checkout=CHECKOUT)
    if not layout.dags.exists():
        _copy_dags(layout.dags)
    layout.make()
    _lend_library(layout)
    if not layout.ports.exists():
        claim_stack_ports(layout)
    stack = Stack(layout, start_timeout_s=PATIENCE_S)
    try:
        stack.up()
        yield stack
    finally:
        if not keep:
            stack.down()


def _copy_dags(folder: Path) -> None:
    """Copy the DAGs, and describe a small campaign and one whose solver is nowhere."""
    shutil.copytree(CHECKOUT / "dags", folder)
    for file in folder.glob("*.py"):
        if file.name not in DAGS:
            file.unlink()
    small = yaml.safe_load((folder / "campaigns" / "single_sheet.yaml").read_text())
    for file in (folder / "campaigns").glob("*.yaml"):
        file.unlink()
    small |= {"name": "small", "description": "As small as a campaign can be."}
    small["specimens"] |= {"mesh": "coarse"}
    small["design"] |= {"train_records": 240, "test_records": 40, "records_per_shard": 80}
    small["training"]["networks"] = [
        {"kind": "mlp", "hidden": [64, 64], "forces": True, "epochs": 60, "weight_decay": 0.01}
    ]
    small["validation"] = {"measurements": small["validation"]["measurements"][:1]}
    small.pop("search")
    broken = small | {"name": "unsolvable", "solver": "no_such_package.solver:SOLVER"}
    for campaign in (small, broken):
        target = folder / "campaigns" / f"{campaign['name']}.yaml"
        target.write_text(yaml.safe_dump(campaign, sort_keys=False))


def _lend_library(layout: Layout) -> None:
    """Lay the native kernel where the cluster's jobs would build it, if it is built already."""
    built = library_path(BUILT).parent
    if built.is_dir():
        lent = layout.workspaces / "yieldloop" / "code" / "native" / built.name
        shutil.copytree(built, lent, dirs_exist_ok=True)
