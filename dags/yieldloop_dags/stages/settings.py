"""What all stages share: retries, and the names of what a DAG run adds."""

from datetime import timedelta
from typing import Any

from operators.runs.closing import tell_cause

DEFAULTS: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "on_failure_callback": tell_cause,
}
STAMP = "{{ dag_run.run_after.strftime('%Y%m%d-%H%M%S') }}"
TRAINING, VALIDATION = f"t{STAMP}", f"v{STAMP}"
"""Names of what a DAG run adds to its campaign's run; a retry finds the same."""
REPLAY_S = 15.0
