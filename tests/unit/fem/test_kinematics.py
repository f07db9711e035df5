"""Strains of a displacement field against the kernels, and of fields known in closed form."""

import numpy as np
import pytest

from hpc_jobs.contract.geometry import Geometry, Mesh
from hpc_jobs.fem.reference.log_strain import hencky
from hpc_jobs.fem.specimen.kinematics import log_strains
from hpc_jobs.fem.specimen.mesh import Quadrilaterals, notched_strip


@pytest.fixture
def mesh() -> Quadrilaterals:
    return notched_strip(Geometry(), Mesh(along=8, across=4, grading=0.4))


def moved(mesh: Quadrilaterals, F: np.ndarray) -> np.ndarray:
    return (mesh.nodes @ (F - np.eye(2)).T)[None]


@pytest.mark.parametrize("angle", [0.0, 0.3, 1.5])
def test_a_rotated_stretch(mesh: Quadrilaterals, angle: float) -> None:
    """F = R U: the rotation does not matter, U's logarithm is known by its principal axes."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    axes = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    log_u = axes @ np.diag([0.2, -0.11]) @ axes.T
    stretch = axes @ np.diag(np.exp([0.2, -0.11])) @ axes.T
    strains = log_strains(mesh, moved(mesh, turn @ stretch))
    assert strains.shape == (2, 1, 8 * 4 * 4)
    assert strains[0] == pytest.approx(log_u[0, 0], abs=1e-13)
    assert strains[1] == pytest.approx(log_u[1, 1], abs=1e-13)


def test_as_the_kernels_compute_it(mesh: Quadrilaterals) -> None:
    generator = np.random.default_rng(3)
    for size in (1e-7, 1e-4, 0.2):
        F = np.eye(2) + size * generator.uniform(-1, 1, (2, 2))
        C = F.T @ F
        total, difference, *_ = hencky(C[0, 0], C[1, 1], C[0, 1])
        strains = log_strains(mesh, moved(mesh, F))
        assert strains[0] == pytest.approx((total + difference) / 2, abs=1e-14)
        assert strains[1] == pytest.approx((total - difference) / 2, abs=1e-14)


def test_an_inverted_element_has_no_strain(mesh: Quadrilaterals) -> None:
    assert np.isnan(log_strains(mesh, moved(mesh, np.diag([1.0, -0.5])))).all()
    assert log_strains(mesh, np.empty((0, len(mesh.nodes), 2))).shape == (2, 0, 128)
