"""A trained network as an MLflow model "from code": raw strains in, physical parameters out.

The control host only packs files; torch is imported by whoever loads the model. By hand:

    folder = <a local copy of models/<name>, with every file that its manifest lists>
    mlflow.pyfunc.log_model(**pyfunc_arguments(folder), name=..., registered_model_name=...)

`mlflow.pyfunc.load_model(uri).predict(x)` then takes raw strains (n, strain_values) and answers
physical targets (n, targets) in the order of the campaign. A network that was trained with forces
takes {"strains": ..., "forces": (n, force_values) in N}. The signature has no inputs: a tensor's
type there is enforced to the bit, so that shards, which hold float32, would be refused, and no
words of ours could say why. What is asked for stands in the metadata, `inputs`. With
params={"intervals": True} it answers a table: of each target the answer and the ends of its
interval, the novelty, and a reason where the record is unlike all training records. Such a
record's answer is NaN in either form.
"""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hpc_jobs
from hpc_jobs.contract.records import read_manifest
from operators.hooks.mlflow import literal

if TYPE_CHECKING:
    from mlflow import MlflowClient

REQUIREMENTS = ("pydantic>=2.12", "PyYAML>=6", "numpy", "scipy", "h5py", "torch==2.13.0")
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
    same = f"tags.`{key}` = '{literal(value)}'"
    found = client.search_logged_models([run.info.experiment_id], same)
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


def layout_of(folder: Path) -> str:
    """Say in Markdown what a model takes and answers: for the registry, where people look first."""
    card = json.loads((folder / "model.json").read_text())
    components, specimens, patches, times = card["strain_shape"]
    takes = [
        f"- `strains`: (n, {components * specimens * patches * times}), raw, in C order of "
        f"[component, specimen, patch, time] = {card['strain_shape']}; components are those of the "
        "campaign's strain fields, patches and times those of its specimens"
    ]
    example = json.loads((folder / "input_example.json").read_text())
    for name in sorted(example.keys() - {"strains"}) if isinstance(example, dict) else ():
        order = f", N, in C order of [specimen, time] = {[specimens, times]}"
        if name == "known":
            told, beside = card["given"]["names"], card["given"]["displacements"]
            deviations = ["their standard deviations (infinite: not known)"] if told else []
            order = ": " + ", ".join([*told, *deviations, *beside])
        takes.append(f"- `{name}`: (n, {len(example[name][0])}){order}")
    answers = ", ".join(card["scaler"]["targets"])
    return "\n".join(
        [
            "Identifies a sheet's parameters from strains (a network; records unlike its training "
            "are answered with NaN).",
            "",
            "Takes, by name where there are forces, else the strains alone:",
            *takes,
            "",
            f"Answers (n, {len(card['scaler']['targets'])}): {answers}. With the parameter "
            "`intervals` a table: answer, lower and upper end of each, novelty, reason.",
        ]
    )


def pyfunc_arguments(folder: Path) -> dict[str, Any]:
    """Keyword arguments of mlflow.pyfunc.log_model and save_model for a model folder.

    Raises CorruptFile if the folder is incomplete or altered.
    """
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

    manifest = read_manifest(folder / "manifest.json", "model")
    stored = json.loads((folder / "input_example.json").read_text())
    named = stored if isinstance(stored, dict) else {None: stored}  # by name if there are forces
    examples = {name: np.array(values) for name, values in named.items()}
    card = json.loads((folder / "model.json").read_text())
    targets = [ColSpec(DataType.double, name) for name in card["scaler"]["targets"]]
    package = Path(hpc_jobs.__file__).parent
    return {
        "python_model": package / "learning" / "models" / "mlflow_model.py",
        "artifacts": {"model": str(folder)},
        "code_paths": [str(package)],
        "signature": ModelSignature(
            outputs=Schema([*targets]),
            params=ParamSchema([ParamSpec("intervals", DataType.boolean, False)]),
        ),
        "input_example": examples.get(None, examples),
        "pip_requirements": list(REQUIREMENTS),
        "metadata": {
            "inputs": {name or "strains": [-1, one.shape[1]] for name, one in examples.items()},
            "targets": card["scaler"]["targets"],
            "interval_level": card["calibration"]["level"],
            **manifest.facts,
        },
    }
