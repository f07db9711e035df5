"""Opening a run of a campaign: what all later tasks need is decided, checked and put in place here.

Nothing happens on any cluster, nor in MLflow, before the campaign, both clusters' files and all
measurements are known to be good.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from airflow.sdk import get_current_context
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException
from pydantic import ValidationError

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.errors import ConfigurationError, CorruptFile
from hpc_jobs.contract.layout import RunFolder, Workspace
from hpc_jobs.contract.run import RunHandle, Site, SiteHandle
from operators.cluster.errors import WorkspaceRefused
from operators.hooks.hpc import Connect, Session, open_session
from operators.hooks.mlflow import RUN_ID, MlflowHook, find_or_create_run
from operators.runs.campaign_file import differences, flatten, name_run, read_campaign
from operators.runs.code import current_code, ship_code

log = logging.getLogger(__name__)

HANDLE, CODE, FINGERPRINT, CAMPAIGN = "handle", "code.sha256", "campaign.fingerprint", "campaign"
ADDED = "added.id"
"""Tag of the run of a retraining or a validation: <run id>/<its name>."""


def open_run(
    name: str,
    overrides: Mapping[str, Any] | None = None,
    *,
    run_id: str,
    tags: Mapping[str, str] | None = None,
    connect: Connect = open_session,
    mlflow: MlflowHook | None = None,
) -> RunHandle:
    """Open a run, or attach to it if it was opened before; every step may be repeated.

    Raises ConfigurationError before anything remote happens, also if a run of that id holds
    another campaign; ClusterError and TrackingUnavailable when a site does not answer.
    """
    plan = read_campaign(name, overrides)
    mlflow = mlflow or MlflowHook()
    mlflow.require()
    sites = _sites(plan.campaign, connect)
    code = current_code()
    frozen = FrozenCampaign(run_id=run_id, campaign=plan.campaign, code_sha256=code.sha256)
    with connect(sites["cpu"].cluster) as session:
        _freeze(session, folder_of(run_id, sites["cpu"]), frozen)
        ship_code(session, sites["cpu"].workspace, code)
        stage_measurements(session, folder_of(run_id, sites["cpu"]), plan.measurements)
    handle = _handle(frozen, sites)
    return _track(mlflow, handle, frozen, plan.source, dict(tags or {}))


def continue_run(
    run: RunHandle | Mapping[str, Any],
    *,
    connect: Connect = open_session,
    mlflow: MlflowHook | None = None,
) -> RunHandle:
    """Go on with an opened run: its campaign as it was frozen, the code as it is now.

    Measurements that the dags folder has in a newer version are staged again.
    Raises CorruptFile where the run folder is gone or is not that run's.
    """
    known = run if isinstance(run, RunHandle) else RunHandle.model_validate(run)
    mlflow = mlflow or MlflowHook()
    client = mlflow.require()
    site = known.sites["cpu"]
    folder = folder_of(known.run_id, site)
    with connect(site.cluster) as session:
        frozen = read_frozen(session, folder)
        ship_code(session, site.workspace)
        source = Path(conf.get("core", "dags_folder")) / "measurements"
        files = {key: source / f"{key}.h5" for key in frozen.campaign.validation.measurements}
        stage_measurements(session, folder, {key: f for key, f in files.items() if f.is_file()})
    handle = known.model_copy(update={"code_sha256": current_code().sha256})
    client.set_tag(handle.mlflow_run_id, CODE, handle.code_sha256)
    return handle


def find_handle(run_id: str, campaign: str, mlflow: MlflowHook | None = None) -> RunHandle | None:
    """Look a run up in MLflow by its id."""
    mlflow = mlflow or MlflowHook()
    mlflow.require()
    run = mlflow.parent_run(mlflow.experiment(experiment_name(campaign)), run_id)
    text = run.data.tags.get(HANDLE) if run else None
    return RunHandle.model_validate_json(text) if text else None


def completed_runs(
    campaign: str, mlflow: MlflowHook | None = None, most: int = 20
) -> list[tuple[RunHandle, datetime]]:
    """List a campaign's runs that ended well at least once, and when they began, latest first."""
    mlflow = mlflow or MlflowHook()
    client = mlflow.require()
    found = client.search_runs(
        [mlflow.experiment(experiment_name(campaign))],
        f"tags.{HANDLE} != '' and tags.completed = 'true'",
        order_by=["attributes.start_time DESC"],
        max_results=most,
    )
    return [
        (
            RunHandle.model_validate_json(one.data.tags[HANDLE]),
            datetime.fromtimestamp(one.info.start_time / 1000, UTC),
        )
        for one in found
    ]


