"""Train a finalist of a hyper-parameter search with one seed: the TASK_INDEX-th such training."""

from functools import partial

import torch

from hpc_jobs.contract.facts import FinalistFacts
from hpc_jobs.contract.records import publish_model, read_model
from hpc_jobs.contract.study import Finalists
from hpc_jobs.dataset.dataset import open_dataset
from hpc_jobs.learning.search.final import require_same_records, train_finalist
from hpc_jobs.learning.training.interruption import stop_on_signals
from hpc_jobs.learning.training.team import Team
from hpc_jobs.runtime import element
from hpc_jobs.runtime.element import Element
from hpc_jobs.runtime.ranks import Rank, joined
from hpc_jobs.runtime.search_folder import arguments, folder_of, open_spool, settings_of


def work(team: Team, element: Element) -> FinalistFacts:
    """Train it; a front with fewer networks than the search asks for leaves elements idle."""
    folder, settings, number = folder_of(element), settings_of(element), element.index
    finalists = read_model(Finalists, folder.finalists)
    if number >= len(finalists.trainings):
        return FinalistFacts(idle=True)
    finalist, seed = finalists.trainings[number]
    asked = settings.resources_for("train_finalist")
    torch.set_num_threads(asked.cpus)
    dataset = open_dataset(element.run, element.campaign.training.validation_fraction)
    require_same_records(finalists, dataset)
    with (
        open_spool(element, f"seed-{number:03d}", "final") as spool,
        stop_on_signals(element.deadline_s(asked.walltime_s)) as stop,
        spool.ended(),
    ):
        result = train_finalist(
            finalist,
            seed,
            folder.training(number),
            campaign=element.campaign,
            search=settings.search,
            dataset=dataset,
            spool=spool,
            progress=element.progress,
            stop=stop,
            team=team,
        )
        speed = {"objective/samples_per_s": result.samples_per_s}
        spool.metrics({"objective/error": result.error} | speed, 0)
    publish_model(folder.trained(number), result)
    return FinalistFacts(
        network=result.network,
        seed=result.seed,
        error=result.error,
        samples_per_s=result.samples_per_s,
    )


if __name__ == "__main__":
    with joined(Rank()) as team:
        element.main(partial(work, team), arguments)
