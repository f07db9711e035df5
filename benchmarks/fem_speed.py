"""How fast records are made: native, reference and CalculiX, and where the time goes.

    python -m benchmarks.fem_speed [--rounds N] [--json FILE]

One record is three specimens (0, 45, 90 degrees), 10 output times, in the default steps; set-up is
excluded. All variants take turns in one process, round after round, so that whatever else the
machine does falls on all alike; CPU seconds count, the fastest round of each. Prints tables and
goals, and writes JSON. Takes three minutes.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.speed.core import capability, phases, points_per_record
from benchmarks.speed.rates import against_ccx, compare, load_average, two_processes
from benchmarks.speed.report import report
from benchmarks.speed.sheets import MESHES, PRODUCTION
from benchmarks.speed.startup import first_record
from hpc_jobs.fem.backends import load as load_solver
from hpc_jobs.fem.native.library import load


def measure(rounds: int) -> dict[str, Any]:
    """Measure everything, one thing after the other."""
    ccx = not load_solver("calculix").missing()
    found: dict[str, Any] = {
        "path": load().best_path,
        "load_average": load_average(),
        "core": capability(),
        "meshes": {str(a * b): compare((a, b), rounds) for a, b in MESHES},
        "ccx": {str(a * b): against_ccx((a, b), rounds) for a, b in MESHES} if ccx else {},
        "phases": {str(a * b): phases((a, b)) for a, b in MESHES},
        "two_processes": two_processes(),
        "start_up": {
            "native": first_record("native"),
            "reference": first_record("reference"),
            "native, unknown processor": first_record("native", stranger=True),
            "reference, unknown processor": first_record("reference", stranger=True),
        },
    }
    evaluations = found["meshes"][PRODUCTION]["native"]["evaluations_per_specimen"]
    return found | {"points_per_record": points_per_record(evaluations)}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="turns of each variant")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/fem_speed.json"))
    options = parser.parse_args()
    found = measure(options.rounds)
    sys.stdout.write(report(found) + "\n")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