def own_run(run: RunHandle, name: str, mlflow: MlflowHook | None = None) -> RunHandle:
    """Give what is added to a run later a run of its own in MLflow, below the campaign's.

    So nothing that stands at the campaign's is written over. A retry finds the same by its name.
    """
    client = (mlflow or MlflowHook()).require()
    experiment = client.get_run(run.mlflow_run_id).info.experiment_id
    mark, below = f"{run.run_id}/{name}", run.mlflow_run_id
    own = find_or_create_run(client, experiment, ADDED, mark, name=name, parent=below)
    if own.info.status != "RUNNING":
        client.update_run(own.info.run_id, "RUNNING")
    return run.model_copy(update={"mlflow_run_id": str(own.info.run_id)})


def finish_run(run: RunHandle, *, ok: bool = True, mlflow: MlflowHook | None = None) -> None:
    """Close the campaign's run in MLflow; what is added later are closed children of it."""
    client = (mlflow or MlflowHook()).require()
    if ok:
        client.set_tag(run.mlflow_run_id, "completed", "true")
    client.set_terminated(run.mlflow_run_id, "FINISHED" if ok else "FAILED")


def open_run_task(name: str, overrides: Mapping[str, Any] | None = None) -> RunHandle:
    """Open the run that belongs to the current DAG run.

    A mistake in the campaign fails the task at once: trying again would not mend it.
    """
    context = get_current_context()
    dag_run = context["dag_run"]
    when = dag_run.run_after
    run_id = name_run(name, dag_run.dag_id, dag_run.run_id, when)
    tags = {"dag_id": dag_run.dag_id, "dag_run_id": dag_run.run_id}
    with mistakes_are_final():
        return open_run(name, overrides, run_id=run_id, tags=tags)


def continue_run_task(campaign: str, run_id: str, own: str = "") -> RunHandle:
    """Go on with the run of that id, whose turn it is.

    own: name of a run in MLflow for what is added, below the campaign's.
    """
    known = find_handle(run_id, campaign)
    if known is None:
        raise AirflowFailException(
            f"campaign '{campaign}' has no run '{run_id}' any more; its run in MLflow was deleted"
        )
    with mistakes_are_final():
        handle = continue_run(known)
    return own_run(handle, own) if own else handle


@contextmanager
def mistakes_are_final() -> Iterator[None]:
    """Turn what a retry cannot mend into AirflowFailException, with the full message."""
    try:
        yield
    except (ConfigurationError, CorruptFile, WorkspaceRefused) as error:
        raise AirflowFailException(str(error)) from error


def experiment_name(campaign: str) -> str:
    """Name of the MLflow experiment of all runs of a campaign."""
    return f"material-identification/{campaign}"


def folder_of(run_id: str, site: SiteHandle) -> RunFolder[PurePosixPath]:
    """Folder of a run as that site sees it."""
    return Workspace(PurePosixPath(site.workspace)).run(run_id)


def read_frozen(session: Session, folder: RunFolder[PurePosixPath]) -> FrozenCampaign:
    """Read campaign.json from a cluster; raises CorruptFile."""
    try:
        return FrozenCampaign.model_validate_json(session.read(str(folder.campaign)))
    except FileNotFoundError:
        raise CorruptFile(
            f"{session.cluster}:{folder.campaign}: missing; the workspace has expired or was "
            "released; restore it as the site does (ws_restore has it for some days), or trigger "
            "hybrid_campaign, which opens a new run"
        ) from None
    except ValidationError as error:
        raise CorruptFile(
            f"{session.cluster}:{folder.campaign}: not a campaign of this version: "
            f"{error.errors()[0]['msg']}"
        ) from None


def stage_measurements(
    session: Session, folder: RunFolder[PurePosixPath], files: Mapping[str, Path]
) -> None:
    """Copy measurements into the run folder; those already there in this version stay.

    The picture of an import, NAME.png beside NAME.h5, goes with it.
    """
    pairs = [(folder.measurement(name), file) for name, file in files.items()]
    pictures = {name: file.with_suffix(".png") for name, file in files.items()}
    pairs += [(folder.picture(name), file) for name, file in pictures.items() if file.is_file()]
    for path, file in pairs:
        target, content = str(path), file.read_bytes()
        if not session.exists(target) or session.read(target) != content:
            session.write(target, content)


