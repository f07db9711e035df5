"""What every solver of the registry promises."""

import os

import numpy as np
import pytest

from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.material import Material, Swift
from hpc_jobs.contract.solver import SOLVERS
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.backends import BACKENDS, Backend, load
from hpc_jobs.fem.native import build

SPECIMENS = Specimens(
    angles_deg=(0.0, 90.0), mesh=Mesh(along=16, across=8), output_times=3, steps_per_output=2
)
HARDENING = Swift(law="swift", strength_mpa=1100.0, prestrain=0.003, exponent=0.16)
STEEL = Material(exponent=2, youngs_modulus_mpa=2e5, poisson_ratio=0.3, hardening=HARDENING)
ISOTROPIC = np.ones(8)


@pytest.fixture(params=sorted({*BACKENDS} - {"rehearsal"}))  # which knows no mechanics
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "native":
        build.build(environment=dict(os.environ))
    found = load(request.param)
    reason = found.missing()
    if reason and os.geteuid() != 0 and "CI" not in os.environ:
        pytest.skip(reason)
    assert reason == ""
    return found


def test_the_contract_names_every_solver() -> None:
    assert set(SOLVERS) == {"auto", *BACKENDS}


def test_a_record_has_the_contract_s_layout(backend: Backend) -> None:
    record = backend.simulate(ISOTROPIC, STEEL, SPECIMENS)
    assert (record.status, record.reason) == ("ok", "")
    along, across = record.strains.reshape(SPECIMENS.strain_shape)
    assert np.all(along[:, :, -1] > 0.005)
    assert np.all(across[:, 6:12, -1] < -0.005)  # beside the centre
    assert np.all(np.diff(along, axis=-1) > 0)  # time runs fastest
    assert np.all(np.diff(record.forces.reshape(2, 3)) > 0)
    assert along[0] == pytest.approx(along[1], abs=1e-6)  # isotropic
    assert 0.09 < record.largest_plastic_strain < 0.16
    assert record.iterations >= record.steps >= 6


def test_all_solvers_see_the_same_sheet(backend: Backend) -> None:
    expected = load("reference").simulate(ISOTROPIC, STEEL, SPECIMENS)
    record = backend.simulate(ISOTROPIC, STEEL, SPECIMENS)
    assert record.forces == pytest.approx(expected.forces, rel=0.01)
    assert np.abs(record.strains - expected.strains).max() < 0.03 * expected.strains.max()


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_an_unphysical_material_is_rejected(backend: Backend, value: float) -> None:
    record = backend.simulate(np.full(8, value), STEEL, SPECIMENS)
    assert record.status == "rejected_material"
    assert record.reason
    assert record.strains.shape == (SPECIMENS.strain_values,)
    assert record.forces.shape == (SPECIMENS.force_values,)
    assert np.isnan(record.strains).all() and np.isnan(record.forces).all()


def test_a_specimen_that_is_drawn_too_far_says_where_it_stopped(backend: Backend) -> None:
    changes = {"end_displacement_mm": 4.0, "angles_deg": (0.0,), "mesh": Mesh(along=12, across=6)}
    specimens = SPECIMENS.model_copy(update=changes)
    record = backend.simulate(ISOTROPIC, STEEL, specimens)
    assert record.status in ("necked", "min_step", "newton")
    assert "specimen 0 deg stopped in step" in record.reason
    assert np.isnan(record.strains).all()
