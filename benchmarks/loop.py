"""The loop's decisions: who may be champion, where simulations pay, when production has drifted.

    python -m benchmarks.loop gate                  # seconds: a thousand comparisons of each kind
    python -m benchmarks.loop drift                 # seconds: charts of production
    python -m benchmarks.loop active [--start 1000] [--repeats 5] [--cache DIR]
    python -m benchmarks.loop learned [--start 4300] [--more 10000] [--mesh production]

Each measurement is kept in the file --json and not made again; with --minutes none is begun after
so many. Goals are printed beside what was reached. `active` simulates: per sheet 200 records, and
three times as many for each sheet of a repeat, some half an hour of one core in all; `learned`
simulates what its networks learn from, and trains three. Not measured here: sheets outside the box,
which `python -m benchmarks.family --outside` looks for.
"""

import argparse
import logging
from pathlib import Path

from benchmarks.deciding.active import SHEETS, active
from benchmarks.deciding.drift import drift
from benchmarks.deciding.gate import COMPARISONS, gate
from benchmarks.deciding.learned import learned
from benchmarks.kept import Kept

PARTS = ("gate", "drift", "active", "learned")


def main() -> None:
    """Run the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--count", type=int, default=COMPARISONS, help="comparisons a kind")
    parser.add_argument("--start", type=int, default=1000, help="records that fill the box")
    parser.add_argument("--more", type=int, default=10_000, help="of Sobol's, for `learned`")
    parser.add_argument("--mesh", default="coarse", help="of what `learned` simulates")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sheets", type=int, default=SHEETS, help="of interest, in each repeat")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/loop.json"))
    parser.add_argument("--minutes", type=float, help="begin no measurement after so many")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "yieldloop-loop")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    kept = Kept(options.json, options.minutes)
    if "gate" in options.parts:
        gate(options.count, kept)
    if "drift" in options.parts:
        drift(max(options.count // 5, 20))
    if "active" in options.parts:
        active(options.start, options.repeats, options.sheets, options.cache, kept)
    if "learned" in options.parts:
        sizes = options.start, options.more
        learned(sizes, options.mesh, options.sheets, options.cache, kept)


if __name__ == "__main__":
    main()
