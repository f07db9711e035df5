"""Work on a hyper-parameter search: element TASK_INDEX is one of its workers.

The search is the campaign's, or what search/<name>/search.json says; the workers share a journal.
"""

import time
from functools import partial

import torch

from hpc_jobs.contract.facts import SearchFacts
from hpc_jobs.contract.study import SearchSettings
from hpc_jobs.dataset.dataset import open_dataset
from hpc_jobs.learning.search.finalists import name_finalists
from hpc_jobs.learning.search.owner import NodeProcess, Owner
from hpc_jobs.learning.search.study import open_study
from hpc_jobs.learning.search.worker import Worker
from hpc_jobs.learning.training.interruption import stop_on_signals
from hpc_jobs.learning.training.team import Team
from hpc_jobs.runtime import element
from hpc_jobs.runtime.element import STARTED_S, Element
from hpc_jobs.runtime.ranks import Rank, joined
from hpc_jobs.runtime.search_folder import (
    arguments,
    folder_of,
    open_spool,
    settings_of,
)


def work(team: Team, element: Element) -> SearchFacts:
    """Work until the study is complete; whoever sees that first names the finalists."""
    folder, settings = folder_of(element), settings_of(element)
    campaign, search = element.campaign, settings.search
    asked = settings.resources_for("search")
    torch.set_num_threads(asked.cpus)
    dataset = open_dataset(element.run, campaign.training.validation_fraction)
    study = open_study(folder, campaign, search, dataset)
    with stop_on_signals(element.deadline_s(asked.walltime_s)) as stop:
        mine = Worker(
            run=element.run,
            folder=folder,
            campaign=campaign,
            search=search,
            dataset=dataset,
            study=study,
            owner=_owner(element, settings),
            spool=lambda origin: open_spool(element, f"trial-{origin:05d}", "search"),
            progress=element.progress,
            stop=stop,
            team=team,
        ).work()
    name_finalists(element.run, folder, campaign, search, dataset, study)
    return SearchFacts(completed=mine, trials=study.complete)


def _owner(element: Element, settings: SearchSettings) -> Owner:
    begun = time.time() - (time.monotonic() - STARTED_S)
    walltime_s = settings.resources_for("search").walltime_s
    return Owner(
        token=element.folder.root.name if element.folder else None,
        element=element.index,
        job_id=element.job_id,
        process=NodeProcess.current(),
        begun=begun,
        ends=begun + walltime_s if element.folder else None,
    )


if __name__ == "__main__":
    with joined(Rank()) as team:
        element.main(partial(work, team), arguments)
