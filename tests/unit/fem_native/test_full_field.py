"""The nodes' displacements are those whose strains a record holds."""

import numpy as np
import pytest

from hpc_jobs.contract.geometry import MESH_LEVELS, Patches
from hpc_jobs.contract.material import Material, Swift
from hpc_jobs.contract.specimen import Specimens, TensileTest
from hpc_jobs.fem.native.full_field import full_field
from hpc_jobs.fem.specimen.kinematics import log_strains
from hpc_jobs.fem.specimen.patches import patch_weights

COARSE = MESH_LEVELS["coarse"]
MATERIAL = Material(
    exponent=6,
    youngs_modulus_mpa=200_000,
    poisson_ratio=0.33,
    hardening=Swift(strength_mpa=1100, prestrain=0.003, exponent=0.16),
)
DP780 = np.array([0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556])
MOMENTS = np.array([0.003, 0.05, 0.2, 0.6])


def specimen(angle: float) -> TensileTest:
    """Return the test of one strip."""
    [test] = Specimens(angles_deg=(angle,)).tests
    return test


@pytest.mark.parametrize("angle", [0, 30, 90])
def test_strains_of_the_nodes_are_those_of_the_patches(angle: float) -> None:
    """Kinematics of their own, all patches, whatever symmetry was used."""
    test = specimen(angle)
    found = full_field(DP780, MATERIAL, test, COARSE, Patches(), MOMENTS)
    weights = patch_weights(found.mesh, Patches())
    expected = np.einsum("pk,ctk->cpt", weights, log_strains(found.mesh, found.displacements))
    np.testing.assert_allclose(found.strains, expected, atol=1e-12)
    assert found.status == "ok"
    drawn = found.displacements[:, -1, 0] - found.displacements[:, 0, 0]
    np.testing.assert_allclose(drawn, MOMENTS)


def test_a_specimen_past_its_peak_is_cut_there() -> None:
    """What was reached before is kept, nothing invented beyond."""
    test = specimen(0)
    found = full_field(DP780, MATERIAL, test, COARSE, Patches(), np.array([0.5, 1.0, 6.0]))
    assert found.status == "necked"
    np.testing.assert_array_equal(found.end_displacements_mm, [0.5, 1.0])
    assert np.isfinite(found.displacements).all()
    assert len(found.forces) == 2


def test_moments_must_increase() -> None:
    """The message names them."""
    test = specimen(0)
    with pytest.raises(ValueError, match="positive and increasing"):
        full_field(DP780, MATERIAL, test, COARSE, Patches(), np.array([0.5, 0.2]))
