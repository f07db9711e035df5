"""A small campaign and a plausible measurement that needs no simulation."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.measurement import MeasurementHeader, Truth
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.fem.reference.simulation import simulate
from hpc_jobs.identification.mesh_bias import MeshBias, mesh_bias
from hpc_jobs.measurement.alloys import ALLOYS
from hpc_jobs.measurement.file import Measurement
from hpc_jobs.measurement.virtual_experiment import yield_parameters

DAGS = Path(__file__).parents[3] / "dags"


@pytest.fixture(scope="session")
def demo() -> Path:
    return DAGS / "campaigns" / "demo.yaml"


@pytest.fixture(scope="session")
def campaign(demo: Path) -> Campaign:
    """The demo campaign on a mesh that solves in a blink."""
    coarse: dict[str, object] = {"specimens": {"mesh": {"along": 8, "across": 4}}}
    coarse |= {"solver": "reference", "validation": {"updating": False}}
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


@dataclass(frozen=True)
class Nearest:
    """The simplest real network: the known record whose strains are nearest."""

    parameters: np.ndarray
    strains: np.ndarray
    noise: float
    novelty_limit: float = 2.0
    forces: bool = False

    def predict(self, strains: np.ndarray, forces: np.ndarray | None = None) -> np.ndarray:
        return self.parameters[np.argmin(self._distances(strains), axis=1)]

    def covariances(self, strains: np.ndarray, forces: np.ndarray | None = None) -> np.ndarray:
        return np.stack([1e-4 * np.eye(self.parameters.shape[1])] * len(strains))

    def novelty(self, strains: np.ndarray) -> np.ndarray:
        return self._distances(strains).min(axis=1)

    def _distances(self, strains: np.ndarray) -> np.ndarray:
        differences = (strains[:, None] - self.strains[None]) / self.noise
        return np.sqrt(np.mean(differences**2, axis=-1))


SHEETS = ("dp780", "tr1180", "aa2090")


@pytest.fixture(scope="session")
def truths(campaign: Campaign) -> dict[str, dict[str, float]]:
    """Parameters of the sheets by name, for the campaign's exponent."""
    exponent = campaign.material.exponent
    return {name: yield_parameters(ALLOYS[name], exponent)[0] for name in SHEETS}


@pytest.fixture(scope="session")
def experiments(campaign: Campaign, truths: dict[str, dict[str, float]]) -> dict[str, Measurement]:
    """Noise-free measurements on the campaign's own mesh: what can be explained exactly."""
    return {name: experiment(campaign, name, truths[name]) for name in SHEETS}


def experiment(campaign: Campaign, name: str, parameters: dict[str, float]) -> Measurement:
    values = np.array([parameters[key] for key in campaign.material.parameters])
    record = simulate(values, campaign.material, campaign.specimens)
    assert record.status == "ok", record.reason
    sheet = Sheet.of(parameters, campaign.material)
    header = MeasurementHeader(
        name=name,
        source="noise-free, on the campaign's mesh",
        material=campaign.material,
        specimens=campaign.specimens,
        noise=campaign.noise,
        truth=Truth(quantities=sheet.quantities(), parameters=parameters, curves=sheet.curves()),
    )
    return Measurement(header=header, strains=record.strains, forces=record.forces)


@pytest.fixture(scope="session")
def network(
    campaign: Campaign,
    truths: dict[str, dict[str, float]],
    experiments: dict[str, Measurement],
) -> Nearest:
    """Knows dp780 and tr1180, and has never seen aa2090."""
    known = SHEETS[:2]
    return Nearest(
        np.array([list(truths[name].values()) for name in known]),
        np.array([experiments[name].strains for name in known]),
        campaign.noise.strain,
    )


@pytest.fixture(scope="session")
def no_bias(campaign: Campaign) -> MeshBias:
    return mesh_bias(campaign.material, campaign.specimens, refinement=1)
