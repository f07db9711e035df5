"""The trigger forms: what a person may change about a campaign without writing a file.

An empty field keeps what the campaign's YAML says. Each field names the key that it overrides; the
limits here are the contract's, so that the form refuses at once what the contract would refuse.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import Param

from hpc_jobs.contract.loading import merge, nested

CAMPAIGNS = sorted(file.stem for file in (Path(__file__).parents[1] / "campaigns").glob("*.yaml"))

_FIELDS: dict[str, tuple[str, Param]] = {
    "train_records": (
        "design.train_records",
        Param(
            None,
            type=["null", "integer"],
            minimum=8,
            maximum=100_000_000,
            title="Training records",
            description_md="Simulated parameter points that networks learn from.",
            section="Simulation",
        ),
    ),
    "test_records": (
        "design.test_records",
        Param(
            None,
            type=["null", "integer"],
            minimum=8,
            maximum=10_000_000,
            title="Test records",
            description_md="Off-grid points of an independent sequence; **never** trained on.",
            section="Simulation",
        ),
    ),
    "seed": (
        "design.seed",
        Param(
            None,
            type=["null", "integer"],
            minimum=0,
            maximum=2**31 - 1,
            title="Seed of the design",
            description_md="Of the scrambled Sobol sequence.",
            section="Simulation",
        ),
    ),
    "angles_deg": (
        "specimens.angles_deg",
        Param(
            None,
            type=["null", "array"],
            items={"type": "number", "minimum": 0, "maximum": 90},
            maxItems=8,
            title="Specimen angles, degrees",
            description_md="Between specimen axis and rolling direction, 0 to 90; one per line.",
            section="Simulation",
        ),
    ),
    "end_displacement_mm": (
        "specimens.end_displacement_mm",
        Param(
            None,
            type=["null", "number"],
            exclusiveMinimum=0,
            title="End displacement, mm",
            description_md="Of each virtual tensile test. Deep notches neck beyond about 2 mm.",
            section="Simulation",
        ),
    ),
    "epochs": (
        "training.epochs",
        Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=100_000,
            title="Epochs",
            description_md="Passes over the training records, for each network.",
            section="Training",
        ),
    ),
    "minimum_improvement": (
        "gate.minimum_improvement",
        Param(
            None,
            type=["null", "number"],
            minimum=0,
            exclusiveMaximum=1,
            title="Minimum improvement",
            description_md="Share by which a challenger's off-grid error must be below the "
            "champion's.",
            section="Gate",
        ),
    ),
}


def campaign_field(default: str | None = "demo") -> dict[str, Param]:
    """Return the drop-down of all campaigns that lie in campaigns/."""
    return {
        "campaign": Param(
            default if default in CAMPAIGNS else CAMPAIGNS[0],
            type="string",
            enum=CAMPAIGNS,
            title="Campaign",
            description_md="A file of `dags/campaigns/`; the fields below override parts of it.",
        )
    }


_SEARCH_FIELDS = {
    "trials": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        maximum=100_000,
        title="Trials",
        description_md="Networks that are tried; those that diverge do not count.",
    ),
    "workers": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        maximum=1000,
        title="Workers",
        description_md="Array elements that try networks side by side, a device each.",
    ),
}


def search_form() -> dict[str, Param]:
    """Return the form of a hyper-parameter search; empty fields keep what the file says."""
    return campaign_field() | _SEARCH_FIELDS


def search_overrides(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form changes about the campaign's section `search`."""
    return {name: params[name] for name in _SEARCH_FIELDS if params.get(name) is not None}


def campaign_form() -> dict[str, Param]:
    """Return the whole form of a new campaign."""
    advanced = Param(
        {},
        type=["null", "object"],
        title="Overrides",
        description_md="Any other key of the campaign, nested as in its YAML, as JSON: "
        '`{"training": {"learning_rate": 0.002}}`. Unknown keys are refused.',
        section="Advanced",
    )
    fields = {name: param for name, (_, param) in _FIELDS.items()}
    return campaign_field() | fields | {"overrides": advanced}


def overrides(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form changes, as a nested mapping in the shape of the campaign."""
    changed: dict[str, Any] = dict(params.get("overrides") or {})
    for name, (key, _) in _FIELDS.items():
        if params.get(name) is not None:
            changed = merge(changed, nested(key, params[name]))
    return changed
