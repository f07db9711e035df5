"""Memory limits of jobs: by the kernel's cgroups where they can be had, else by polling."""

import contextlib
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO

CGROUPS = Path("/sys/fs/cgroup/memory")
CLAIM = Path("/tmp/slurm-memory-cgroups.lock")


class MemoryCgroups:
    """The right to use them: Slurm names a node's cgroup by the node alone, so one site at a time.

    The claim ends with the process at the latest.
    """

    def __init__(self) -> None:
        self._claim: IO[str] | None = None

    def claim(self) -> bool:
        """Whether this host has memory cgroups (v1), writable, that nobody else uses."""
        if not os.access(CGROUPS / "memory.limit_in_bytes", os.W_OK):
            return False
        claim = CLAIM.open("w")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            claim.close()
            return False
        self._claim = claim
        return True

    def release(self, nodes: Iterable[str]) -> None:
        """Remove what the nodes left, deepest first; their processes must have ended."""
        if self._claim is None:
            return
        for node in nodes:
            for folder, _, _ in os.walk(CGROUPS / f"slurm_{node}", topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
        self._claim.close()
        self._claim = None
