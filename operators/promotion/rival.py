"""Against whom a challenger stands, and where that network lies for the job that asks both.

A champion outlives the run that it came from: workspaces expire, MLflow does not. Where its folder
is gone, or lies in another workspace, MLflow's copy of it is put beside the runs, verified.
"""

import hashlib
import logging
import tempfile
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from hpc_jobs.contract.layout import Workspace
from hpc_jobs.contract.records import Manifest
from hpc_jobs.contract.report import Rival
from hpc_jobs.contract.run import RunHandle
from operators.hooks.hpc import Connect, Session, open_session
from operators.hooks.mlflow import MlflowHook, literal
from operators.promotion.registry import CHAMPION, IDENTITY, MODEL, by_alias, registered_name
from operators.runs.run import HANDLE

log = logging.getLogger(__name__)
MANIFEST = "manifest.json"
PACKED = "artifacts/model"
"""Where the packaging puts a network's folder in MLflow's model."""


def find_rival(
    run: RunHandle, *, connect: Connect = open_session, mlflow: MlflowHook | None = None
) -> Rival:
    """Look up the champion that a challenger of this run stands against; may be repeated.

    If MLflow has no whole copy of a champion whose folder is gone, nothing is put anywhere, and the
    gate will say that the two cannot be compared.
    """
    mlflow = mlflow or MlflowHook()
    found = by_alias(mlflow.require(), registered_name(run.campaign), CHAMPION)
    if found is None:
        return Rival()
    tags = found.tags
    theirs = RunHandle.model_validate_json(tags[HANDLE])
    rival = Rival(run_id=theirs.run_id, model=tags[MODEL], sha256=tags[IDENTITY])
    site = run.sites["gpu"]
    workspace = Workspace(PurePosixPath(site.workspace))
    kept = workspace.champion(rival.sha256) / rival.model
    with connect(site.cluster) as session:
        own = workspace.run(rival.run_id).model(rival.model)
        if _is_whole(session, own) or _is_whole(session, kept):
            return rival
        with tempfile.TemporaryDirectory() as scratch:
            files = _packaged(mlflow, str(found.run_id), rival.sha256, Path(scratch))
            if not files:
                log.warning("champion %s: MLflow has no whole copy of it", found.version)
            else:
                _put(session, kept, files)
                log.info("champion %s: its folder is gone; MLflow's copy serves", found.version)
    return rival


def _is_whole(session: Session, folder: PurePosixPath) -> bool:
    """Whether a network's manifest is there, and every file that it names."""
    if not session.exists(str(folder / MANIFEST)):
        return False
    try:
        manifest = Manifest.model_validate_json(session.read(str(folder / MANIFEST)))
    except ValidationError:
        return False
    return all(session.exists(str(folder / one.path)) for one in manifest.files)


def _packaged(mlflow: MlflowHook, training: str, sha256: str, scratch: Path) -> dict[str, bytes]:
    """Files of a network as it was registered, its manifest last; none if they are not all there.

    training: MLflow's run of it. sha256: of its manifest.
    """
    from mlflow import artifacts
    from mlflow.exceptions import MlflowException

    try:
        experiment = mlflow.client.get_run(training).info.experiment_id
        same = f"tags.`{IDENTITY}` = '{literal(sha256)}'"
        logged = mlflow.client.search_logged_models([experiment], same)
        if not logged:
            return {}
        # By its place: MLflow looks an address `models:/...` up where the environment says
        fetched = artifacts.download_artifacts(
            artifact_uri=f"{logged[0].artifact_location}/{PACKED}",
            dst_path=str(scratch),
            tracking_uri=mlflow.tracking_uri,
        )
        folder = Path(fetched)
        content = (folder / MANIFEST).read_bytes()
        manifest = Manifest.model_validate_json(content)
        files = {one.path: (folder / one.path).read_bytes() for one in manifest.files}
    except (MlflowException, OSError, ValidationError) as error:
        log.warning("the model of run %s: %s", training, error)
        return {}
    vouched = {one.path: one.sha256 for one in manifest.files} | {MANIFEST: sha256}
    files[MANIFEST] = content
    whole = all(hashlib.sha256(data).hexdigest() == vouched[path] for path, data in files.items())
    return files if whole else {}


def _put(session: Session, folder: PurePosixPath, files: dict[str, bytes]) -> None:
    for path, content in files.items():
        session.write(str(folder / path), content)
