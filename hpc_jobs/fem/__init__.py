"""Simulated tensile tests: two functions for a notebook; the modules below do the work.

    from hpc_jobs.fem import simulate, simulate_many

Importing this package loads neither numpy nor a solver. docs/notebook-api.md shows examples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from hpc_jobs.contract.material import Material
    from hpc_jobs.contract.specimen import Specimens
    from hpc_jobs.fem.record import Record

__all__ = ["simulate", "simulate_many"]


def simulate(
    parameters: ArrayLike,
    material: Material,
    specimens: Specimens | None = None,
    *,
    solver: str = "auto",
) -> Record:
    """Pull all virtual specimens of one sheet.

    parameters in the order of material.parameters: none for von_mises, r-values at 0, 45 and 90
    degrees for hill48 and barlat89, alpha1..alpha8 for yld2000_2d. specimens are the default ones
    unless given. solver is "auto" (the native one where it is built), a name of
    hpc_jobs.fem.backends or package.module:OBJECT of your own. A failure is the record's status
    with its reason, never an exception; strains are ln U, forces N, laid out as
    contract.specimen.Specimens says.

    Raises UnsupportedMaterial for a wrong number of parameters, SolverMissing for a solver that
    is unknown or cannot work on this machine.
    """
    import numpy as np

    return simulate_many(np.asarray(parameters)[None], material, specimens, solver=solver)[0]


def simulate_many(
    table: ArrayLike,
    material: Material,
    specimens: Specimens | None = None,
    *,
    solver: str = "auto",
) -> list[Record]:
    """Pull all virtual specimens of several sheets: a record per row of table (n, parameters).

    In order, none dropped; a record does not depend on the others. Otherwise like `simulate`.
    """
    import numpy as np

    from hpc_jobs.contract.specimen import Specimens
    from hpc_jobs.fem.backends import backend_of
    from hpc_jobs.fem.errors import UnsupportedMaterial

    rows = np.asarray(table, dtype=np.float64)
    if rows.ndim != 2:
        raise UnsupportedMaterial(
            f"the table has shape {rows.shape}; give (n, {len(material.parameters)})"
        )
    _, backend = backend_of(solver)
    tests = Specimens() if specimens is None else specimens
    return [backend.simulate(row, material, tests) for row in rows]
