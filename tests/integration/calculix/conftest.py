"""The real CalculiX, and the sheet that it is asked about."""

import os

import numpy as np
import pytest

from hpc_jobs.contract.material import Material, Swift
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.errors import SolverMissing


@pytest.fixture(scope="session", autouse=True)
def ccx() -> None:
    try:
        backend_of("calculix")
    except SolverMissing as error:
        if os.geteuid() != 0 and "CI" not in os.environ:
            pytest.skip(str(error))
        raise


@pytest.fixture
def steel() -> tuple[np.ndarray, Material]:
    """Parameters and the known part of an isotropic steel."""
    hardening = Swift(law="swift", strength_mpa=1100.0, prestrain=0.003, exponent=0.16)
    material = Material(exponent=2, youngs_modulus_mpa=2e5, poisson_ratio=0.3, hardening=hardening)
    return np.ones(8), material
