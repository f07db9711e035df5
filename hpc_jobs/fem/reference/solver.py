"""Newton's method under displacement control, with adaptive load steps.

The strip's ends are clamped and drawn apart. A step starts from an extrapolation of the last
converged ones; the outputs' times are hit exactly. A step that fails is halved, and after quick
convergence the next one is doubled, up to the nominal length.
"""

from math import exp, sqrt
from typing import Any

import numpy as np
from numba import float64, int64, types

from hpc_jobs.fem.kernel import VECTOR, kernel
from hpc_jobs.fem.reference.banded import factorise, substitute
from hpc_jobs.fem.reference.element import assemble
from hpc_jobs.fem.reference.point import INVERTED, STATE
from hpc_jobs.fem.reference.return_map import FAILED
from hpc_jobs.fem.specimen.load_steps import FIRST_STEP

OK, RETURN_MAP, NEWTON, MIN_STEP, INVERTED_ELEMENT, NECKED, NONFINITE = range(7)
TIME_LIMIT = 8
"""Status codes; the same numbers as in contract.records.RecordStatus."""

TOLERANCE = 1e-5  # residual over reaction
ITERATIONS = 12  # of one step
QUICK = 5  # iterations after which the step may grow
BUDGET = 2000  # iterations of one specimen, beside
BUDGET_OF_STEP = 10  # those of each step that was asked for
SMALLEST_STEP = 1e-5
PEAK_PASSED = 1e-6  # relative loss of force that counts as passing the peak
FALL_FOR_GOOD = 0.03  # relative loss of force after which it is not expected to rise again

_MODEL = (
    VECTOR, VECTOR, VECTOR, float64[:, :, :, ::1], float64[:, ::1], int64[:, ::1],
)  # fmt: skip


_CLOCK: Any = types.ExternalFunction("clock", types.long_())  # of libc
_TICKS_PER_S = 1e6  # POSIX's CLOCKS_PER_SEC


@kernel(float64())
def cpu_seconds():
    """Processor time of this process: a busy or suspended machine costs no record its result."""
    return _CLOCK() / _TICKS_PER_S


@kernel(float64(VECTOR, int64, int64))
def _norm(vector, start, stop):
    total = 0.0
    for i in range(start, stop):
        total += vector[i] * vector[i]
    return sqrt(total)


@kernel(types.void(float64[:, ::1], VECTOR, float64, VECTOR))
def extrapolate(history, times, time, result):
    """Lagrange's polynomial through the rows of history at `times` (a row each), at `time`."""
    result[:] = 0.0
    for i in range(times.size):
        weight = 1.0
        for j in range(times.size):
            if j != i:
                weight *= (time - times[j]) / (times[i] - times[j])
        for k in range(result.size):
            result[k] += weight * history[i, k]


@kernel(types.boolean(*_MODEL, VECTOR, int64, int64, int64))
def elastic_direction(
    c, law, elastic, gradients, volumes, dofs, direction, first, free, width
):  # fmt: skip
    """Complete the ends' unit displacements in `direction` by the linear elastic response."""
    tiny = 1e-7
    elements, size = dofs.shape[0], direction.size
    state, new_state = np.zeros((elements, 4, STATE)), np.zeros((elements, 4, STATE))
    strains, band, forces = np.zeros((elements, 4, 2)), np.zeros((free, width)), np.zeros(size)
    displacement = tiny * direction
    status = assemble(
        c, law, elastic, gradients, volumes, dofs, displacement, state, first,
        band, forces, new_state, strains,
    )  # fmt: skip
    if status != 0 or not factorise(band):
        return False
    rhs = forces[first : first + free].copy()
    substitute(band, rhs)
    for i in range(free):
        direction[first + i] = -rhs[i] / tiny
    return True


@kernel(
    types.Tuple((int64, int64))(
        *_MODEL, VECTOR, float64[:, :, ::1], int64, float64[:, ::1], VECTOR, float64[:, :, ::1],
        float64[:, :, ::1], float64, float64,
    )
)  # fmt: skip
def equilibrate(
    c, law, elastic, gradients, volumes, dofs, displacement, state, first,
    band, forces, new_state, strains, tolerance, deadline,
):  # fmt: skip
    """Iterate the free unknowns of `displacement` to equilibrium; returns (status, iterations)."""
    free = band.shape[0]
    before = 1e300
    for iteration in range(1, ITERATIONS + 1):
        if cpu_seconds() > deadline:
            return TIME_LIMIT, iteration - 1
        failed = assemble(
            c, law, elastic, gradients, volumes, dofs, displacement, state, first,
            band, forces, new_state, strains,
        )  # fmt: skip
        if failed == FAILED:
            return RETURN_MAP, iteration
        if failed == INVERTED:
            return INVERTED_ELEMENT, iteration
        rhs = forces[first : first + free].copy()
        residual = _norm(rhs, 0, free)
        reaction = _norm(forces, first + free, forces.size)
        if not residual < 1e300:
            return NONFINITE, iteration
        if residual <= tolerance * reaction:
            return OK, iteration
        if iteration > 3 and residual > 10 * before:
            return NEWTON, iteration
        before = residual
        if not factorise(band):
            return NEWTON, iteration
        substitute(band, rhs)
        for i in range(free):
            displacement[first + i] -= rhs[i]
    return NEWTON, ITERATIONS


