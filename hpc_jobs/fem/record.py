"""What a simulation returns, whichever kernel did it."""

from dataclasses import dataclass

import numpy as np

from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.mesh import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """One row of a shard; NaN in all strains and forces unless the status is ok.

    strains are ln U in specimen axes, flattened [component, specimen, patch, time]; forces in N,
    [specimen, time]; the layouts of contract.specimen.Specimens.
    """

    status: str
    reason: str  # empty if ok
    strains: FloatArray
    forces: FloatArray
    largest_plastic_strain: float
    steps: int
    iterations: int


def failed(
    status: str,
    reason: str,
    specimens: Specimens,
    largest: float = 0.0,
    steps: int = 0,
    iterations: int = 0,
) -> Record:
    """Return the record of a parameter point that could not be simulated."""
    return Record(
        status=status,
        reason=reason,
        strains=np.full(specimens.strain_values, np.nan),
        forces=np.full(specimens.force_values, np.nan),
        largest_plastic_strain=largest,
        steps=steps,
        iterations=iterations,
    )