def _sites(campaign: Campaign, connect: Connect) -> dict[Site, SiteHandle]:
    """Allocate the workspace on the CPU cluster and look it up from the GPU cluster."""
    execution = campaign.execution
    with connect(execution.cpu_cluster) as session:
        here = session.workspaces.allocate(execution.workspace, execution.workspace_days)
    with connect(execution.gpu_cluster) as session:
        there = session.workspaces.find(execution.workspace)
    if there is None:
        raise ConfigurationError(
            f"execution.workspace is '{execution.workspace}': cluster '{execution.cpu_cluster}' "
            f"has it at {here}, but cluster '{execution.gpu_cluster}' does not see it; give two "
            "clusters that share a filesystem"
        )
    return {
        "cpu": SiteHandle(cluster=execution.cpu_cluster, workspace=here),
        "gpu": SiteHandle(cluster=execution.gpu_cluster, workspace=there),
    }


def _freeze(session: Session, folder: RunFolder[PurePosixPath], frozen: FrozenCampaign) -> None:
    """Write campaign.json, once: a run never changes its campaign."""
    if not session.exists(str(folder.campaign)):
        session.write(str(folder.campaign), (frozen.model_dump_json(indent=1) + "\n").encode())
        return
    before = read_frozen(session, folder)
    if before.campaign != frozen.campaign:
        changed = ", ".join(differences(before.campaign, frozen.campaign))
        raise ConfigurationError(
            f"run {frozen.run_id} was opened with another campaign ({changed} changed); "
            "trigger a new run, or put the campaign back"
        )
    if before.code_sha256 != frozen.code_sha256:
        log.warning(
            "run %s was opened with code %.12s; going on with %.12s",
            frozen.run_id,
            before.code_sha256,
            frozen.code_sha256,
        )


def _handle(frozen: FrozenCampaign, sites: dict[Site, SiteHandle]) -> RunHandle:
    execution, validation = frozen.campaign.execution, frozen.campaign.validation
    return RunHandle(
        run_id=frozen.run_id,
        campaign=frozen.campaign.name,
        code_sha256=frozen.code_sha256,
        sites=sites,
        networks=len(frozen.campaign.training.trainings),
        epochs=frozen.campaign.training.planned_epochs,
        committees=len(frozen.campaign.training.committees),
        measurements=len(validation.measurements),
        outside=len(validation.measurements) if validation.outside else 0,
        resources=execution.resources,
        allowed_loss=execution.allowed_loss,
        tries_per_element=execution.tries_per_element,
        budget_core_hours=execution.budget_core_hours,
        mlflow_experiment=experiment_name(frozen.campaign.name),
        mlflow_run_id="",
    )


def _track(
    mlflow: MlflowHook,
    handle: RunHandle,
    frozen: FrozenCampaign,
    source: Path,
    tags: dict[str, str],
) -> RunHandle:
    """Make or find the parent run in MLflow and describe the campaign there."""
    from mlflow.entities import Param, RunTag

    client = mlflow.client
    experiment = mlflow.experiment(handle.mlflow_experiment)
    mlflow.name_kind(experiment)
    run = find_or_create_run(client, experiment, RUN_ID, handle.run_id, name=handle.run_id)
    mlflow_run_id = run.info.run_id
    if run.info.status != "RUNNING":
        client.update_run(mlflow_run_id, "RUNNING")
    handle = handle.model_copy(update={"mlflow_run_id": mlflow_run_id})
    tags |= {
        CAMPAIGN: handle.campaign,
        FINGERPRINT: frozen.campaign.fingerprint,
        CODE: handle.code_sha256,
        HANDLE: handle.model_dump_json(),
    }
    known = run.data.params
    params = [Param(k, v[:5000]) for k, v in flatten(frozen.campaign).items() if k not in known]
    client.log_batch(mlflow_run_id, params=params[:100], tags=[RunTag(*t) for t in tags.items()])
    client.log_text(mlflow_run_id, frozen.model_dump_json(indent=1), "campaign/campaign.json")
    client.log_text(mlflow_run_id, source.read_text(), f"campaign/{source.name}")
    return handle
