"""What this core could do at best, and where the native kernel's time goes."""

import ctypes
import subprocess
from pathlib import Path

from benchmarks.speed.sheets import material, points, specimens
from hpc_jobs.fem.native.build import FLAGS, SOURCES, X86_PATHS, build, find_compiler
from hpc_jobs.fem.native.library import Library, load
from hpc_jobs.fem.native.simulation import NativeSimulation
from hpc_jobs.fem.native.symmetry import solved_part, symmetry_at

BUILD = Path("build/benchmarks")
PHASES = ("rest", "elements", "assembly", "factorisation", "substitution")


def capability() -> dict[str, float]:
    """Measure multiply-adds in Gflop/s, and integration points in millions per second."""
    path, program = load().best_path, BUILD / "roofline"
    BUILD.mkdir(parents=True, exist_ok=True)
    options = [*FLAGS, *X86_PATHS.get(path, ()), f"-DYL_ARCH={path}", f"-I{SOURCES}"]
    source = Path(__file__).with_name("roofline.cpp")
    subprocess.run([find_compiler(), *options, str(source), "-o", str(program)], check=True)
    words = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    gflops, mpoints = map(float, words.split())
    return {"gflop_per_s": gflops, "mpoints_per_s": mpoints}


def points_per_record(evaluations_per_specimen: float) -> float:
    """Count the integration points evaluated for a record at 288 elements, by symmetry."""
    tests = specimens((24, 12))
    parts = (
        solved_part(test.geometry, tests.mesh, tests.patches, symmetry_at(test.angle_deg))
        for test in tests.tests
    )
    return evaluations_per_specimen * sum(part.volumes.size for part in parts)


def phases(mesh: tuple[int, int], records: int = 40) -> dict[str, float]:
    """Shares of the phases, by counters that only this build of the library has."""
    library = Library(build(BUILD / "profile", flags=("-DYL_PROFILE",)))
    native = NativeSimulation(material(), specimens(mesh), library=library)
    table = points()
    for i in range(records):
        native.simulate(table[i % len(table)])
    shares = (ctypes.c_double * len(PHASES))()
    library.dll.yl_profile(shares)
    return dict(zip(PHASES, shares, strict=True))
