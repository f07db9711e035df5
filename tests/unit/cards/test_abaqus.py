"""Abaqus's card, read back and asked what Abaqus would make of it."""

import numpy as np
import pytest

from hpc_jobs.cards.abaqus import Hill, abaqus
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.identified import IdentifiedSheet
from hpc_jobs.fem.materials.sheet import Sheet
from tests.unit.cards.conftest import sheet_of
from tests.unit.cards.readers import read_abaqus

STEEL = 7.85e-9


def r_values(ratios: list[float]) -> list[float]:
    """r at 0, 45 and 90 degrees, by the definitions of *POTENTIAL in Abaqus's manual."""
    r11, r22, r33, r12, *_ = ratios
    f = 0.5 * (1 / r22**2 + 1 / r33**2 - 1 / r11**2)
    g = 0.5 * (1 / r33**2 + 1 / r11**2 - 1 / r22**2)
    h = 0.5 * (1 / r11**2 + 1 / r22**2 - 1 / r33**2)
    n = 1.5 / r12**2
    return [h / g, n / (f + g) - 0.5, h / f]


def test_potential_holds_the_r_values(sheet: IdentifiedSheet) -> None:
    [ratios] = read_abaqus(abaqus(sheet, STEEL))["*POTENTIAL"]
    assert ratios[0] == pytest.approx(1) and ratios[4:] == [1, 1]
    identified = [sheet.quantities[f"r_value_{angle}"].value for angle in (0, 45, 90)]
    assert r_values(ratios) == pytest.approx(identified, abs=1e-5)


def test_elasticity_density_and_table(sheet: IdentifiedSheet) -> None:
    card = read_abaqus(abaqus(sheet, STEEL))
    material = sheet.material
    assert card["*ELASTIC"] == [[material.youngs_modulus_mpa, material.poisson_ratio]]
    assert card["*DENSITY"] == [[STEEL]]
    stresses, strains = np.array(card["*PLASTIC"]).T
    assert strains[0] == 0 and (np.diff(strains) > 0).all() and (np.diff(stresses) >= 0).all()


def test_it_says_what_hill_cannot_and_names_the_user_material(sheet: IdentifiedSheet) -> None:
    text = abaqus(sheet, STEEL)
    assert "holds either the r-values or the stress ratios" in text
    assert "user material" in text and "alpha1, alpha2" in text
    assert all(line.isascii() for line in text.splitlines())


def test_other_reading_holds_the_stress_ratios(sheet: IdentifiedSheet) -> None:
    lines = abaqus(sheet, STEEL).splitlines()
    [place] = [i for i, line in enumerate(lines) if "the other reading" in line]
    r11, r22, r33, r12, *_ = (float(cell) for cell in lines[place + 1].strip("* ").split(","))
    values = sheet.quantities
    assert r22 / r11 == pytest.approx(values["stress_ratio_90"].value, abs=1e-6)
    assert r33 / r11 == pytest.approx(values["stress_ratio_biaxial"].value, abs=1e-6)
    through = 1 / r33**2
    s45 = 2 / np.sqrt(through + 3 / r12**2)
    assert s45 == pytest.approx(values["stress_ratio_45"].value, abs=1e-6)


def test_hill_is_the_projects_own(campaign: Campaign) -> None:
    """The same seven values as hill48 has, and no second reading of an exact card."""
    material = campaign.material.model_copy(update={"yield_function": "hill48", "exponent": 2.0})
    parameters = {"r0": 1.8, "r45": 1.3, "r90": 2.1}
    known = Sheet.of(parameters, material).quantities()
    mine = Hill.from_r_values(*parameters.values()).quantities()
    assert mine == pytest.approx(known)
    again = Hill.from_stresses(
        known["stress_ratio_45"], known["stress_ratio_90"], known["stress_ratio_biaxial"]
    )
    assert again.quantities() == pytest.approx(known)
    assert "other reading" not in abaqus(sheet_of(material, parameters), STEEL)


def test_stress_ratios_that_no_hill_has_are_said() -> None:
    assert not Hill.from_stresses(1.0, 1.3, 0.7).convex
