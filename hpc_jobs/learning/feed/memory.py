"""How much memory this job may fill: that of the machine, its control group or its scheduler."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

PROC, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
MIB = 1 << 20


def available_bytes(
    proc: Path = PROC, cgroup: Path = GROUPS, environment: Mapping[str, str] = os.environ
) -> int:
    """Least of what is available on the machine and of all limits on this job.

    The page cache counts against a control group's limit, but gives way: the limit itself is taken.
    """
    lines = (proc / "meminfo").read_text().splitlines()
    machine = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    return min([machine, *_group_limits(proc, cgroup), *_slurm_limits(environment)])


def _group_limits(proc: Path, cgroup: Path) -> Iterator[int]:
    """Limits of the groups above this process: of version 2, and of version 1's memory controller.

    In a container the path may be that of the host: then what is mounted is the group itself.
    """
    try:
        lines = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _limits_above(_first_folder(cgroup, cgroup / "unified"), path, "memory.max")
        elif "memory" in controllers.split(","):
            folder = _first_folder(cgroup / "memory", cgroup / controllers)
            yield from _limits_above(folder, path, "memory.limit_in_bytes")


def _first_folder(*folders: Path) -> Path:
    return next((folder for folder in folders if folder.is_dir()), folders[0])


def _limits_above(root: Path, path: str, name: str) -> Iterator[int]:
    folder = root / path.strip().lstrip("/")
    while folder.is_relative_to(root):
        try:
            text = (folder / name).read_text().strip()
        except OSError:
            text = ""
        if text.isdigit():
            yield int(text)
        if folder == root:
            return
        folder = folder.parent


def _slurm_limits(environment: Mapping[str, str]) -> Iterator[int]:
    """Memory that Slurm granted on this node: a site may not enforce it, but has given the rest."""

    def number(name: str) -> int:
        text = environment.get(name, "")
        return int(text) if text.isdigit() else 0

    if whole := number("SLURM_MEM_PER_NODE"):
        yield whole * MIB
    if each := number("SLURM_MEM_PER_CPU"):
        yield each * max(1, number("SLURM_CPUS_ON_NODE")) * MIB
