"""Sheets, their noise-free measurements, and the simplest network that knows two of them."""

from dataclasses import dataclass

import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.measurement import MeasurementHeader, Truth
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.fem.reference.simulation import simulate
from hpc_jobs.identification.mesh_bias import MeshBias, mesh_bias
from hpc_jobs.measurement.alloys import ALLOYS
from hpc_jobs.measurement.file import Measurement
from hpc_jobs.measurement.virtual_experiment import yield_parameters
from tests.unit.bench import campaign, changed, demo, header, measurement

__all__ = ["campaign", "changed", "demo", "header", "measurement"]


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

    def novelty(self, strains: np.ndarray, forces: np.ndarray | None = None) -> np.ndarray:
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
