"""How large and how quick the pages' answers are for arrays of any size.

    python -m benchmarks.pages

The Elements tab's answer is made from what was read of the cluster: this takes the processor time
of making it, and counts the bytes that a browser gets.
"""

import json
import time
from pathlib import PurePosixPath

from hpc_jobs.job_folder.folder import JobFolder
from hpc_jobs.job_folder.probes import Scan
from operators.cluster.job import Resources
from operators.cluster.submission import SubmissionRecord
from operators.pages.array_view import ArrayView, states_of
from operators.pages.elements_page import elements_document

SIZES = (100, 10_000, 100_000)
GOAL_S, GOAL_BYTES = 0.3, 200 * 1024


def view_of(elements: int) -> ArrayView:
    """Mix all states finely, with a quarter failed of seven causes."""
    scan = Scan(
        done=frozenset(range(0, elements, 2)),
        failed=frozenset(range(1, elements, 4)),
        locked=frozenset(range(elements)),
    )
    record = SubmissionRecord(
        number=0,
        name="t.0",
        submitted=0.0,
        elements=tuple(range(elements)),
        resources=Resources(),
        job_ids=("7",),
    )
    causes = {e: f"ValueError: cause {e % 7}" for e in range(1, elements, 4)}
    states = states_of(elements, scan, [record])
    return ArrayView(
        "solve_shard", JobFolder(PurePosixPath("/ws/r/jobs/t")), "cpu", [], states, causes
    )


def main() -> None:
    """Print a row a size."""
    print(f"{'elements':>9} {'CPU s':>8} {'bytes':>8}   goals: {GOAL_S} s, {GOAL_BYTES} bytes")
    for elements in SIZES:
        view = view_of(elements)
        begun = time.process_time()
        content = json.dumps(elements_document(view)).encode()
        seconds = time.process_time() - begun
        met = seconds < GOAL_S and len(content) < GOAL_BYTES
        print(f"{elements:>9} {seconds:>8.3f} {len(content):>8}   {'met' if met else 'NOT met'}")


if __name__ == "__main__":
    main()
