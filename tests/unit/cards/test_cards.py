"""All formats: registered, refused where they cannot express a sheet, and the table read back."""

import csv
from pathlib import Path

import pytest

from hpc_jobs.cards import CARDS, cards_of, publish_cards
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.identified import CARD_FILES, IdentifiedSheet
from tests.unit.cards.conftest import sheet_of


@pytest.mark.parametrize("name", CARDS)
def test_every_card_says_date_campaign_units_and_intervals(
    name: str, sheet: IdentifiedSheet
) -> None:
    text = CARDS[name].write(sheet, 7.85e-9)
    for word in ("2026-03-01", "campaign demo", "t, mm, s, N, MPa", "90% intervals", "0.183"):
        assert word in text, word


def test_registry_and_contract_name_the_same_files_in_one_order() -> None:
    assert tuple(card.suffix for card in CARDS.values()) == CARD_FILES


def test_a_sheet_has_the_cards_that_can_express_it(
    sheet: IdentifiedSheet, campaign: Campaign
) -> None:
    assert len(cards_of(sheet)) == len(CARDS)
    material = campaign.material.model_copy(update={"yield_function": "barlat89"})
    names = cards_of(sheet_of(material, {"r0": 0.8, "r45": 1.1, "r90": 0.9}))
    assert "dp780-coil-7_mat036.k" in names and "dp780-coil-7_mat133.k" not in names


def test_density_is_guessed_by_the_modulus_and_said(sheet: IdentifiedSheet) -> None:
    text = cards_of(sheet)["dp780-coil-7_mat133.k"]
    assert "7.85e-09" in text and "that of steel, which Young's modulus tells" in text
    given = cards_of(sheet, density=7.8e-9)["dp780-coil-7_mat133.k"]
    assert "as it was given" in given
    odd = sheet.material.model_copy(update={"youngs_modulus_mpa": 140e3})
    with pytest.raises(BadInput, match="give --density"):
        cards_of(sheet.model_copy(update={"material": odd}))
    with pytest.raises(BadInput, match="no metal's is"):
        cards_of(sheet, density=7850.0)


def test_table_read_back(family_sheet: IdentifiedSheet, tmp_path: Path) -> None:
    publish_cards(tmp_path, family_sheet)
    lines = (tmp_path / "dp780-coil-7_table.csv").read_text().splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    by = {(row["section"], row["at"]): row for row in rows}
    r45 = family_sheet.quantities["r_value_45"]
    assert float(by["r_value", "45"]["value"]) == pytest.approx(r45.value)
    assert float(by["r_value", "45"]["low"]) == pytest.approx(r45.low)
    assert float(by["yld2000_2d", "alpha3"]["value"]) == pytest.approx(
        family_sheet.parameters["alpha3"].value
    )
    assert by["material", "exponent"]["source"] == "identified"
    assert by["material", "youngs_modulus_mpa"]["source"] == "given"
    curve = [row for row in rows if row["section"] == "curve"]
    assert {row["source"] for row in curve[:61]} == {"identified"}
    assert {row["source"] for row in curve[61:]} == {"law"}
    assert float(by["k", "0.05"]["high"]) == pytest.approx(798)
