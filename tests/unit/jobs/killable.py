"""A process that solves a shard and may be killed: what test_killed_shard starts twenty times.

Imported once by a fork server, so that a start costs milliseconds; the parts are published often,
so that a small shard has many of them.
"""

import os
import signal
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from hpc_jobs.contract.campaign import FrozenCampaign
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import read_model
from hpc_jobs.design.rounds import read_round
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.records import parts
from hpc_jobs.fem.records.shards import Assignment, solve_shard

backend_of("native")
parts.FIRST_INTERVAL_S = parts.LONGEST_INTERVAL_S = 0.01


def solve(root: Path, log: Path) -> None:
    """Solve shard 0 of a run and write down what was found and what was done."""
    run = RunFolder(root)
    points = read_round(run, 0)
    work = Assignment(
        round=0,
        index=0,
        parameters=points.parameters,
        sheet=points.sheet,
        is_test=points.is_test,
        point=points.point,
        level=points.level,
    )
    with log.open("a", buffering=1) as lines:
        solve_shard(
            run,
            read_model(FrozenCampaign, run.campaign),
            work,
            lambda done, total: print(done, total, file=lines),
        )


def solve_until(root: Path, log: Path, name: str, renamed: bool) -> None:
    """Solve, and die by SIGKILL just before or after a file of that name is renamed into place."""
    rename = Path.replace

    def replace(self: Path, target: Any) -> Path:
        last = fnmatch(Path(target).name, name)
        if last and not renamed:
            os.kill(os.getpid(), signal.SIGKILL)
        moved = rename(self, target)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return moved

    Path.replace = replace  # type: ignore[method-assign]
    solve(root, log)
