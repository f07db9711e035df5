"""A measurement that was answered, and one that nobody answered, on a mesh that solves at once."""

from dataclasses import dataclass

import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.identified import IdentifiedSheet
from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.contract.validation import Estimate
from hpc_jobs.fem.reference.simulation import simulate
from hpc_jobs.identification.identified_sheet import identified_sheet
from hpc_jobs.identification.mesh_bias import MeshBias, mesh_bias
from hpc_jobs.identification.resimulated import resimulate
from hpc_jobs.identification.verdict import Case, score
from hpc_jobs.measurement.alloys import ALLOYS
from hpc_jobs.measurement.file import Measurement
from hpc_jobs.measurement.virtual_experiment import yield_parameters
from hpc_jobs.measurement_page.page import Asked, draw_figures
from tests.unit.bench import campaign, demo

__all__ = ["campaign", "demo"]

REFUSED = Estimate(
    measurement="bench",
    parameters=None,
    outside=("novelty 3.1 is more than <2>: unlike all that was trained",),
    novelty=3.1,
    novelty_limit=2.0,
)


@dataclass(frozen=True)
class Bench:
    """A refinement's answer beside a network that did not answer."""

    campaign: Campaign
    answered: Case
    refused: Case
    sheet: IdentifiedSheet
    drawn: dict[str, str]  # its figures, once for all tests


@pytest.fixture(scope="session")
def bias(campaign: Campaign) -> MeshBias:
    return mesh_bias(campaign.material, campaign.specimens, refinement=1)


@pytest.fixture(scope="session")
def measured(campaign: Campaign) -> Measurement:
    """A DP780 with noise; some patches were lost, and its source is written by a person."""
    parameters = yield_parameters(ALLOYS["dp780"], campaign.material.exponent)[0]
    values = np.array([parameters[name] for name in campaign.material.parameters])
    record = simulate(values, campaign.material, campaign.specimens)
    noise = np.random.default_rng(1).normal(0, campaign.noise.strain, record.strains.shape)
    strains = (record.strains + noise).reshape(campaign.specimens.strain_shape)
    strains[:, 1, 3, 5:] = np.nan
    told = MeasurementHeader(
        name="bench",
        source="pulled by R&D <Tuesday>",
        material=campaign.material,
        specimens=campaign.specimens,
        noise=campaign.noise,
    )
    return Measurement(header=told, strains=strains.ravel(), forces=record.forces)


@pytest.fixture(scope="session")
def answered(campaign: Campaign, measured: Measurement, bias: MeshBias) -> Bench:
    parameters = yield_parameters(ALLOYS["dp780"], campaign.material.exponent)[0]
    estimate = Estimate(
        measurement="bench",
        parameters={target: parameters[name] for target, name in campaign.targets.items()},
        novelty=1.0,
        novelty_limit=2.0,
        covariance=tuple(map(tuple, (1e-4 * np.eye(8)).tolist())),
        method="surrogate",
    )
    case = score(campaign, measured, resimulate(campaign, estimate, bias), refined=True)
    refused = score(campaign, measured, resimulate(campaign, REFUSED, bias))
    sheet = identified_sheet(campaign, case, run_id="r1", validation="v1", model="m1")
    drawn = draw_figures(campaign, Asked(network=refused, refined=case, sheet=sheet))
    return Bench(campaign, case, refused, sheet, drawn)
