"""A worker that may be killed: `python -m tests.integration.slurm.worker REQUEST.json`.

Runs a task's `execute` in a process of its own and exits 3 where the task defers.
"""

import json
import os
import sys
from pathlib import Path

from tests.integration.slurm.control_host import TaskState, TrialInstance


def main(request: Path) -> int:
    asked = json.loads(request.read_text())
    os.environ.update(asked["environment"])
    from airflow.sdk.exceptions import TaskDeferred

    from operators.array.operator import HpcArrayJobOperator

    context = {
        "ti": TrialInstance(**asked["ti"]),
        "task_state_store": TaskState(Path(asked["state"])),
    }
    try:
        HpcArrayJobOperator(**asked["operator"]).execute(context)
    except TaskDeferred:
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
