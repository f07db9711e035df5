"""What a run needs, checked before anything remote happens: a campaign and all that it names."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.sdk.configuration import conf

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.feasible import hopeless
from hpc_jobs.contract.loading import document_of, load
from hpc_jobs.contract.solver import SOLVERS
from operators.hooks.hpc import describe
from operators.runs.resources import refused_resources


@dataclass(frozen=True, slots=True)
class CampaignFile:
    """A campaign that may run: valid as a whole, its measurements at hand."""

    campaign: Campaign
    source: Path
    measurements: Mapping[str, Path]


def read_campaign(name: str, overrides: Mapping[str, Any] | None = None) -> CampaignFile:
    """Read <dags folder>/campaigns/<name>.yaml and all that it names.

    Raises ConfigurationError, which lists everything that is wrong at once.
    """
    dags = Path(conf.get("core", "dags_folder"))
    source = dags / "campaigns" / f"{name}.yaml"
    campaign = load(Campaign, source, overrides)
    mistakes = [
        *hopeless(campaign),
        *_foreign_code(campaign, source),
        *_cluster_mistakes(campaign),
    ]
    if campaign.name != name:
        mistakes.append(f"name is '{campaign.name}', but the file is {name}.yaml; name both alike")
    folder = dags / "measurements"
    measurements = {key: folder / f"{key}.h5" for key in campaign.validation.measurements}
    for key, file in measurements.items():
        if not file.is_file():
            known = ", ".join(sorted(other.stem for other in folder.glob("*.h5"))) or "none"
            mistakes.append(
                f"validation.measurements names '{key}', but {folder} has no {file.name}; "
                f"there are: {known}"
            )
    if mistakes:
        raise ConfigurationError("\n".join(f"{source.name}: {line}" for line in mistakes))
    return CampaignFile(campaign, source, measurements)


def name_run(campaign: str, dag_id: str, dag_run_id: str, when: datetime) -> str:
    """Name a run after its DAG run, so that a retry finds its own; a Slug."""
    mark = hashlib.sha256(f"{dag_id}\n{dag_run_id}".encode()).hexdigest()[:7]
    return f"{campaign[:24]}-{when:%Y%m%d-%H%M%S}-{mark}"


def differences(before: Campaign, after: Campaign) -> list[str]:
    """Keys whose values differ."""
    old, new = flatten(before), flatten(after)
    return sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))


def flatten(campaign: Campaign) -> dict[str, str]:
    """Key path -> value, as a person would write it."""
    flat: dict[str, str] = {}

    def descend(value: Any, path: tuple[str, ...]) -> None:
        if isinstance(value, dict):
            for key, below in value.items():
                descend(below, (*path, key))
        else:
            flat[".".join(path)] = str(value)

    descend(campaign.model_dump(mode="json"), ())
    return flat


def _foreign_code(campaign: Campaign, source: Path) -> Iterator[str]:
    """Refuse code that the file does not name: who may trigger a run may not bring code along."""
    if campaign.solver in SOLVERS or campaign.solver == document_of(source).get("solver"):
        return
    yield (
        f"solver is '{campaign.solver}' by the trigger's overrides, but only the campaign's file "
        f"may name code; write it there, or choose {', '.join(SOLVERS)}"
    )


def _cluster_mistakes(campaign: Campaign) -> Iterator[str]:
    sites = {}
    for key in ("cpu_cluster", "gpu_cluster"):
        name = getattr(campaign.execution, key)
        try:
            sites[key] = describe(name)
        except ConfigurationError as error:
            yield f"execution.{key} is '{name}': {error}"
        else:
            if sites[key].name != name:
                yield (
                    f"execution.{key} is '{name}', but clusters/{name}.yaml calls itself "
                    f"'{sites[key].name}'; give both the same name"
                )
    yield from refused_resources(campaign.execution, sites)
