"""What a step costs: seconds, processor, anonymous memory, bytes; with a limit if one is wanted."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

GROUPS = Path("/sys/fs/cgroup")
POLL_S = 0.02
LEARNED = ("epoch", "evaluate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one step, without what its process took to start."""

    wall_s: float
    cpu_s: float
    anonymous_mb: float  # at its peak
    read_mb: float  # asked for, from disk or page cache
    written_mb: float
    said: dict[str, Any]

    def __add__(self, other: "Cost") -> "Cost":
        """One after the other."""
        return Cost(
            wall_s=self.wall_s + other.wall_s,
            cpu_s=self.cpu_s + other.cpu_s,
            anonymous_mb=max(self.anonymous_mb, other.anonymous_mb),
            read_mb=self.read_mb + other.read_mb,
            written_mb=self.written_mb + other.written_mb,
            said=other.said,
        )

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def step(name: str, run: Path, *options: str, group: Path | None = None) -> Cost:
    """Run a step of benchmarks.packing and measure it; raises CalledProcessError."""
    module = "learned" if name in LEARNED else "steps"
    command = [sys.executable, "-m", f"benchmarks.packing.{module}", name, str(run), *options]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=(lambda: _join(group)) if group else None,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _anonymous_mb(process.pid))
        time.sleep(POLL_S)
    output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output)
    said = json.loads(output.splitlines()[-1])
    used = {name: said[name] for name in ("wall_s", "cpu_s", "read_mb", "written_mb")}
    return Cost(anonymous_mb=peak, said=said, **used)


def _anonymous_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(one.split()[1]) / 1e3 for one in lines if one.startswith("RssAnon")), 0.0)


def forget(folder: Path) -> None:
    """Let the page cache forget what lies in a folder, once it is on disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


@contextmanager
def limited(memory_bytes: int) -> Iterator[Path]:
    """Make a control group with so much memory, page cache included, and no swap.

    Version 1 or 2, whichever has the memory controller. Raises OSError without permission.
    """
    first = (GROUPS / "memory").is_dir()
    folder = (GROUPS / "memory" if first else GROUPS) / f"scale-{os.getpid()}"
    folder.mkdir()
    try:
        name = "memory.limit_in_bytes" if first else "memory.max"
        (folder / name).write_text(str(memory_bytes))
        yield folder
    finally:
        folder.rmdir()


def _join(group: Path | None) -> None:
    assert group
    (group / "cgroup.procs").write_text(str(os.getpid()))
