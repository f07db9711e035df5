"""LS-DYNA cards, read by the manual's columns and simulated by the project's own engine."""

import numpy as np
import pytest

from hpc_jobs.cards.ls_dyna import barlat89, yld2000
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.identified import IdentifiedSheet
from hpc_jobs.contract.material import Material, Tabulated
from hpc_jobs.fem.materials.flow_stress import flow_stress
from hpc_jobs.fem.materials.hardening import hardening_array
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.fem.reference.simulation import simulate
from tests.unit.cards.conftest import sheet_of
from tests.unit.cards.readers import read_mat036, read_mat133

STEEL = 7.85e-9


def test_mat133_holds_the_sheet_in_the_manuals_columns(sheet: IdentifiedSheet) -> None:
    card = read_mat133(yld2000(sheet, STEEL)).fields
    material = sheet.material
    assert card["ro"] == STEEL
    assert (card["e"], card["pr"]) == (material.youngs_modulus_mpa, material.poisson_ratio)
    assert card["a"] == material.exponent
    for name, value in sheet.parameters.items():
        assert card[name] == pytest.approx(value.value, abs=1e-7)
    # parameters as they are, no scaling of the locus, rolling direction along global x
    assert (card["fit"], card["iscale"], card["aopt"]) == (0, 1, 2)
    assert [card[name] for name in ("a1", "a2", "a3", "d1", "d2", "d3")] == [1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize("which", ["sheet", "family_sheet"])
def test_mat133_simulated_gives_the_same_strains_and_forces(
    which: str, campaign: Campaign, request: pytest.FixtureRequest
) -> None:
    sheet: IdentifiedSheet = request.getfixturevalue(which)
    card = read_mat133(yld2000(sheet, STEEL))
    strains, stresses = zip(*card.curve, strict=True)
    read = Material(
        yield_function="yld2000_2d",
        exponent=card.fields["a"],
        youngs_modulus_mpa=card.fields["e"],
        poisson_ratio=card.fields["pr"],
        hardening=Tabulated(plastic_strains=strains, stresses_mpa=stresses),
    )
    alphas = np.array([card.fields[f"alpha{i}"] for i in range(1, 9)])
    identified = np.array([one.value for one in sheet.parameters.values()])
    theirs = simulate(alphas, read, campaign.specimens)
    ours = simulate(identified, sheet.material, campaign.specimens)
    assert theirs.status == ours.status == "ok", (theirs.reason, ours.reason)
    # a tenth of what a careful camera's noise is, and of a load cell's
    assert np.abs(theirs.strains - ours.strains).max() < 2e-5
    np.testing.assert_allclose(theirs.forces, ours.forces, rtol=3e-4)


def test_curve_is_the_laws_and_says_where_the_test_ended(family_sheet: IdentifiedSheet) -> None:
    text = yld2000(family_sheet, STEEL)
    curve = read_mat133(text).curve
    strains, stresses = np.array(curve).T
    assert strains[0] == 0 and strains[-1] == 1
    assert (np.diff(strains) > 0).all() and (np.diff(stresses) >= 0).all()
    law = hardening_array(family_sheet.material.hardening)
    for strain, stress in curve:
        assert stress == pytest.approx(flow_stress(law, strain)[0], rel=1e-6)
    said = [line for line in text.splitlines() if line.startswith("$ from here on by the law")]
    assert len(said) == 1 and "0.183" in said[0]
    lines = text.splitlines()
    after = lines[lines.index(said[0]) + 1]
    before = lines[lines.index(said[0]) - 1]
    assert float(before[:20]) == pytest.approx(0.183)
    assert float(after[:20]) > 0.183


def test_head_says_date_campaign_units_intervals_and_doubts(family_sheet: IdentifiedSheet) -> None:
    text = yld2000(family_sheet, STEEL)
    head = " ".join(
        line[1:].strip() for line in text.partition("*MAT_BARLAT_YLD2000_TITLE")[0].splitlines()
    )
    for word in (
        "2026-03-01", "campaign demo", "t, mm, s, N, MPa", "90% intervals", "(MP1 ) ", "+- 0.01000",
        "WITH RESERVATIONS", "notch were 10.10 mm wide", "k(0.05) = 790.0 +- 8.0 MPa",
        "exponent a      5.70 +- 0.65", "EXTRAPOLATED", "density 7.85e-09",
    ):  # fmt: skip
        assert word in head, word


def test_given_curve_is_never_called_identified(sheet: IdentifiedSheet) -> None:
    head = yld2000(sheet, STEEL).partition("*MAT_BARLAT_YLD2000_TITLE")[0]
    assert "GIVEN by the campaign" in head and "EXTRAPOLATED" not in head


def test_mat036_holds_r_values_and_the_curve_of_the_rolling_direction(
    family_sheet: IdentifiedSheet,
) -> None:
    card = read_mat036(barlat89(family_sheet, STEEL))
    quantities = family_sheet.quantities
    for angle, name in ((0, "r00"), (45, "r45"), (90, "r90")):
        assert card.fields[name] == pytest.approx(quantities[f"r_value_{angle}"].value, abs=1e-7)
    assert (card.fields["hr"], card.fields["m"]) == (3, 5.7)
    # all alphas 1.04 times larger: yields at k/1.04, and works with 1.04 times the strain
    strains, stresses = np.array(card.curve).T
    law = hardening_array(family_sheet.material.hardening)
    parameters = {name: one.value for name, one in family_sheet.parameters.items()}
    c = Sheet.of(parameters, family_sheet.material).rolling_stress()
    assert c < 0.97
    for strain, stress in zip(strains, stresses, strict=True):
        assert stress == pytest.approx(c * flow_stress(law, strain * c)[0], rel=1e-5)


def test_mat036_says_what_it_makes_of_stress_ratios(sheet: IdentifiedSheet) -> None:
    text = barlat89(sheet, STEEL)
    [line] = [one for one in text.splitlines() if one.startswith("$   s45/s0") and "+-" not in one]
    identified, card = map(float, line.split()[-2:])
    assert identified == pytest.approx(sheet.quantities["stress_ratio_45"].value, abs=1e-4)
    assert abs(card - identified) > 1e-3


def test_mat036_of_a_barlat89_sheet_is_exact_and_simulates_alike(campaign: Campaign) -> None:
    material = campaign.material.model_copy(update={"yield_function": "barlat89"})
    sheet = sheet_of(material, {"r0": 0.8, "r45": 1.1, "r90": 0.9})
    text = barlat89(sheet, STEEL)
    assert "this model has" not in text
    card = read_mat036(text)
    read = [card.fields[name] for name in ("r00", "r45", "r90")]
    assert read == pytest.approx([0.8, 1.1, 0.9])
    strains, stresses = zip(*card.curve, strict=True)
    curve = Tabulated(plastic_strains=strains, stresses_mpa=stresses)
    theirs = simulate(
        np.array(read), material.model_copy(update={"hardening": curve}), campaign.specimens
    )
    ours = simulate(np.array([0.8, 1.1, 0.9]), material, campaign.specimens)
    assert theirs.status == ours.status == "ok"
    assert np.abs(theirs.strains - ours.strains).max() < 2e-5
