"""Compiled kernels serve on whatever node an array element lands."""

import subprocess
import sys

OURSELVES = """
import numpy as np
from hpc_jobs.contract.material import Material, Swift
from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.kernel import KERNELS
from hpc_jobs.fem.reference.simulation import simulate

swift = Swift(strength_mpa=1100.0, prestrain=0.003, exponent=0.16)
steel = Material(exponent=2, youngs_modulus_mpa=2e5, poisson_ratio=0.3, hardening=swift)
strip = Specimens(angles_deg=(0.0,), mesh=Mesh(along=8, across=4), output_times=1)
record = simulate(np.ones(8), steel, strip)
assert record.status == "ok"
print(sum(sum(kernel.stats.cache_misses.values()) for kernel in KERNELS), record.forces[0].hex())
"""
ELSEWHERE = """
from llvmlite import binding
binding.get_host_cpu_name = lambda: "nehalem"
binding.get_host_cpu_features = lambda: binding.FeatureMap({"64bit": True, "sse2": True})
"""


def run(code: str) -> list[str]:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()


def test_another_processor_compiles_nothing_and_finds_the_same() -> None:
    run(OURSELVES)  # fills the cache where it is not yet full
    compiled, force = run(ELSEWHERE + OURSELVES)
    assert compiled == "0"
    assert run(OURSELVES) == ["0", force]
