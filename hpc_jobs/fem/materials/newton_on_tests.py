"""Yld2000-2d's alpha from mechanical tests: eight equations in eight unknowns, by Newton's method.

The stresses at 0, 45, 90 degrees and equibiaxial, sigma_bar(s) sigma/k = 1, and the r-values
there, n_y - r_b n_x = 0 and n . (across + r thickness) = 0: all smooth in alpha. Four or five
iterations from all ones suffice for common sheets.
"""

import numpy as np
from numba import float64, types

from hpc_jobs.fem.kernel import VECTOR, kernel
from hpc_jobs.fem.materials.linear_forms import evaluate
from hpc_jobs.fem.materials.yield_function import COEFFICIENTS
from hpc_jobs.fem.materials.yld2000_2d import linear_forms

NEWTON_ITERATIONS = 40

_linear_forms = kernel(types.UniTuple(float64, 8)(*[float64] * 8))(linear_forms)


@kernel(types.void(VECTOR, float64, VECTOR, VECTOR, VECTOR))
def _test_residuals(alpha, exponent, tests, c, residuals):
    """Eight equations, smooth in alpha: sigma at 0, 45, 90, b, then r at 0, 45, 90, b."""
    c[0] = exponent
    c[1:] = _linear_forms(
        alpha[0], alpha[1], alpha[2], alpha[3], alpha[4], alpha[5], alpha[6], alpha[7]
    )
    for i in range(4):
        x, y, t = 1.0, 0.0, 0.0
        if i == 1:
            x, y, t = 0.5, 0.5, 0.5
        elif i == 2:
            x, y = 0.0, 1.0
        elif i == 3:
            y = 1.0
        bar, n_x, n_y, n_t, _, _, _, _, _, _ = evaluate(c, x, y, t)
        residuals[i] = bar * tests[i] - 1
        if i < 3:
            residuals[4 + i] = n_x * y + n_y * x - n_t * t + tests[4 + i] * (n_x + n_y)
        else:
            residuals[7] = n_y - tests[7] * n_x


@kernel(types.boolean(VECTOR, float64, VECTOR))
def _solve_tests(tests, exponent, alpha):
    """Newton from all ones with backtracking; the Jacobian by forward differences."""
    c, residuals, moved = np.empty(COEFFICIENTS), np.empty(8), np.empty(8)
    jacobian, trial = np.empty((8, 8)), np.empty(8)
    alpha[:] = 1.0
    _test_residuals(alpha, exponent, tests, c, residuals)
    merit = np.sum(residuals**2)
    for _ in range(NEWTON_ITERATIONS):
        if merit < 1e-24:
            return True
        for j in range(8):
            trial[:] = alpha
            trial[j] += 1e-7
            _test_residuals(trial, exponent, tests, c, moved)
            jacobian[:, j] = (moved - residuals) / 1e-7
        if not abs(np.linalg.det(jacobian)) > 1e-12:
            return False
        step = np.linalg.solve(jacobian, residuals)
        length = 1.0
        while length > 1e-4:
            trial[:] = alpha - length * step
            _test_residuals(trial, exponent, tests, c, moved)
            found = np.sum(moved**2)
            if found < merit:
                break
            length *= 0.5
        if not found < merit:
            return False
        alpha[:], residuals[:], merit = trial, moved, found
    return merit < 1e-24


@kernel("void(float64[:, ::1], float64, float64[:, ::1], boolean[::1])")
def solve_all_tests(tests, exponent, alpha, solved):
    """Alpha (n, 8) of tests (n, 8), stresses first; solved (n,) says where it is right."""
    for i in range(tests.shape[0]):
        solved[i] = _solve_tests(tests[i], exponent, alpha[i])
