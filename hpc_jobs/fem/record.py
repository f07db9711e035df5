"""What a simulation returns, whichever kernel did it."""

from dataclasses import dataclass, field

import numpy as np

from hpc_jobs.contract.specimen import Specimens, TensileTest
from hpc_jobs.fem.specimen.mesh import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """One row of a shard; NaN in all strains and forces unless the status is ok.

    strains are ln U in specimen axes, flattened [component, specimen, patch, time]; forces in N,
    [specimen, time]; outputs by name, each [specimen, patch, time]; the layouts of
    contract.specimen.Specimens.
    """

    status: str
    reason: str  # empty if ok
    strains: FloatArray
    forces: FloatArray
    largest_plastic_strain: float
    steps: int
    iterations: int
    displacements: FloatArray  # mm, of the output times, [specimen, time]; NaN if not found
    outputs: dict[str, FloatArray] = field(default_factory=dict)


def quantities(specimens: Specimens) -> int:
    """How many patch averages a solver takes: ln U xx and yy, or also those of the outputs."""
    return 4 if specimens.outputs else 2


def finished(
    specimens: Specimens,
    values: FloatArray,
    forces: FloatArray,
    *,
    largest: float,
    steps: int,
    iterations: int,
) -> Record:
    """Return the record of a point whose tests all reached their end.

    values (quantities, specimens, patches, times): ln U xx and yy and, if there are outputs,
    thickness over initial thickness and equivalent plastic strain. forces (specimens, times), N.
    What is not finite is a failure, and so is a sheet that stayed elastic: it says nothing. The
    forces come as the specimen bears them, and go as its load cell reads them.
    """
    if largest <= 0:
        reason = (
            "nothing has yielded at the end; check the units of end displacement, Young's modulus "
            "and hardening"
        )
        return failed("elastic", reason, specimens, largest, steps, iterations)
    if not (np.isfinite(values).all() and np.isfinite(forces).all()):
        reason = "a strain, force or output is not a finite number, though every step converged"
        return failed("nonfinite", reason, specimens, largest, steps, iterations)
    gains = np.array([test.force_factor for test in specimens.tests])
    thickness = np.array([test.geometry.thickness_mm for test in specimens.tests])
    units = {"thickness": (2, thickness[:, None, None]), "plastic_strain": (3, 1.0)}
    chosen = {name: units[name] for name in specimens.outputs}
    return Record(
        status="ok",
        reason="",
        strains=values[:2].ravel(),
        forces=(forces * gains[:, None]).ravel(),
        largest_plastic_strain=largest,
        steps=steps,
        iterations=iterations,
        displacements=_displacements(specimens),
        outputs={name: (unit * values[row]).ravel() for name, (row, unit) in chosen.items()},
    )


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
        displacements=_displacements(specimens),
        outputs={name: np.full(specimens.output_values, np.nan) for name in specimens.outputs},
    )


def _displacements(specimens: Specimens) -> FloatArray:
    if not specimens.is_timed:
        return np.full(specimens.force_values, np.nan)
    return np.array(specimens.displacements_mm).ravel()


def stopped(
    specimens: Specimens,
    test: TensileTest,
    status: str,
    *,
    steps: int,
    time: float,
    force: float,
    largest: float,
) -> str:
    """Say where a specimen stopped: `steps` converged, to the fraction `time` of the end.

    force (N) and the largest plastic strain are those of the last converged step, or of the one
    that passed the peak.
    """
    end = test.end_displacement_mm
    late = f"; the limit is {specimens.time_limit_s:g} s" if status == "time_limit" else ""
    return (
        f"specimen {test.label} deg stopped in step {steps + 1} after {time * end:.4g} of "
        f"{end:g} mm, force {force:.5g} N, largest plastic strain {largest:.3g}{late}"
    )
