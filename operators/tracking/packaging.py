"""A trained network as an MLflow model "from code": raw strains in, physical parameters out.

The control host only packs files; torch is imported by whoever loads the model.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from operators.hooks.mlflow import literal
from operators.tracking.pyfunc import pyfunc_arguments

if TYPE_CHECKING:
    from mlflow import MlflowClient

Tag = tuple[str, str]


def package_model(
    client: "MlflowClient", mlflow_run_id: str, name: str, folder: Path, tag: Tag
) -> str:
    """Log a model's folder below a run; returns the id of the logged model, READY to be served.

    The tag identifies it: what was logged with it before, whole or in part, is taken up.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    run = client.get_run(mlflow_run_id)
    key, value = tag
    found = client.search_logged_models([run.info.experiment_id], f"tags.`{key}` = '{literal(value)}'")
    model = (
        found[0]
        if found
        else client.create_logged_model(run.info.experiment_id, name, mlflow_run_id, dict([tag]))
    )
    if model.status != LoggedModelStatus.READY:
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "model"
            _save(path, folder, model.model_id, mlflow_run_id)
            client.log_model_artifacts(model.model_id, str(path))
        client.log_outputs(mlflow_run_id, [LoggedModelOutput(model.model_id, step=0)])
        client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return str(model.model_id)


def _save(path: Path, folder: Path, model_id: str, mlflow_run_id: str) -> None:
    import mlflow.pyfunc
    from mlflow.models import Model

    model = Model(run_id=mlflow_run_id, model_uuid=model_id, model_id=model_id)
    mlflow.pyfunc.save_model(path, mlflow_model=model, **pyfunc_arguments(folder))
