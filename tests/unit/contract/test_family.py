"""A campaign of a family: roles, the order of its coordinates, and what a record's values mean."""

from math import exp, log
from pathlib import Path
from typing import Any

import pytest
import yaml

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.errors import BadInput, ConfigurationError
from hpc_jobs.contract.loading import load, parse
from hpc_jobs.contract.material import HockettSherby, Nodes, Swift
from hpc_jobs.contract.specimen import Piece, Specimens
from tests.harness.families import DEMO, NODES, small_family

CURVE = [f"log_k_over_k05@{p:g}" for p in (0, 0.003, 0.01, 0.03, 0.08, 0.16)]


def test_coordinates_stand_in_one_order() -> None:
    family = small_family().family
    nuisances = [
        f"{kind}@{angle}"
        for kind in ("angle_deg", "force_scale", "notch_width_mm")
        for angle in (0, 45, 90)
    ]
    assert list(family.names) == [
        "exponent", "youngs_modulus_mpa", "k05_over_e", *CURVE, *nuisances
    ]  # fmt: skip
    assert [family.names[i] for i in family.columns("given")] == ["exponent", "youngs_modulus_mpa"]
    assert family.columns("identified", "nuisance") == tuple(range(2, len(family.names)))
    last = family.coordinates[-1]
    assert (last.unit, last.role, last.specimen, last.sd) == ("mm", "nuisance", 2, 0.05)


def test_a_campaign_in_which_all_is_fixed_is_what_it_was(campaigns: Path) -> None:
    campaign = load(Campaign, campaigns / "single_sheet.yaml")
    assert campaign.family.is_single_sheet
    assert isinstance(campaign.material.hardening, HockettSherby)
    assert campaign.family.material_of(()) == campaign.material
    assert campaign.family.specimens_of((), campaign.specimens) is campaign.specimens


def test_a_family_has_no_material_to_fall_back_on() -> None:
    with pytest.raises(ConfigurationError, match=r"family of sheets.*each record's own"):
        _ = small_family().material


def test_a_family_survives_its_json_file() -> None:
    campaign = small_family()
    frozen = FrozenCampaign(run_id="a", campaign=campaign, code_sha256="ab" * 32)
    again = FrozenCampaign.model_validate_json(frozen.model_dump_json())
    assert again == frozen
    assert again.campaign.fingerprint == campaign.fingerprint


def test_a_records_values_are_a_material() -> None:
    family = small_family().family
    values = dict(zip(family.names, family.nominal, strict=True))
    values |= {"exponent": 6.5, "youngs_modulus_mpa": 2e5, "k05_over_e": 0.004}
    values |= {
        name: log(ratio) for name, ratio in zip(CURVE, (0.5, 0.6, 0.7, 0.9, 1.1, 1.2), strict=True)
    }
    found = family.material_of(list(values.values()))
    assert (found.exponent, found.youngs_modulus_mpa, found.poisson_ratio) == (6.5, 2e5, 0.33)
    assert isinstance(found.hardening, Nodes)
    curve = dict(zip(found.hardening.plastic_strains, found.hardening.stresses_mpa, strict=True))
    assert curve[0.05] == pytest.approx(800)
    assert curve[0.0] == pytest.approx(400)
    assert curve[0.16] == pytest.approx(960)


def test_a_softening_curve_is_no_sheet() -> None:
    family = small_family().family
    values = list(family.nominal)
    values[family.names.index(CURVE[-1])] = -0.2
    assert "softening" in family.defect(values)
    assert family.defect(family.nominal) == ""
    with pytest.raises(BadInput, match=r"has 18 coordinates .*not 3"):
        family.material_of((1.0, 2.0, 3.0))


def test_a_records_values_are_its_tests() -> None:
    campaign = small_family()
    family = campaign.family
    values = [0.0 if one.specimen is not None else 1.0 for one in family.coordinates]
    changes = {"angle_deg@45": -0.7, "force_scale@45": 0.02, "notch_width_mm@90": 0.06}
    for name, value in changes.items():
        values[family.names.index(name)] = value
    tests = family.specimens_of(values, campaign.specimens).tests
    assert [test.angle_deg for test in tests] == [0, pytest.approx(44.3), 90]
    assert [test.force_factor for test in tests] == [1, pytest.approx(1.02), 1]
    widths = [test.geometry.notch_width_mm for test in tests]
    assert widths == [10, 10, pytest.approx(10.06)]


def with_material(**changes: Any) -> Campaign:
    document = yaml.safe_load(DEMO.read_text())
    document["material"] = {**document["material"], **changes}
    return parse(Campaign, document, "single_sheet.yaml")


