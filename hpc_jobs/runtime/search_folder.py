"""What the three jobs of a hyper-parameter search have in common: folder, settings, spool."""

import argparse
from pathlib import Path

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.layout import SearchFolder
from hpc_jobs.contract.records import publish_model, read_model
from hpc_jobs.contract.study import SearchSettings
from hpc_jobs.runtime.element import Element
from hpc_jobs.tracking.spool import Spool


def arguments(parser: argparse.ArgumentParser) -> None:
    """--name NAME: the search's."""
    parser.add_argument("--name", default="search", help="the search lies in search/NAME")


def folder_of(element: Element) -> SearchFolder[Path]:
    """Folder of the search that the arguments name."""
    return element.run.search(element.arguments.name)


def settings_of(element: Element) -> SearchSettings:
    """Read what is searched; where nobody has said it yet, it is what the campaign says."""
    path, campaign = folder_of(element).settings, element.campaign
    if not path.exists():
        if campaign.search is None:
            raise ConfigurationError(
                f"campaign {campaign.name} has no search, and {path} does not exist; add the "
                "section `search` to the campaign (docs/hyperparameter-search.md)"
            )
        resources = campaign.execution.resources
        publish_model(path, SearchSettings(search=campaign.search, resources=resources))
    return read_model(SearchSettings, path)


def open_spool(element: Element, what: str, stage: str) -> Spool:
    """Open the spool of one training, continued by whoever does it again: one run in MLflow."""
    name = f"{element.arguments.name}-{what}"
    tags = {
        "stage": stage,
        "search": element.arguments.name,
        "campaign": element.campaign.name,
        "run_id": element.frozen.run_id,
        "code_sha256": element.frozen.code_sha256,
        "job_id": element.job_id,
    }
    return Spool(element.spool_file(name), name=name, tags=tags)
