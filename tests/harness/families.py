"""A small campaign of a family of sheets, for every test that needs one."""

from pathlib import Path
from typing import Any

import yaml

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.loading import merge, parse

DEMO = Path(__file__).parents[2] / "dags" / "campaigns" / "single_sheet.yaml"
NODES = {"law": "nodes", "k05_over_e": [0.00125, 0.0072], "role": "identified"}
MATERIAL = {
    "yield_function": "yld2000_2d",
    "exponent": {"range": [5, 9], "role": "given"},
    "youngs_modulus_mpa": {"range": [65000, 215000], "role": "given"},
    "poisson_ratio": 0.33,
    "hardening": NODES,
}
SMALL: dict[str, Any] = {
    "nuisance": {"angle_deg": 1.0, "force_scale": 0.01, "notch_width_mm": 0.05},
    "specimens": {
        "mesh": {"along": 12, "across": 6},
        "output_times": 4,
        "timing": {},
        "end_displacement_mm": 3.0,
    },
    "design": {"train_records": 24, "test_records": 8, "records_per_shard": 20},
}


def small_family(**changes: Any) -> Campaign:
    """Return the demo campaign as a family of steels and aluminium alloys, on a coarse mesh."""
    document = merge(yaml.safe_load(DEMO.read_text()), SMALL)
    return parse(Campaign, merge({**document, "material": MATERIAL}, changes), "family")
