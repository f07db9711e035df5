"""The trigger forms: what a person may change about a campaign without writing a file.

An empty field keeps what the campaign's YAML says, which its description tells. Each field names
the key that it overrides; the limits here are the contract's, but for a number's lower one: the
browser would raise a smaller number to it in silence, while the contract refuses it in words.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from airflow.sdk import Param

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.costs import costs
from hpc_jobs.contract.errors import ConfigurationError, ContractError
from hpc_jobs.contract.loading import document_of, load, merge, nested
from hpc_jobs.contract.rates import kept_rates

DAGS = Path(__file__).parents[1]
CAMPAIGNS = sorted(file.stem for file in (DAGS / "campaigns").glob("*.yaml"))
CLUSTERS = sorted(file.stem for file in (DAGS / "clusters").glob("*.yaml"))
NUMBER = r"\d+(\.\d*)?"

_FIELDS: dict[str, tuple[str, Param]] = {
    "train_records": (
        "design.train_records",
        Param(
            None,
            type=["null", "integer"],
            minimum=1,
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
            minimum=1,
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
            type=["null", "string"],
            pattern=rf"^\s*({NUMBER}(\s*,\s*{NUMBER}){{0,7}}\s*)?$",
            title="Specimen angles, degrees",
            description_md="Between specimen axis and rolling direction: `0, 45, 90`.",
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
    "cpu_cluster": (
        "execution.cpu_cluster",
        Param(
            None,
            type=["null", "string"],
            enum=[None, *CLUSTERS],
            title="Cluster for simulations",
            description_md="A file of `dags/clusters/`.",
            section="Execution",
        ),
    ),
    "gpu_cluster": (
        "execution.gpu_cluster",
        Param(
            None,
            type=["null", "string"],
            enum=[None, *CLUSTERS],
            title="Cluster for training",
            description_md="A file of `dags/clusters/`; it sees the same workspace.",
            section="Execution",
        ),
    ),
}


def _present(key: str) -> str:
    """Say what the campaigns' files have under a key."""
    said = {}
    for name in CAMPAIGNS:
        try:
            value: Any = document_of(DAGS / "campaigns" / f"{name}.yaml")
            for part in key.split("."):
                value = value[part]
        except (ConfigurationError, KeyError, TypeError):
            continue  # a file that is wrong is refused when it is used
        said[name] = ", ".join(map(str, value)) if isinstance(value, list) else value
    return "; ".join(f"{name}: {value}" for name, value in said.items())


def _with_hint(key: str, param: Param) -> Param:
    """Tell in a field's description what its key has in the files."""
    present = _present(key)
    schema = dict(param.schema)
    if present:
        schema["description_md"] += f" In the files: {present}."
    return Param(param.value, **schema)


@cache
def _costs() -> str:
    """Say what each campaign costs as its file has it, by the rates of its cluster if it has any.

    A file that is wrong is passed over: it is refused, in words, when it is used.
    """
    said = []
    for name in CAMPAIGNS:
        try:
            campaign = load(Campaign, DAGS / "campaigns" / f"{name}.yaml")
            kept = kept_rates(DAGS / "clusters" / f"{campaign.execution.cpu_cluster}.yaml")
            planned = costs(campaign, kept)
        except (ContractError, OSError):
            continue
        said.append(f"**{name}** {planned.sentence} (rates: {planned.rates})")
    return "; ".join(said)


def campaign_field(default: str | None = "demo") -> dict[str, Param]:
    """Return the drop-down of all campaigns that lie in campaigns/."""
    return {
        "campaign": Param(
            default if default in CAMPAIGNS else CAMPAIGNS[0],
            type="string",
            enum=CAMPAIGNS,
            title="Campaign",
            description_md="A file of `dags/campaigns/`; the fields below override parts of it. "
            f"What they cost as they stand: {_costs()}.",
        )
    }


def run_field() -> dict[str, Param]:
    """Return the field that chooses the run to go on with."""
    return {
        "run": Param(
            None,
            type=["null", "string"],
            pattern="^([a-z][a-z0-9_-]{0,47})?$",
            title="Run to go on with",
            description_md="Its id, as in MLflow; empty: the run that the **champion** came from, "
            "however many came later. `await_turn` says which one it is, and where there is no "
            "champion yet, which ones there are.",
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
    return campaign_field() | run_field() | _SEARCH_FIELDS


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
    fields = {name: _with_hint(key, param) for name, (key, param) in _FIELDS.items()}
    return campaign_field() | fields | {"overrides": advanced}


def overrides(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form changes, as a nested mapping in the shape of the campaign.

    A field that was emptied changes nothing. Raises ConfigurationError for a key that has both a
    field and an override of its own.
    """
    changed: dict[str, Any] = dict(params.get("overrides") or {})
    for name, (key, param) in _FIELDS.items():
        value = params.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        if _below(changed, key) is not None:
            raise ConfigurationError(
                f"{key} is given twice: {value} under '{param.schema['title']}', and "
                f"{_below(changed, key)} among the overrides; keep one of them"
            )
        if name == "angles_deg" and isinstance(value, str):
            value = [float(angle) for angle in value.split(",")]
        changed = merge(changed, nested(key, value))
    return changed


def _below(document: Any, key: str) -> Any:
    """Return what a nested mapping has under "a.b"; None if nothing."""
    for part in key.split("."):
        document = document.get(part) if isinstance(document, Mapping) else None
    return document
