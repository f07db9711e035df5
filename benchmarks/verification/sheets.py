"""The sheets of the references, but for their targets."""

import numpy as np

from hpc_jobs.contract.material import HockettSherby, Material, Swift

DP780_ALPHA = np.array([0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556])
AA2090_ALPHA = np.array([0.4865, 1.3783, 0.7536, 1.0246, 1.0363, 0.9036, 1.2321, 1.4858])
DP780 = Material(
    exponent=6,
    youngs_modulus_mpa=2e5,
    poisson_ratio=0.33,
    hardening=HockettSherby(
        saturation_stress_mpa=1125.76, yield_stress_mpa=317.907, rate=4.9711, exponent=0.45262
    ),
)
AA2090 = Material(
    exponent=8,
    youngs_modulus_mpa=7e4,
    poisson_ratio=0.33,
    hardening=Swift(strength_mpa=646, prestrain=0.025, exponent=0.227),
)
VON_MISES = Material(
    yield_function="von_mises",
    exponent=2,
    youngs_modulus_mpa=2e5,
    poisson_ratio=0.3,
    hardening=Swift(strength_mpa=1100, prestrain=0.003, exponent=0.16),
)