def test_laws_have_ranges_too() -> None:
    ranges = {"strength_mpa": [500, 1500], "prestrain": 0.004, "exponent": [0.05, 0.3]}
    family = with_material(hardening={"law": "swift", "ranges": ranges}).family
    assert family.names == ("hardening.strength_mpa", "hardening.exponent")
    assert family.curve_strains[-1] == 0.16
    assert family.material_of((800, 0.2)).hardening == Swift(
        strength_mpa=800, prestrain=0.004, exponent=0.2
    )


def test_a_curve_and_a_level_are_bounded_by_what_may_be_drawn() -> None:
    """Ratios to k(.05) are sums of rises between nodes: n ln((.002 + b)/(.002 + a))."""
    nodes = {**NODES, "plastic_strains": [0, 0.1], "local_exponents": [[0.1, 0.2], [0.05, 0.3]]}
    family = with_material(hardening=nodes).family
    level, first, last = family.coordinates
    assert (level.low, level.high, level.logarithmic) == (0.00125, 0.0072, True)
    assert exp(first.low) == pytest.approx((0.002 / 0.052) ** 0.2)
    assert exp(first.high) == pytest.approx((0.002 / 0.052) ** 0.1)
    assert exp(last.high) == pytest.approx((0.102 / 0.052) ** 0.3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"youngs_modulus_mpa": 200}, r"youngs_modulus_mpa is 200: .*give MPa \(steel: 210000\)"),
        ({"youngs_modulus_mpa": 2000}, "first yield is at .* of Young's modulus.*MPa"),
        ({"youngs_modulus_mpa": {"range": [200, 210], "role": "given"}}, "give moduli and"),
        ({"exponent": {"range": [5, 9]}}, "material.exponent.role: Field required; add it"),
        ({"exponent": {"range": [9, 5], "role": "given"}}, r"range is \[9, 5\].*smaller first"),
        ({"exponent": {"range": [1, 9], "role": "given"}}, r"keep it within 2 and 20"),
        ({"exponent": {"range": [5, 9], "role": "nuisance"}}, "role is 'nuisance'"),
        ({"exponent": 21}, r"material.exponent is 21.*at most 20"),
        ({"hardening": {**NODES, "k05_over_e": [250, 900]}}, "k05_over_e is .*no sheet"),
        ({"hardening": {**NODES, "plastic_strains": [0.01, 0.1]}}, "begin at 0, first yield"),
        ({"hardening": {**NODES, "local_exponents": [[0.1, 0.2]]}}, "give one each, or"),
        ({"hardening": {**NODES, "k05_over": 3}}, r"k05_over is 3.*did you mean 'k05_over_e'"),
        ({"hardening": {"law": "swift", "ranges": {"n": [0.1, 0.2]}}}, "swift has the parameters"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_by_key_value_and_remedy(change: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        with_material(**change)


def test_stresses_in_pascal_are_noticed(campaigns: Path) -> None:
    curve = {"saturation_stress_mpa": 1125.76e6, "yield_stress_mpa": 317.907e6}
    with pytest.raises(ConfigurationError, match=r"yield_stress_mpa is 317907000.0: .*give MPa"):
        load(Campaign, campaigns / "single_sheet.yaml", {"material": {"hardening": curve}})


def test_an_end_displacement_in_metres_is_noticed(campaigns: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"is 0.0009, 3e-05 of the length.*millimetres"):
        load(
            Campaign,
            campaigns / "single_sheet.yaml",
            {"specimens": {"end_displacement_mm": 0.0009}},
        )


def test_pieces_are_a_records_not_a_campaigns(campaigns: Path) -> None:
    pieces = {"specimens": {"pieces": [{"angle_deg": 1}, {}, {}]}}
    with pytest.raises(ConfigurationError, match="in the section nuisance"):
        load(Campaign, campaigns / "single_sheet.yaml", pieces)


def test_output_times_are_as_many_as_said_and_increase() -> None:
    with pytest.raises(ValueError, match="give output_times of them, 10, or none"):
        Specimens(pieces=(Piece(displacements_mm=(0.1, 0.2)), Piece(), Piece()))
    with pytest.raises(ValueError, match="let them increase"):
        Piece(displacements_mm=(0.2, 0.1))


def test_times_that_must_be_found_cannot_be_drawn_before() -> None:
    specimens = Specimens.model_validate({"timing": {}})
    assert not specimens.is_timed
    with pytest.raises(BadInput, match=r"have not been found yet; .*with_output_times"):
        _ = specimens.tests[0].drawn_mm


def test_the_machine_takes_its_share() -> None:
    piece = Piece(displacement_share=0.1)
    (test,) = Specimens(angles_deg=(0.0,), output_times=2, pieces=(piece,)).tests
    assert test.displacements_mm == (0.5, 1.0)
    assert test.drawn_mm == pytest.approx((0.45, 0.9))
