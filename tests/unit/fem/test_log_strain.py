"""Logarithmic strain: against matrix functions, and its stress and tangent against energy."""

import numpy as np
import pytest
from scipy.linalg import logm

from hpc_jobs.fem.reference.log_strain import hencky, piola_kirchhoff, to_mean_difference

STIFFNESS = np.array([[3.0, 0.9, 0.2], [0.9, 2.5, -0.3], [0.2, -0.3, 0.8]])
CASES = {
    "large": [[1.4, 0.3], [-0.2, 0.8]],
    "no strain": [[1.0, 0.0], [0.0, 1.0]],
    "equal eigenvalues": [[1.2, 0.0], [0.0, 1.2]],
    "nearly equal": [[1.1, 1e-4], [0.0, 1.1001]],
    "rotation": [[0.6, -0.8], [0.8, 0.6]],
}


def strain(c: np.ndarray) -> np.ndarray:
    e_sum, e_diff, gamma, *_ = hencky(*c)
    return np.array([(e_sum + e_diff) / 2, (e_sum - e_diff) / 2, gamma])


def stress(green: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """S (3,) and dS/dE (3, 3) of a linear law in logarithmic strain, at a Green strain."""
    c = np.array([1 + 2 * green[0], 1 + 2 * green[1], green[2]])
    t = STIFFNESS @ strain(c)
    d = STIFFNESS
    tangent = to_mean_difference(d[0, 0], d[0, 1], d[0, 2], d[1, 1], d[1, 2], d[2, 2])
    s = piola_kirchhoff((t[0] + t[1]) / 2, (t[0] - t[1]) / 2, t[2], *tangent, *hencky(*c)[3:])
    xx, xy, xt, yy, yt, tt = s[3:]
    return np.array(s[:3]), np.array([[xx, xy, xt], [xy, yy, yt], [xt, yt, tt]])


@pytest.fixture(params=CASES)
def green(request: pytest.FixtureRequest) -> np.ndarray:
    f = np.array(CASES[request.param])
    c = f.T @ f
    return np.array([(c[0, 0] - 1) / 2, (c[1, 1] - 1) / 2, c[0, 1]])


@pytest.mark.parametrize("case", CASES)
def test_strain_is_half_the_matrix_logarithm(case: str) -> None:
    f = np.array(CASES[case])
    c = f.T @ f
    expected = logm(c) / 2
    found = strain(np.array([c[0, 0], c[1, 1], c[0, 1]]))
    assert found == pytest.approx((expected[0, 0], expected[1, 1], 2 * expected[0, 1]), abs=1e-13)


def test_stress_is_the_derivative_of_the_energy(green: np.ndarray) -> None:
    def energy(g: np.ndarray) -> float:
        e = strain(np.array([1 + 2 * g[0], 1 + 2 * g[1], g[2]]))
        return float(e @ STIFFNESS @ e) / 2

    h = 1e-5
    numeric = [(energy(green + h * d) - energy(green - h * d)) / (2 * h) for d in np.eye(3)]
    assert stress(green)[0] == pytest.approx(numeric, abs=1e-8)


def test_tangent_is_the_derivative_of_the_stress(green: np.ndarray) -> None:
    h = 1e-5
    columns = [(stress(green + h * d)[0] - stress(green - h * d)[0]) / (2 * h) for d in np.eye(3)]
    assert stress(green)[1] == pytest.approx(np.array(columns).T, abs=2e-8)
