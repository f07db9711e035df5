"""A library to test, built once per version of its sources, and sheets."""

import os

import numpy as np
import pytest

from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.material import (
    Hardening,
    HockettSherby,
    Material,
    Mixed,
    Nodes,
    Swift,
    Tabulated,
    Voce,
)
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.native.build import build
from hpc_jobs.fem.native.library import PATHS, Library

SWIFT = Swift(law="swift", strength_mpa=646.0, prestrain=0.025, exponent=0.227)
VOCE = Voce(law="voce", yield_stress_mpa=200.0, saturation_mpa=250.0, rate=12.0)
LAWS: dict[str, Hardening] = {
    "swift": SWIFT,
    "voce": VOCE,
    "mixed": Mixed(law="mixed", swift_share=0.4, swift=SWIFT, voce=VOCE),
    "tabulated": Tabulated(
        law="tabulated",
        plastic_strains=(0.0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3),
        stresses_mpa=(
            280.0,
            284.2,
            290.2,
            299.6,
            316.7,
            331.5,
            355.6,
            377.5,
            393.1,
            411.6,
            420.9,
            427.8,
        ),
    ),
    "nodes": Nodes(
        plastic_strains=(0.0, 0.003, 0.01, 0.03, 0.05, 0.08, 0.16),
        stresses_mpa=(150.0, 171.0, 196.0, 233.0, 254.0, 275.0, 311.0),
    ),
    "hockett_sherby": HockettSherby(
        law="hockett_sherby",
        saturation_stress_mpa=1125.76,
        yield_stress_mpa=317.907,
        rate=4.9711,
        exponent=0.45262,
    ),
}
ALPHA = np.array([0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556])


def sheet(
    law: str = "hockett_sherby", exponent: float = 6, yield_function: str = "yld2000_2d"
) -> Material:
    return Material(
        yield_function=yield_function,
        exponent=exponent,
        youngs_modulus_mpa=2e5 if law == "hockett_sherby" else 7e4,
        poisson_ratio=0.33,
        hardening=LAWS[law],
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
