"""A library to test, built once per version of its sources, and sheets."""

import os

import numpy as np
import pytest

from hpc_jobs.contract.material import Hardening, HockettSherby, Material, Swift, Voce
from hpc_jobs.contract.specimen import Mesh, Specimens
from hpc_jobs.fem.native.build import build
from hpc_jobs.fem.native.library import PATHS, Library

LAWS: dict[str, Hardening] = {
    "swift": Swift(law="swift", strength_mpa=646.0, prestrain=0.025, exponent=0.227),
    "voce": Voce(law="voce", yield_stress_mpa=200.0, saturation_mpa=250.0, rate=12.0),
    "hockett_sherby": HockettSherby(
        law="hockett_sherby",
        saturation_stress_mpa=1125.76,
        yield_stress_mpa=317.907,
        rate=4.9711,
        exponent=0.45262,
    ),
}
ALPHA = np.array([0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556])


def sheet(law: str = "hockett_sherby", exponent: int = 6) -> Material:
    young = 2e5 if law == "hockett_sherby" else 7e4
    return Material(
        exponent=exponent, youngs_modulus_mpa=young, poisson_ratio=0.33, hardening=LAWS[law]
    )


@pytest.fixture(scope="session")
def library() -> Library:
    """The library of this checkout; built here if `pip install` has not done so."""
    return Library(build(environment=dict(os.environ)))


@pytest.fixture
def specimens() -> Specimens:
    """Three directions on a coarse mesh."""
    return Specimens(mesh=Mesh(along=12, across=6), output_times=5, steps_per_output=1)


@pytest.fixture
def paths(library: Library) -> tuple[str, ...]:
    """Instruction sets that this machine can run."""
    return PATHS[: PATHS.index(library.best_path) + 1]
