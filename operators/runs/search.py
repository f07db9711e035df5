"""Opening a hyper-parameter search in a campaign's run: its settings, its run in MLflow.

The campaign of a run is frozen; what is searched is not part of it. It comes from the campaign's
file as it is now, and is frozen in the search's own folder.
"""

import logging
from collections.abc import Mapping
from typing import Any

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.execution import Job
from hpc_jobs.contract.loading import parse
from hpc_jobs.contract.report import SearchPlan
from hpc_jobs.contract.run import RunHandle
from hpc_jobs.contract.search import Search
from hpc_jobs.contract.study import SearchSettings
from operators.hooks.hpc import Connect, open_session
from operators.hooks.mlflow import MlflowHook, find_or_create_run
from operators.runs.campaign_file import read_campaign
from operators.runs.run import folder_of, mistakes_are_final, read_frozen

log = logging.getLogger(__name__)

SEARCH = "search.id"
"""Tag of a search's run in MLflow: <run id>/<name>."""
JOBS: tuple[Job, ...] = ("search", "train_finalist", "choose_network")


def open_search(
    run: RunHandle,
    name: str,
    overrides: Mapping[str, Any] | None = None,
    mlflow: MlflowHook | None = None,
    connect: Connect = open_session,
) -> SearchPlan:
    """Freeze what is searched, and make the study's run in MLflow; may be repeated.

    overrides: of the campaign's section `search`. Raises ConfigurationError before anything remote
    happens.
    """
    changed = {"search": dict(overrides)} if overrides else None
    planned = read_campaign(run.campaign, changed).campaign
    if planned.search is None:
        raise ConfigurationError(
            f"campaign {run.campaign} has no section `search`; add one "
            "(docs/hyperparameter-search.md)"
        )
    site = run.sites["gpu"]
    folder = folder_of(run.run_id, site)
    with connect(site.cluster) as session:
        _require_fit(read_frozen(session, folder).campaign, planned.search)
        settings = SearchSettings(search=planned.search, resources=planned.execution.resources)
        path = str(folder.search(name).settings)
        if session.exists(path):  # a try before this one has frozen it
            settings = SearchSettings.model_validate_json(session.read(path))
        else:
            session.write(path, (settings.model_dump_json(indent=1) + "\n").encode())
    found = {job: settings.resources_for(job) for job in JOBS}
    handle = run.model_copy(update={"resources": {**run.resources, **found}})
    study = _track(handle, name, settings.search, mlflow or MlflowHook())
    return SearchPlan(
        run=handle,
        study=study,
        name=name,
        workers=settings.search.workers,
        trainings=settings.search.trainings,
    )


def open_search_task(run: RunHandle, name: str, overrides: Mapping[str, Any]) -> SearchPlan:
    """Open the search of the current DAG run; a mistake fails the task at once."""
    with mistakes_are_final():
        return open_search(run, name, overrides)


def _require_fit(frozen: Campaign, search: Search) -> None:
    """Raise ConfigurationError unless the run's campaign could be searched so."""
    document = frozen.model_dump(mode="json") | {"search": search.model_dump(mode="json")}
    parse(Campaign, document, source=f"the frozen campaign {frozen.name}")


def _track(run: RunHandle, name: str, search: Search, mlflow: MlflowHook) -> RunHandle:
    """Make or find the study's run, below the campaign's."""
    from mlflow.entities import Param, RunTag

    client = mlflow.require()
    experiment = client.get_run(run.mlflow_run_id).info.experiment_id
    mark = f"{run.run_id}/{name}"
    title, below = f"search-{name}", run.mlflow_run_id
    study = find_or_create_run(client, experiment, SEARCH, mark, name=title, parent=below)
    if study.info.status != "RUNNING":
        client.update_run(study.info.run_id, "RUNNING")
    said = search.model_dump(mode="json", exclude={"space"})
    params = [Param(key, str(value)) for key, value in said.items()]
    client.log_batch(study.info.run_id, params=params, tags=[RunTag("stage", "search")])
    client.log_text(study.info.run_id, search.model_dump_json(indent=1), "search.json")
    return run.model_copy(update={"mlflow_run_id": study.info.run_id})