@kernel(
    types.void(
        VECTOR,
        float64[:, :, ::1],
        float64[:, :, ::1],
        float64[:, ::1],
        types.Array(float64, 2, "A"),
    )
)
def measure(elastic, state, strains, patch_weights, values):
    """Average over the patches: values (2 or 4, patches).

    Rows 0 and 1 are ln U along and across; 2 the thickness over the initial one,
    exp(-nu/E (T_xx + T_yy) - Ep_xx - Ep_yy); 3 the equivalent plastic strain.
    """
    values[:] = 0.0
    for e in range(strains.shape[0]):
        for q in range(4):
            thickness = 0.0
            if values.shape[0] > 2:
                elastic_part = elastic[1] / elastic[0] * (state[e, q, 4] + state[e, q, 5])
                thickness = exp(-elastic_part - state[e, q, 0] - state[e, q, 1])
            for patch in range(values.shape[1]):
                weight = patch_weights[patch, 4 * e + q]
                values[0, patch] += weight * strains[e, q, 0]
                values[1, patch] += weight * strains[e, q, 1]
                if values.shape[0] > 2:
                    values[2, patch] += weight * thickness
                    values[3, patch] += weight * state[e, q, 3]


@kernel(
    types.Tuple((int64, float64, float64, float64, int64, int64))(
        *_MODEL, VECTOR, int64, int64, int64, int64, VECTOR, float64, float64[:, ::1],
        float64[:, :, ::1], VECTOR, float64, int64, float64,
    )
)  # fmt: skip
def pull(
    c, law, elastic, gradients, volumes, dofs, ends, first, free, width,
    steps_per_output, targets, end_displacement, patch_weights, patch_values, end_forces,
    tolerance, quick, deadline,
):  # fmt: skip
    """Draw one specimen to its end displacement (mm).

    targets (times,) are the output times, as fractions of the end, increasing to 1; ends (all,)
    holds the prescribed unknowns per unit of end displacement, patch_weights
    (patches, points) averages. Writes patch_values (2 or 4, patches, times), see measure, and
    end_forces (times,), N. A step may grow if the last one took no more than `quick`
    iterations; none begins after `deadline`, on the clock of cpu_seconds. Returns status, time
    reached (1 is the end), force there, largest plastic strain, steps and iterations.
    """
    outputs = end_forces.size
    elements, size = dofs.shape[0], ends.size
    state, new_state = np.zeros((elements, 4, STATE)), np.zeros((elements, 4, STATE))
    strains, band, forces = np.zeros((elements, 4, 2)), np.zeros((free, width)), np.zeros(size)
    history, times = np.zeros((3, size)), np.zeros(3)
    direction, displacement = ends.copy(), np.zeros(size)
    if not elastic_direction(
        c, law, elastic, gradients, volumes, dofs, direction, first, free, width
    ):
        return NONFINITE, 0.0, 0.0, 0.0, 0, 0
    nominal = 1.0 / (outputs * steps_per_output)
    step, time, output = min(FIRST_STEP, nominal), 0.0, 0
    known, steps, iterations = 1, 0, 0
    force, peak, largest, before = 0.0, 0.0, 0.0, 0.0
    fall = (False, 0.0, 0.0, 0.0, 0)  # its time, force, largest plastic strain and step
    while output < outputs:
        target = targets[output]
        pieces = max(1.0, np.ceil((target - time) / step - 1e-6))
        new_time = target if pieces == 1.0 else time + (target - time) / pieces
        if known == 1:
            displacement[:] = new_time * end_displacement * direction
        else:
            extrapolate(history[:known], times[:known], new_time, displacement)
        status, spent = equilibrate(
            c, law, elastic, gradients, volumes, dofs, displacement, state, first,
            band, forces, new_state, strains, tolerance, deadline,
        )  # fmt: skip
        iterations += spent
        if status != OK:
            step = 0.5 * (new_time - time)
            if status == TIME_LIMIT:
                return TIME_LIMIT, time, force, largest, steps, iterations
            if iterations > BUDGET + BUDGET_OF_STEP * outputs * steps_per_output:
                return NEWTON, time, force, largest, steps, iterations
            if step < SMALLEST_STEP:
                if fall[0]:
                    return NECKED, fall[1], fall[2], fall[3], fall[4], iterations
                cause = MIN_STEP if status == NEWTON else status
                return cause, time, force, largest, steps, iterations
            continue
        state[:] = new_state
        largest = new_state[:, :, 3].max()
        force = 0.0
        for i in range(first + free, size, 2):
            force += forces[i]
        if not abs(force) < 1e300:
            return NONFINITE, time, force, largest, steps, iterations
        # A fall after which the force rises again is none: a plateau steel yields like that
        if fall[0] and force > before:
            fall, peak = (False, 0.0, 0.0, 0.0, 0), force
        if not fall[0] and force < peak * (1 - PEAK_PASSED):
            fall = (True, time, force, largest, steps)
        if force < peak * (1 - FALL_FOR_GOOD):
            return NECKED, fall[1], fall[2], fall[3], fall[4], iterations
        steps += 1
        peak, before = max(peak, force), force
        if known == 3:
            history[0], history[1] = history[1].copy(), history[2].copy()
            times[0], times[1] = times[1], times[2]
        else:
            known += 1
        history[known - 1], times[known - 1] = displacement, new_time
        length = new_time - time
        time = new_time
        if spent <= quick:
            step = min(nominal, 2 * max(length, step))
        if pieces == 1.0:
            measure(elastic, state, strains, patch_weights, patch_values[:, :, output])
            end_forces[output] = force
            output += 1
    if fall[0]:
        return NECKED, fall[1], fall[2], fall[3], fall[4], iterations
    return OK, time, force, largest, steps, iterations
