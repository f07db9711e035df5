"""The notched strip against CalculiX, and what halving the elements does to the error."""

import numpy as np
import pytest

from hpc_jobs.contract.geometry import MESH_LEVELS, Mesh
from hpc_jobs.contract.material import Material, Swift
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.native.library import Library
from hpc_jobs.fem.native.simulation import NativeSimulation
from hpc_jobs.fem.record import Record
from tests.unit.fem_native.conftest import ALPHA, sheet

VON_MISES = Material(
    exponent=2,
    youngs_modulus_mpa=2e5,
    poisson_ratio=0.3,
    hardening=Swift(law="swift", strength_mpa=1100.0, prestrain=0.003, exponent=0.16),
)
OURS, CALCULIX_CPS8R = (6404.0, 7090.7, 7462.4), (6412.7, 7102.9, 7479.0)


def pulled(library: Library, mesh: Mesh, material: Material, *angles_deg: float) -> Record:
    specimens = Specimens(angles_deg=angles_deg, mesh=mesh)
    parameters = np.ones(8) if material is VON_MISES else ALPHA
    return NativeSimulation(material, specimens, library=library).simulate(parameters)


def test_forces_of_the_notched_strip(library: Library) -> None:
    """Half-width 10 - 2.5 (1 + cos(pi x/15)) mm, 96 x 48 elements; CalculiX 2.20."""
    record = pulled(library, Mesh(along=96, across=48, grading=1.0), VON_MISES, 0.0)
    found = record.forces[[2, 5, 9]]
    assert found == pytest.approx(OURS, rel=5e-5)
    assert found == pytest.approx(CALCULIX_CPS8R, rel=3e-3)


@pytest.mark.parametrize("angle_deg", [0.0, 45.0])
def test_errors_fall_with_the_square_of_the_element_size(
    library: Library, angle_deg: float
) -> None:
    meshes = [Mesh(along=12 * k, across=6 * k, grading=0.35) for k in (1, 2, 4, 8)]
    records = [pulled(library, mesh, sheet(), angle_deg) for mesh in meshes]
    steps = np.diff([record.forces[2:] for record in records], axis=0)
    orders = np.log2(steps[:-1] / steps[1:])
    assert np.all(steps < 0)
    assert orders == pytest.approx(np.full(orders.shape, 2.0), abs=0.3)


def test_the_production_mesh_is_within_a_fifth_of_the_noise(library: Library) -> None:
    production = pulled(library, MESH_LEVELS["production"], sheet(), 0.0, 45.0, 90.0)
    finest = pulled(library, Mesh(along=96, across=48, grading=0.35), sheet(), 0.0, 45.0, 90.0)
    bias = (production.strains - finest.strains) / 5e-4
    assert np.sqrt(np.mean(bias**2)) < 0.2
    assert np.abs(production.forces / finest.forces - 1).max() < 2e-3
