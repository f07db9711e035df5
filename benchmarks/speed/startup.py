"""From the start of a process to its first record, and that nothing is compiled on the way.

The process imports what an array element imports. It runs where nothing can be compiled unseen:
no compiler is on its PATH, and `stranger` has it believe that its processor is another one.
"""

import os
import subprocess
import sys
import time

CODE = """
import sys
# stranger
from hpc_jobs.runtime import element
from hpc_jobs.jobs import solve_shard
from hpc_jobs.fem.records import shards
from hpc_jobs.fem.backends import backend_of
from benchmarks.speed.sheets import DP780, material, specimens
found, backend = backend_of(sys.argv[1])
record = backend.simulate(DP780, material(), specimens((24, 12)))
assert record.status == "ok", record.reason
kernel = sys.modules.get("hpc_jobs.fem.kernel")
kernels = kernel.KERNELS if kernel else []
print(sum(sum(one.stats.cache_misses.values()) for one in kernels))
"""
STRANGER = """
from llvmlite import binding
binding.get_host_cpu_name = lambda: "nehalem"
binding.get_host_cpu_features = lambda: binding.FeatureMap({"64bit": True, "sse2": True})
"""


def first_record(solver: str, *, stranger: bool = False) -> dict[str, float]:
    """Wall and CPU seconds, the better of three, and how many kernels were compiled."""
    code = CODE.replace("# stranger", STRANGER) if stranger else CODE
    tries = [_once(code, solver) for _ in range(1 if stranger else 3)]
    return {
        "wall_s": min(wall for wall, _, _ in tries),
        "cpu_s": min(cpu for _, cpu, _ in tries),
        "compiled": tries[-1][2],
    }


def _once(code: str, solver: str) -> tuple[float, float, int]:
    environment = {**os.environ, "PATH": "/nowhere", "CXX": "/nowhere/c++"}
    start, before = time.monotonic(), os.times()
    done = subprocess.run(
        [sys.executable, "-c", code, solver],
        check=True,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    wall, after = time.monotonic() - start, os.times()
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return wall, cpu, int(done.stdout.splitlines()[-1])
