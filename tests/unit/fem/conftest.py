"""Materials that the tests share."""

import numpy as np
import pytest

from hpc_jobs.contract.material import HockettSherby, Material, Swift

DP780_ALPHA = (0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556)
AA2090_ALPHA = (0.4865, 1.3783, 0.7536, 1.0246, 1.0363, 0.9036, 1.2321, 1.4858)


@pytest.fixture
def dp780() -> tuple[np.ndarray, Material]:
    """Parameters and the known part of DP780."""
    hardening = HockettSherby(
        law="hockett_sherby",
        saturation_stress_mpa=1125.76,
        yield_stress_mpa=317.907,
        rate=4.9711,
        exponent=0.45262,
    )
    material = Material(exponent=6, youngs_modulus_mpa=2e5, poisson_ratio=0.33, hardening=hardening)
    return np.array(DP780_ALPHA), material


@pytest.fixture
def aa2090() -> tuple[np.ndarray, Material]:
    """Parameters and the known part of AA2090-T3."""
    hardening = Swift(law="swift", strength_mpa=646.0, prestrain=0.025, exponent=0.227)
    material = Material(exponent=8, youngs_modulus_mpa=7e4, poisson_ratio=0.33, hardening=hardening)
    return np.array(AA2090_ALPHA), material


@pytest.fixture
def von_mises() -> tuple[np.ndarray, Material]:
    """Parameters and the known part of the steel of the notched-strip benchmark."""
    hardening = Swift(law="swift", strength_mpa=1100.0, prestrain=0.003, exponent=0.16)
    material = Material(exponent=2, youngs_modulus_mpa=2e5, poisson_ratio=0.3, hardening=hardening)
    return np.ones(8), material
