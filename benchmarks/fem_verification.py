"""Every reference of the FEM engine against our value: published, analytic, of CalculiX.

    python -m benchmarks.fem_verification [--docs FOLDER]

Prints the tables and writes them, with figures, to docs/fem-verification.md. Ends with status 1 if
a reference is missed.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.verification import finite_strain, strips, tangents, yield_loci
from benchmarks.verification.check import Check, grouped, table
from benchmarks.verification.figures import draw_strip, draw_yield_functions
from hpc_jobs.contract.records import publish
from hpc_jobs.fem.native.build import build

DOCS = Path(__file__).parents[1] / "docs"
CONVERGENCE = "mesh-convergence.md"
INTRODUCTION = """\
# FEM engine: what it is checked against

Written by `python -m benchmarks.fem_verification`, which recomputes every value, and fails where
one misses its tolerance: half a unit of the last printed digit where a reference is printed. An
*independent prototype* shares no code with this engine; an *identity* must vanish. Stresses are
over the flow stress k; strains are ln U.
"""


def main() -> None:
    """Compare, print, write; status 1 if a reference is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--docs", type=Path, default=DOCS, help="where the report goes")
    docs: Path = parser.parse_args().docs
    build(environment=dict(os.environ))
    convergence = strips.converge()
    crosscheck = list(strips.crosscheck())
    checks = [
        *yield_loci.checks(),
        *finite_strain.checks(),
        *strips.checks(convergence),
        *crosscheck,
        *tangents.checks(),
    ]
    draw_yield_functions(docs / "fem-verification-yield.png")
    draw_strip(docs / "fem-verification-strip.png", convergence)
    text = report(checks, crosschecked=bool(crosscheck), convergence=(docs / CONVERGENCE).exists())
    with publish(docs / "fem-verification.md") as temporary:
        temporary.write_text(text)
    sys.stdout.write(text)
    missed = [check for check in checks if not check.met]
    if missed:
        sys.exit(f"error: {len(missed)} of {len(checks)} references are missed, see above")


def report(checks: Sequence[Check], *, crosschecked: bool, convergence: bool) -> str:
    """Lay the checks out as a page of Markdown."""
    met = sum(check.met for check in checks)
    parts = [INTRODUCTION, f"**{met} of {len(checks)} references are met.**"]
    if not crosschecked:
        parts.append("CalculiX is not installed here: its values are those of the tables only.")
    parts.append("![yield functions with published points](fem-verification-yield.png)")
    parts.append("![the notched strip](fem-verification-strip.png)")
    if convergence:
        parts.append(
            f"What each mesh level costs in accuracy is in [{CONVERGENCE}]({CONVERGENCE})."
        )
    for group, members in grouped(checks).items():
        parts += [f"## {group}", table(members)]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


if __name__ == "__main__":
    main()
