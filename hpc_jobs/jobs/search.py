"""Work on a hyper-parameter search: element TASK_INDEX is one of its workers.

The search is the campaign's, or what search/<name>/search.json says; many workers share a journal.
"""

import argparse
import math
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.execution import Job
from hpc_jobs.contract.records import publish_model, read_model
from hpc_jobs.contract.study import SearchSettings
from hpc_jobs.contract.workspace import SearchFolder
from hpc_jobs.jobs import element
from hpc_jobs.jobs.element import Element
from hpc_jobs.jobs.ranks import Rank, joined
from hpc_jobs.learning.data.dataset import open_dataset
from hpc_jobs.learning.search.finalists import name_finalists
from hpc_jobs.learning.search.owner import Owner, Process
from hpc_jobs.learning.search.study import open_study
from hpc_jobs.learning.search.worker import Worker
from hpc_jobs.learning.training.interruption import stop_on_signals
from hpc_jobs.learning.training.team import Team
from hpc_jobs.tracking.spool import Spool

STARTED_S = time.monotonic()
HAND_OVER_S = 120.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """--name NAME: the search's."""
    parser.add_argument("--name", default="search", help="the search lies in search/NAME")


def work(team: Team, element: Element) -> dict[str, Any]:
    """Work until the study is complete; whoever sees that names the finalists."""
    folder = element.run.search(element.arguments.name)
    settings = settings_of(element, folder)
    campaign, search = element.campaign, settings.search
    torch.set_num_threads(settings.resources_for("search").cpus)
    dataset = open_dataset(element.run, campaign.training.validation_fraction)
    study = open_study(folder, campaign, search, dataset)
    with stop_on_signals(deadline_s(element, settings, "search")) as stop:
        mine = Worker(
            run=element.run,
            folder=folder,
            campaign=campaign,
            search=search,
            dataset=dataset,
            study=study,
            owner=_owner(element, settings),
            spool=partial(_spool, element),
            progress=element.progress,
            stop=stop,
            team=team,
        ).work()
    name_finalists(element.run, folder, campaign, search, dataset, study)
    return {"completed": mine, "trials": study.complete}


def settings_of(element: Element, folder: SearchFolder[Path]) -> SearchSettings:
    """Read what is searched; where nobody has said it yet, it is what the campaign says."""
    if not folder.settings.exists():
        campaign = element.campaign
        if campaign.search is None:
            raise ConfigurationError(
                f"campaign {campaign.name} has no search, and {folder.settings} does not exist; "
                "add the section `search` to the campaign (docs/hyperparameter-search.md)"
            )
        resources = campaign.execution.resources
        publish_model(folder.settings, SearchSettings(search=campaign.search, resources=resources))
    return read_model(SearchSettings, folder.settings)


def deadline_s(element: Element, settings: SearchSettings, job: Job) -> float:
    """When to hand over, by the monotonic clock: in time to write a checkpoint. By hand never."""
    if element.folder is None:
        return math.inf
    walltime_s = settings.resources_for(job).walltime_s
    return STARTED_S + walltime_s - min(HAND_OVER_S, 0.1 * walltime_s)


def _owner(element: Element, settings: SearchSettings) -> Owner:
    begun = time.time() - (time.monotonic() - STARTED_S)
    walltime_s = settings.resources_for("search").walltime_s
    return Owner(
        token=element.folder.root.name if element.folder else None,
        element=element.index,
        job_id=element.job_id,
        process=Process.current(),
        begun=begun,
        ends=begun + walltime_s if element.folder else None,
    )


def _spool(element: Element, origin: int) -> Spool:
    """Of a trial, continued by whoever does it again: so it is one run in MLflow."""
    name = f"{element.arguments.name}-trial-{origin:05d}"
    tags = {
        "stage": "search",
        "search": element.arguments.name,
        "campaign": element.campaign.name,
        "run_id": element.frozen.run_id,
        "code_sha256": element.frozen.code_sha256,
        "job_id": element.job_id,
    }
    return Spool(element.spool / f"{name}.jsonl", name=name, tags=tags)


if __name__ == "__main__":
    with joined(Rank()) as team:
        element.main(partial(work, team), arguments)
