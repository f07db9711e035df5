"""What no job imports in vain: seconds before each of some hundred elements does anything."""

import os
import subprocess
import sys

import pytest

HEAVY = ("torch", "scipy.stats", "matplotlib", "sklearn", "numba", "mlflow")
NEEDED = {
    "warm_kernels": (),
    "choose_points": (),
    "solve_shard": (),
    "publish_dataset": ("numba",),
    "identify_outside": (),
    "resimulate": (),
    "score": ("numba", "matplotlib"),
    "identify": ("numba", "torch"),
    "train": ("torch", "matplotlib"),
}


@pytest.mark.parametrize("job", NEEDED)
def test_a_job_imports_what_it_needs(job: str) -> None:
    seen = f"print(*(name for name in {HEAVY} if name in sys.modules))"
    code = f"import sys, hpc_jobs.jobs.{job}; {seen}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= set(NEEDED[job])
