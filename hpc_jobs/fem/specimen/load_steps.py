"""The load steps of a virtual test: they hit its output times, and are the same for all records."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.specimen import TensileTest
from hpc_jobs.fem.specimen.mesh import FloatArray

FIRST_STEP = 0.01  # of the end displacement; a larger one yields everywhere at once


def output_fractions(test: TensileTest) -> FloatArray:
    """Output times (times,) as fractions of the end displacement; the last one is 1."""
    displacements = np.array(test.displacements_mm)
    return np.asarray(displacements / displacements[-1])


def load_steps(
    fractions: Sequence[float] | FloatArray, steps_per_output: int
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the ends of the load steps (steps,), as fractions, and which are output times.

    Of tests with the same output times the same for all records, so that strains vary smoothly
    with the parameters; the sequence that the reference takes where it never has to cut back.
    """
    nominal = 1 / (len(fractions) * steps_per_output)
    step, now, times, is_output = min(FIRST_STEP, nominal), 0.0, list[float](), list[bool]()
    for target in fractions:
        while now < target:
            pieces = max(1.0, np.ceil((target - now) / step - 1e-6))
            length = target - now if pieces == 1 else (target - now) / pieces
            now = float(target) if pieces == 1 else now + length
            step = min(nominal, 2 * max(length, step))
            times.append(now)
            is_output.append(pieces == 1)
    return np.array(times), np.array(is_output)
