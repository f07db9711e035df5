"""What is answered of one measurement becomes one document: of a family's sheet and of a single."""

from dataclasses import replace
from math import exp

import numpy as np
import pytest

from hpc_jobs.cards import cards_of
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.contract.validation import Estimate, Found
from hpc_jobs.identification.identified_sheet import better_of, identified_sheet, judged
from hpc_jobs.identification.resimulated import Field
from hpc_jobs.identification.verdict import Case, score
from hpc_jobs.measurement.alloys import ALLOYS
from hpc_jobs.measurement.file import Measurement
from hpc_jobs.measurement.virtual_experiment import yield_parameters
from tests.harness.families import small_family

VARIANCE = 4e-4
RUN = {"run_id": "r1", "validation": "v1", "model": "m1"}


@pytest.fixture(scope="module")
def family() -> Campaign:
    """A family whose exponent and curve are asked for."""
    exponent = {"range": [5, 8], "role": "identified"}
    return small_family(material={"exponent": exponent, "youngs_modulus_mpa": 200_000})


def answered(campaign: Campaign, **changes: object) -> Case:
    """A case whose re-simulation shows the measured strains to the digit."""
    specimens = campaign.specimens
    parameters = yield_parameters(ALLOYS["dp780"], 6)[0]
    told: dict[str, object] = {
        "measurement": "coil",
        "parameters": {target: parameters[name] for target, name in campaign.targets.items()},
        "novelty": 1.0,
        "novelty_limit": 2.0,
        "covariance": tuple(map(tuple, (VARIANCE * np.eye(8)).tolist())),
        "coordinates": dict(zip(campaign.family.names, campaign.family.nominal, strict=True)),
        "method": "surrogate",
    }
    estimate = Estimate.model_validate(told | changes)
    strains = np.linspace(0, 0.12, specimens.strain_values)
    forces = np.full(specimens.force_values, 9000.0)
    header = MeasurementHeader(
        name="coil", source="made up", specimens=specimens, noise=campaign.noise
    )
    field = Field(estimate=estimate, status="ok", reason="", strains=strains, forces=forces)
    return score(campaign, Measurement(header=header, strains=strains, forces=forces), field)


def test_a_familys_sheet_tells_its_curve_and_exponent(family: Campaign) -> None:
    found = {
        "exponent": Found(value=6.2, low=5.8, high=6.6),
        "k@0.003": Found(value=520, low=510, high=530),
        "k@0.05": Found(value=790, low=780, high=800),
    }
    case = replace(answered(family, found=found), refined=True)
    sheet = identified_sheet(family, case, **RUN)
    assert sheet.hardening == "identified" and sheet.method == "surrogate"
    assert [(strain, one.value) for strain, one in sheet.stresses] == [(0.003, 520), (0.05, 790)]
    assert sheet.scalars["exponent"].high == 6.6
    level = sheet.material.hardening.stresses_mpa[
        sheet.material.hardening.plastic_strains.index(0.05)
    ]
    assert level == pytest.approx(exp(np.log(0.00125 * 0.0072) / 2) * 200_000)
    assert 0.1 < sheet.strain_reached < 0.3
    text = cards_of(sheet)["coil_mat133.k"]
    assert "k(0.05) = 790.0 +- 10.0 MPa" in text and "EXTRAPOLATED" in text


def test_intervals_of_parameters_are_those_of_the_covariance(family: Campaign) -> None:
    sheet = identified_sheet(family, answered(family), **RUN)
    for one in sheet.parameters.values():
        assert one.half_width == pytest.approx(1.6449 * VARIANCE**0.5, rel=1e-4)
    assert sheet.targets == {name: target for target, name in family.targets.items()}
    bare = identified_sheet(family, answered(family, covariance=None), **RUN)
    assert all(one.half_width is None for one in bare.parameters.values())


def test_people_get_the_refinements_answer_and_the_networks_where_it_has_none(
    family: Campaign,
) -> None:
    network = answered(family)
    refined = replace(answered(family), refined=True)
    silent = replace(refined, identified=None)
    assert better_of(network, refined) is refined
    assert better_of(network, silent) is network
    assert better_of(replace(network, identified=None), silent) is None
    weighed = refined.judgement.model_copy(update={"verdict": "reservations"})
    assert identified_sheet(family, judged(refined, weighed), **RUN).verdict == "reservations"
