"""How many records a core solves: the native kernel, with and without symmetry, and the reference.

    python -m benchmarks.fem_speed [--rounds N] [--json FILE]

One record is three specimens (0, 45, 90 degrees), 10 output times, in the default steps; set-up is
excluded. All variants take turns in one process, round after round, so that whatever else the
machine does falls on all alike; CPU seconds count, the fastest round of each. Prints a table and
writes JSON.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from hpc_jobs.contract.material import HockettSherby, Material
from hpc_jobs.contract.specimen import Mesh, Specimens
from hpc_jobs.fem.native.library import load
from hpc_jobs.fem.native.simulation import Control, NativeSimulation
from hpc_jobs.fem.record import Record

MESHES = ((16, 8), (24, 12), (36, 16), (48, 24))  # 128, 288, 576 and 1,152 elements
DP780 = np.array([0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556])
GOALS = {"native": 100.0, "native, all of the mesh": 40.0, "native over reference": 30.0}
ROOFLINE_RECORDS_PER_S = 260.0  # 115 Mflop per record by symmetry, 288 elements, at 30 Gflop/s
NATIVE_S, REFERENCE_S = 0.4, 0.4  # CPU time of one turn, at least one record

Simulate = Callable[[np.ndarray], Record]


def material() -> Material:
    """DP780, as in the demo campaign."""
    hardening = HockettSherby(
        law="hockett_sherby",
        saturation_stress_mpa=1125.76,
        yield_stress_mpa=317.907,
        rate=4.9711,
        exponent=0.45262,
    )
    return Material(exponent=6, youngs_modulus_mpa=2e5, poisson_ratio=0.33, hardening=hardening)


def points(count: int) -> np.ndarray:
    """Parameter points around DP780."""
    return DP780 * (1 + 0.04 * np.random.default_rng(7).uniform(-1, 1, (count, 8)))


def variants(specimens: Specimens) -> dict[str, Simulate]:
    """Everything that is compared on one mesh."""
    from hpc_jobs.fem import simulation

    found: dict[str, Simulate] = {
        "native": NativeSimulation(material(), specimens).simulate,
        "native, cold start": NativeSimulation(
            material(), specimens, Control(warm_start=False)
        ).simulate,
        "native, all of the mesh": NativeSimulation(
            material(), specimens, Control(use_symmetry=False)
        ).simulate,
        "native, portable path": NativeSimulation(
            material(), specimens, Control(path="portable")
        ).simulate,
        "reference": lambda alpha: simulation.simulate(alpha, material(), specimens),
    }
    return found


def turn(simulate: Simulate, table: np.ndarray, seconds: float) -> tuple[float, float]:
    """Simulate rows in turn for a while; return CPU seconds and iterations per record."""
    start, done, iterations = time.process_time(), 0, 0
    while True:
        record = simulate(table[done % len(table)])
        if record.status != "ok":
            raise RuntimeError(f"a record ended as {record.status}: {record.reason}")
        done, iterations = done + 1, iterations + record.iterations
        spent = time.process_time() - start
        if spent > seconds:
            return spent / done, iterations / done


def compare(mesh: tuple[int, int], rounds: int) -> dict[str, dict[str, float]]:
    """Measure records per CPU second and evaluations per specimen of all variants on a mesh."""
    along, across = mesh
    specimens = Specimens(mesh=Mesh(along=along, across=across))
    runs, table = variants(specimens), points(16)
    for simulate in runs.values():
        simulate(table[0])  # caches, page faults
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, simulate in runs.items():
            seconds = REFERENCE_S if name == "reference" else NATIVE_S
            results[name].append(turn(simulate, table, seconds))
    return {
        name: {
            "records_per_s": 1 / min(seconds for seconds, _ in turns),
            "evaluations_per_specimen": turns[0][1] / 3,
        }
        for name, turns in results.items()
    }


def _work(seconds: float) -> int:
    simulation, table = NativeSimulation(material(), Specimens()), points(16)
    simulation.simulate(table[0])
    done, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        simulation.simulate(table[done % len(table)])
        done += 1
    return done


def two_processes(seconds: float = 3.0) -> float:
    """Count records of two processes side by side over those of one in the same wall time."""
    context = get_context("spawn")
    with context.Pool(2) as pool:
        pool.map(_work, [0.1, 0.1], chunksize=1)
        one = pool.apply(_work, (seconds,))
        two = sum(pool.map(_work, [seconds, seconds], chunksize=1))
    return two / one


def start_up(module: str) -> float:
    """Wall seconds from a new Python process to its first record, the better of two."""
    code = (
        f"from {module} import simulate\n"
        "from benchmarks.fem_speed import DP780, material\n"
        "from hpc_jobs.contract.specimen import Specimens\n"
        "assert simulate(DP780, material(), Specimens()).status == 'ok'\n"
    )
    spent = []
    for _ in range(2):
        start = time.monotonic()
        subprocess.run([sys.executable, "-c", code], check=True)
        spent.append(time.monotonic() - start)
    return min(spent)


def report(found: Mapping[str, Any]) -> str:
    """Lay the figures out as a table."""
    lines = [f"records per CPU second and core; native kernel on {found['path']}"]
    names = list(next(iter(found["meshes"].values())))
    lines.append(f"{'elements per specimen':28}" + "".join(f"{m:>9}" for m in found["meshes"]))
    for name in names:
        row = (found["meshes"][m][name]["records_per_s"] for m in found["meshes"])
        lines.append(f"{name:28}" + "".join(f"{value:9.1f}" for value in row))
    ratios = (
        found["meshes"][m]["native"]["records_per_s"]
        / found["meshes"][m]["reference"]["records_per_s"]
        for m in found["meshes"]
    )
    lines.append(f"{'native over reference':28}" + "".join(f"{value:9.1f}" for value in ratios))
    production = found["meshes"]["288"]
    achieved = production["native"]["records_per_s"]
    lines += [
        f"evaluations per specimen, 288 elements: native "
        f"{production['native']['evaluations_per_specimen']:.1f}, cold "
        f"{production['native, cold start']['evaluations_per_specimen']:.1f}, reference "
        f"{production['reference']['evaluations_per_specimen']:.1f}",
        f"of the roofline estimate ({ROOFLINE_RECORDS_PER_S:.0f}/s): "
        f"{achieved / ROOFLINE_RECORDS_PER_S:.0%}",
        f"two processes over one: {found['two_processes']:.2f}",
        f"start to first record: native {found['start_up_s']['native']:.2f} s, "
        f"reference {found['start_up_s']['reference']:.2f} s",
    ]
    for name, goal in GOALS.items():
        value = (
            achieved / production["reference"]["records_per_s"]
            if name == "native over reference"
            else production[name]["records_per_s"]
        )
        lines.append(
            f"goal {name}: {value:.0f} of {goal:.0f}: {'met' if value >= goal else 'MISSED'}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each variant")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/fem_speed.json"))
    options = parser.parse_args()
    found = {
        "path": load().best_path,
        "meshes": {str(a * b): compare((a, b), options.rounds) for a, b in MESHES},
        "two_processes": two_processes(),
        "start_up_s": {
            "native": start_up("hpc_jobs.fem.native.simulation"),
            "reference": start_up("hpc_jobs.fem.simulation"),
        },
    }
    sys.stdout.write(report(found) + "\n")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
