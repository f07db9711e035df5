"""Which solvers a campaign can name, and what each of them can solve."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from hpc_jobs.contract.material import YIELD_PARAMETERS

EVERY: tuple[str, ...] = tuple(YIELD_PARAMETERS)
SOLVERS: dict[str, tuple[str, ...]] = {
    "auto": EVERY,
    "native": EVERY,
    "reference": EVERY,
    "calculix": ("von_mises",),
    "calculix_cps4r": ("von_mises",),
    "rehearsal": EVERY,
}
"""Solver -> the yield functions that it solves; hpc_jobs.fem.backends holds the solvers."""

Provenance = Literal["simulation", "rehearsal"]
"""Where records come from: a rehearsal's look like simulations, and are none."""

OWN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+(:[A-Za-z_]\w*)?")
"""A solver of yours: package.module, or package.module:OBJECT, as the cluster's Python finds it."""


def _known(name: str) -> str:
    if name not in SOLVERS and not OWN.fullmatch(name):
        raise ValueError(
            f"'{name}' is no solver; choose {', '.join(SOLVERS)}, or name yours as "
            "package.module:OBJECT (docs/own-solver.md)"
        )
    return name


Solver = Annotated[
    str,
    AfterValidator(_known),
    Field(
        description="of the simulations; auto: native, or reference without a compiler; "
        "rehearsal: no FEM at all, for trials of everything else; package.module:OBJECT: your own"
    ),
]


def provenance(solver: str) -> Provenance:
    """Say what a solver's records are."""
    return "rehearsal" if solver == "rehearsal" else "simulation"


def limitation(solver: str, yield_function: str) -> str:
    """Say why a solver cannot solve a yield function; "" if it can, or is none of ours."""
    solved = SOLVERS.get(solver, EVERY)
    if yield_function in solved:
        return ""
    others = ", ".join(name for name, able in SOLVERS.items() if yield_function in able)
    return (
        f"solver '{solver}' solves {', '.join(solved)} only, and material.yield_function is "
        f"'{yield_function}'; choose {others}"
    )
