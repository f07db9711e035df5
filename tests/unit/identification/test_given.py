"""What was told and not identified stands beside the answer."""

import pytest

from hpc_jobs.contract.answers import given_in_words
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.contract.validation import Judgement
from hpc_jobs.identification.given import given_values
from tests.harness.families import small_family
from tests.unit.bench import campaign, demo, header

__all__ = ["campaign", "demo", "header"]


def _said(given: dict[str, tuple[float, float]]) -> str:
    judgement = Judgement(
        verdict="answered", quantities={}, novelty=0.0, novelty_limit=1.0, given=given
    )
    return given_in_words(judgement)


def test_of_one_sheet_modulus_exponent_and_curve_are_given(
    campaign: Campaign, header: MeasurementHeader
) -> None:
    given = given_values(campaign, header)
    assert given["k@0.05"][0] == pytest.approx(901, abs=1)
    assert _said(given) == "a 6, E 200,000 MPa, k(0.05) 901.4 MPa"


def test_of_a_family_s_measurement_what_it_knew_with_its_deviation() -> None:
    family = small_family()
    knowledge = {"youngs_modulus_mpa": (206_000.0, 3_000.0)}
    told = MeasurementHeader(
        name="bench",
        source="a test",
        knowledge=knowledge,
        specimens=family.specimens,
        noise=family.noise,
    )
    given = given_values(family, told)
    assert given["youngs_modulus_mpa"] == (206_000.0, 3_000.0)
    assert "k@0.05" not in given, "its curve is identified"
    assert "E 206,000 ± 3,000 MPa" in _said(given)
    assert "youngs_modulus_mpa" not in given_values(
        family, told.model_copy(update={"knowledge": {}})
    )
