"""Yld2000-2d's alpha from mechanical tests: eight equations in eight unknowns, by Newton's method.

The stresses at 0, 45, 90 degrees and equibiaxial, sigma_bar(s) sigma/k = 1, and the r-values
there, n_y - r_b n_x = 0 and n . (across + r thickness) = 0: all smooth in alpha. Four or five
iterations from all ones suffice for common sheets.

Written out in loops: numba takes ten seconds to compile np.linalg.solve and tuples in slices, which
is longer than a campaign's points take to be chosen.
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
    c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8] = _linear_forms(
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


@kernel(float64(VECTOR))
def _merit(residuals):
    """Sum of the squares."""
    found = 0.0
    for i in range(residuals.shape[0]):
        found += residuals[i] * residuals[i]
    return found


@kernel(float64(float64[:, ::1], VECTOR))
def _eliminate(matrix, right):
    """Solve for `right`, in place, by Gauss with column pivots; returns the determinant.

    Both arguments are used up. Of a singular matrix the determinant is 0 and `right` means nothing.
    """
    n, determinant = matrix.shape[0], 1.0
    for k in range(n):
        pivot = k
        for i in range(k + 1, n):
            if abs(matrix[i, k]) > abs(matrix[pivot, k]):
                pivot = i
        if matrix[pivot, k] == 0:
            return 0.0
        if pivot != k:
            determinant = -determinant
            right[k], right[pivot] = right[pivot], right[k]
            for j in range(k, n):
                matrix[k, j], matrix[pivot, j] = matrix[pivot, j], matrix[k, j]
        determinant *= matrix[k, k]
        for i in range(k + 1, n):
            factor = matrix[i, k] / matrix[k, k]
            right[i] -= factor * right[k]
            for j in range(k + 1, n):
                matrix[i, j] -= factor * matrix[k, j]
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            right[k] -= matrix[k, j] * right[j]
        right[k] /= matrix[k, k]
    return determinant


@kernel(types.boolean(VECTOR, float64, VECTOR))
def _solve_tests(tests, exponent, alpha):
    """Newton from all ones with backtracking; the Jacobian by forward differences."""
    c, residuals, moved = np.empty(COEFFICIENTS), np.empty(8), np.empty(8)
    jacobian, trial, step = np.empty((8, 8)), np.empty(8), np.empty(8)
    for i in range(8):
        alpha[i] = 1.0
    _test_residuals(alpha, exponent, tests, c, residuals)
    merit = _merit(residuals)
    for _ in range(NEWTON_ITERATIONS):
        if merit < 1e-24:
            return True
        for j in range(8):
            for i in range(8):
                trial[i] = alpha[i]
            trial[j] += 1e-7
            _test_residuals(trial, exponent, tests, c, moved)
            for i in range(8):
                jacobian[i, j] = (moved[i] - residuals[i]) / 1e-7
        for i in range(8):
            step[i] = residuals[i]
        if not abs(_eliminate(jacobian, step)) > 1e-12:
            return False
        length, found = 1.0, np.inf
        while length > 1e-4:
            for i in range(8):
                trial[i] = alpha[i] - length * step[i]
            _test_residuals(trial, exponent, tests, c, moved)
            found = _merit(moved)
            if found < merit:
                break
            length *= 0.5
        if not found < merit:
            return False
        for i in range(8):
            alpha[i], residuals[i] = trial[i], moved[i]
        merit = found
    return merit < 1e-24


@kernel("void(float64[:, ::1], float64, float64[:, ::1], boolean[::1])")
def solve_all_tests(tests, exponent, alpha, solved):
    """Alpha (n, 8) of tests (n, 8), stresses first; solved (n,) says where it is right."""
    for i in range(tests.shape[0]):
        solved[i] = _solve_tests(tests[i], exponent, alpha[i])
