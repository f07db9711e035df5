"""A code folder with the real contract and element, and a made-up job in place of a real one."""

import shutil
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
ROOMS = ("contract", "job_folder")
"""Packages that an element stands on, shipped as they are."""


def ship(code: Path, job: Path) -> None:
    """Fill code/hpc_jobs once: what elements stand on, and `job` as the module solve_shard."""
    root = code / "hpc_jobs"
    if root.exists():
        return
    for room in ROOMS:
        shutil.copytree(
            CHECKOUT / "hpc_jobs" / room, root / room, ignore=shutil.ignore_patterns("__pycache__")
        )
    for room in ("runtime", "jobs"):
        (root / room).mkdir()
        (root / room / "__init__.py").touch()
    (root / "__init__.py").touch()
    shutil.copy(CHECKOUT / "hpc_jobs" / "runtime" / "element.py", root / "runtime")
    shutil.copy(job, root / "jobs" / "solve_shard.py")
