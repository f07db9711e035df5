"""What a yield function means to a materials engineer: stresses, r-values, the yield locus.

With s(theta) = (cos^2, sin^2, cos sin) and n the gradient there,

    sigma_theta / sigma_0 = sigma_bar(s(0)) / sigma_bar(s(theta))
    r_theta = (n_x sin^2 + n_y cos^2 - n_t sin cos) / -(n_x + n_y)
    r_b = n_y / n_x at equibiaxial tension.
"""

import numpy as np
from numba import types
from numpy.typing import ArrayLike, NDArray

from hpc_jobs.fem.errors import UnsupportedMaterial
from hpc_jobs.fem.kernel import EVALUATE, VECTOR, kernel
from hpc_jobs.fem.materials.base import YieldFunction
from hpc_jobs.fem.materials.yld2000_2d import COEFFICIENTS, EXPONENTS, evaluate, linear_forms
from hpc_jobs.fem.mesh import FloatArray

NEWTON_ITERATIONS = 40


@kernel(types.void(EVALUATE, VECTOR, types.float64[:, ::1], types.float64[:, ::1]))
def _evaluate_all(evaluate, c, stresses, results):
    for i in range(stresses.shape[0]):
        values = evaluate(c, stresses[i, 0], stresses[i, 1], stresses[i, 2])
        for j in range(10):
            results[i, j] = values[j]


def derivatives(material: YieldFunction, stresses: ArrayLike) -> FloatArray:
    """Evaluate at stresses (n, 3): rows (n, 10) of sigma_bar, gradient and Hessian."""
    points = np.ascontiguousarray(stresses, dtype=np.float64).reshape(-1, 3)
    results = np.empty((len(points), 10))
    _evaluate_all(material.evaluate, material.coefficients, points, results)
    return results


def uniaxial(angles_deg: ArrayLike) -> FloatArray:
    """Stress (n, 3) of unit tension at angles to the rolling direction."""
    angle = np.deg2rad(np.atleast_1d(np.asarray(angles_deg, dtype=np.float64)))
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack((cos**2, sin**2, cos * sin), axis=-1)


def yield_stress(material: YieldFunction, angles_deg: ArrayLike) -> FloatArray:
    """Uniaxial yield stresses (n,) over the hardening curve's k: sigma_theta / sigma_bar."""
    return 1 / derivatives(material, uniaxial(angles_deg))[:, 0]


def r_value(material: YieldFunction, angles_deg: ArrayLike) -> FloatArray:
    """Width over thickness strain increment (n,) in uniaxial tension at angles."""
    s = uniaxial(angles_deg)
    _, n_x, n_y, n_t = derivatives(material, s)[:, :4].T
    width = n_x * s[:, 1] + n_y * s[:, 0] - n_t * s[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(width / -(n_x + n_y))


def biaxial(material: YieldFunction) -> tuple[float, float]:
    """Equibiaxial yield stress over k, and r_b."""
    bar, n_x, n_y, _ = derivatives(material, [(1.0, 1.0, 0.0)])[0, :4]
    return float(1 / bar), float(n_y / n_x)


def contour(material: YieldFunction, shear: float, points: int = 181) -> FloatArray:
    """Trace the yield locus at fixed s_xy = shear: points (points, 2) of (s_xx, s_yy) over k.

    Empty where the shear stress alone exceeds the yield stress.
    """
    limit = 1 / derivatives(material, [(0.0, 0.0, 1.0)])[0, 0]
    if abs(shear) >= limit:
        return np.empty((0, 2))
    angle = np.linspace(0, 2 * np.pi, points)
    direction = np.stack((np.cos(angle), np.sin(angle), np.zeros(points)), axis=-1)
    low, high = np.zeros(points), np.full(points, 1e3)
    for _ in range(60):  # sigma_bar is convex and below one inside: bisection cannot miss
        middle = 0.5 * (low + high)
        inside = derivatives(material, middle[:, None] * direction + (0, 0, shear))[:, 0] < 1
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return np.asarray(low[:, None] * direction[:, :2])


@kernel(types.void(VECTOR, types.float64, VECTOR, VECTOR, VECTOR))
def _test_residuals(alpha, exponent, tests, c, residuals):
    """Eight equations, smooth in alpha: sigma at 0, 45, 90, b, then r at 0, 45, 90, b."""
    linear_forms(alpha, exponent, c)
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


@kernel(types.boolean(VECTOR, types.float64, VECTOR))
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
def _solve_all_tests(tests, exponent, alpha, solved):
    for i in range(tests.shape[0]):
        solved[i] = _solve_tests(tests[i], exponent, alpha[i])


def alpha_from_tests(
    stress_ratios: ArrayLike, r_values: ArrayLike, exponent: int
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Yld2000-2d's alpha from mechanical tests.

    stress_ratios and r_values (n, 4): at 0, 45, 90 degrees and equibiaxial; stresses over the
    hardening curve's k, so the first is usually one. Returns alpha (n, 8), NaN where unsolved,
    with alpha7 and alpha8 positive (their signs do not matter), and solved (n,).
    Raises UnsupportedMaterial.
    """
    if exponent not in EXPONENTS:
        raise UnsupportedMaterial(f"exponent is {exponent}; choose one of {EXPONENTS}")
    stresses = np.atleast_2d(np.asarray(stress_ratios, dtype=np.float64))
    ratios = np.atleast_2d(np.asarray(r_values, dtype=np.float64))
    if stresses.shape != ratios.shape or stresses.shape[1] != 4:
        raise UnsupportedMaterial(
            f"stress ratios {stresses.shape} and r-values {ratios.shape}; both must be (n, 4)"
        )
    tests = np.ascontiguousarray(np.hstack((stresses, ratios)))
    alpha, solved = np.empty_like(tests), np.empty(len(tests), dtype=np.bool_)
    _solve_all_tests(tests, float(exponent), alpha, solved)
    alpha[~solved] = np.nan
    alpha[:, 6:] = np.abs(alpha[:, 6:])
    return alpha, solved
