"""A small campaign and a plausible measurement that needs no simulation: shared fixtures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.measurement.file import Measurement

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="session")
def demo() -> Path:
    return DAGS / "campaigns" / "single_sheet.yaml"


@pytest.fixture(scope="session")
def campaign(demo: Path) -> Campaign:
    """The demo campaign on a mesh that solves in a blink."""
    coarse: dict[str, object] = {"specimens": {"mesh": {"along": 8, "across": 4}}}
    coarse |= {"solver": "reference", "validation": {"updating": False, "mesh_refinement": 1}}
    return load(Campaign, demo, coarse)


@pytest.fixture
def header(campaign: Campaign) -> MeasurementHeader:
    return MeasurementHeader(
        name="bench",
        source="made up for this test",
        material=campaign.material,
        specimens=campaign.specimens,
        noise=campaign.noise,
    )


@pytest.fixture
def measurement(header: MeasurementHeader) -> Measurement:
    """Strains and forces that rise with time; every value differs from every other."""
    specimens = header.specimens
    _, angles, patches, times = specimens.strain_shape
    time = np.linspace(0.1, 1, times)
    patch = np.linspace(1, 2, patches)
    angle = np.linspace(1, 1.1, angles)
    axial = 0.04 * angle[:, None, None] * patch[:, None] * time
    strains = np.stack((axial, -0.45 * axial))
    forces = 8000 * angle[:, None] * time**0.2
    return Measurement(header=header, strains=strains.ravel(), forces=forces.ravel())


@pytest.fixture
def changed(measurement: Measurement) -> Callable[..., Measurement]:
    """The measurement with other strains or forces."""

    def change(**arrays: object) -> Measurement:
        values = {
            "header": measurement.header,
            "strains": measurement.strains,
            "forces": measurement.forces,
        }
        return Measurement(**{**values, **arrays})

    return change
