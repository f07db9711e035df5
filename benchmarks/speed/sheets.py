"""What is simulated: DP780 as in the demo campaign, and a steel that CalculiX knows too."""

import numpy as np

from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.material import HockettSherby, Material, Swift
from hpc_jobs.contract.specimen import Specimens

MESHES = ((16, 8), (24, 12), (36, 16), (48, 24))  # 128, 288, 576 and 1,152 elements
PRODUCTION = "288"
DP780 = np.array([0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556])


def material() -> Material:
    """DP780, as in the demo campaign."""
    hardening = HockettSherby(
        saturation_stress_mpa=1125.76, yield_stress_mpa=317.907, rate=4.9711, exponent=0.45262
    )
    return Material(exponent=6, youngs_modulus_mpa=2e5, poisson_ratio=0.33, hardening=hardening)


def points(count: int = 16) -> np.ndarray:
    """Parameter points around DP780."""
    return DP780 * (1 + 0.04 * np.random.default_rng(7).uniform(-1, 1, (count, 8)))


def steel() -> Material:
    """Describe an isotropic sheet; all alpha are 1."""
    hardening = Swift(strength_mpa=1100.0, prestrain=0.003, exponent=0.16)
    return Material(exponent=2, youngs_modulus_mpa=2e5, poisson_ratio=0.3, hardening=hardening)


def specimens(mesh: tuple[int, int]) -> Specimens:
    """Describe the tests of a record on a mesh, elements along and across."""
    along, across = mesh
    return Specimens(mesh=Mesh(along=along, across=across, grading=0.3), time_limit_s=600.0)


def one_specimen(mesh: tuple[int, int]) -> Specimens:
    """Describe what CalculiX solves."""
    return specimens(mesh).model_copy(update={"angles_deg": (0.0,)})
