"""Absurd settings are refused by name, value and remedy, and every number has limits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.loading import load, parse
from hpc_jobs.contract.sheet import LawRanges

RELATED = {
    "Campaign.schema_version",
    # Limited by other values of the campaign, in the models' own checks
    *(f"MechanicalBox.{name}" for name in ("r_value", "stress_ratio")),
    *("HardeningNodes.", "LawRanges.", "Ranged.", "MlpSpace.", "MultitaskCnnSpace."),
    *("Patches.offset", "Specimens.end_displacement_mm", "Geometry.end_displacement_mm"),
    *("Tabulated.plastic_strains", "Nodes.plastic_strains"),
    "Piece.",  # of records, no campaign has one
}


def numbers(schema: dict[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every number below a schema."""
    if schema.get("type") in ("number", "integer"):
        yield name, schema
    for kind in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for one in schema.get(kind, ()):
            yield from numbers(one, name)
    for kind in ("items", "additionalProperties"):
        if isinstance(schema.get(kind), dict):
            yield from numbers(schema[kind], name)


def test_every_number_of_a_campaign_has_a_lower_and_an_upper_limit() -> None:
    schema = Campaign.model_json_schema()
    models = {"Campaign": schema} | schema["$defs"]
    open_ended = [
        name
        for model, described in models.items()
        for field, below in described.get("properties", {}).items()
        for name, one in numbers(below, f"{model}.{field}")
        if not {"minimum", "exclusiveMinimum"} & set(one)
        or not {"maximum", "exclusiveMaximum"} & set(one)
    ]
    assert [name for name in open_ended if not name.startswith(tuple(RELATED))] == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"training": {"learning_rate": 100}}, "training.learning_rate is 100: .*1e-4 to 1e-2"),
        ({"noise": {"strain": 1.0}}, "noise.strain is 1.0: .*deviation of a patch's strain"),
        ({"noise": {"force_relative": 50}}, "noise.force_relative is 50: .*share of the force"),
        ({"noise": {"strain": float("nan")}}, "noise.strain is nan: .*finite"),
        (
            {"specimens": {"end_displacement_mm": 50}},
            "end_displacement_mm is 50, 1.7 of the length .* necked; give 15 or less",
        ),
        ({"specimens": {"time_limit_s": 1e12}}, "time_limit_s is 1000000000000.0: .*at most 86400"),
        (
            {"specimens": {"geometries": [{"thickness_mm": 0.001}]}},
            "thickness_mm is 0.001: .*give millimetres",
        ),
        (
            {"specimens": {"patches": {"offset_along_mm": 100}}},
            "offset_along_mm is 100, which moves the region off the sheet",
        ),
        ({"design": {"box": {"r_value_0": [1, 1]}}}, r"r_value_0 is \[1.0, 1.0\]"),
        ({"design": {"box": {"r_value_0": [1, 1.0001]}}}, r"r_value_0 .*next to empty"),
        ({"design": {"box": {"stress_ratio_45": [90, 110]}}}, "no sheet is known beyond 0.3 to 3"),
        ({"material": {"youngs_modulus_mpa": 210}}, r"give MPa \(steel: 210000\)"),
        ({"material": {"youngs_modulus_mpa": 2.1e11}}, r"give MPa \(steel: 210000\)"),
        ({"material": {"hardening": {"rate": 1e9}}}, "rate is 1000000000.0: .*plastic strain of 1"),
        ({"validation": {"r_value_tolerance": 30}}, "r_value_tolerance is 30: .*at most 1"),
        ({"validation": {"priors": {"thickness_mm": 900}}}, "thickness_mm is 900: .*at most 10"),
        (
            {"training": {"networks": [{"kind": "mlp", "hidden": [0]}]}},
            "hidden.0 is 0: .*at least 1",
        ),
        ({"gate": {"sheet_margin": 1e6}}, "gate.sheet_margin is 1000000.0: .*at most 10"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    campaigns: Path, changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load(Campaign, campaigns / "single_sheet.yaml", changed)


def test_a_family_s_modulus_in_pascal_is_noticed(campaigns: Path) -> None:
    ranged = {"range": [2.0e11, 2.1e11], "role": "given"}
    with pytest.raises(ConfigurationError, match=r"range is \[2e\+11, 2.1e\+11\]; keep it within"):
        load(Campaign, campaigns / "demo.yaml", {"material": {"youngs_modulus_mpa": ranged}})


def test_ranges_of_a_law_lead_to_curves_that_can_be() -> None:
    ranges = {"strength_mpa": [300, 9e8], "prestrain": 0.01, "exponent": 0.2}
    with pytest.raises(ConfigurationError, match="a swift curve that cannot be: strength_mpa 9"):
        parse(LawRanges, {"law": "swift", "ranges": ranges}, "ranges")
