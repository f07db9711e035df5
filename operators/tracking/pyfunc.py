"""What MLflow must be told to log a published network; torch is not needed for it.

    folder = <a local copy of models/<name>, with every file that its manifest lists>
    mlflow.pyfunc.log_model(**pyfunc_arguments(folder), name=..., registered_model_name=...)

`mlflow.pyfunc.load_model(uri).predict(x)` then takes raw strains (n, strain_values), float64, and
answers physical targets (n, targets) in the order of the campaign. A network that was trained with
forces takes {"strains": ..., "forces": (n, force_values) in N}. With params={"intervals": True} it
answers a table: of each target the answer and the ends of its interval, the novelty, and whether
the record is too novel to be believed.
"""

import json
from pathlib import Path
from typing import Any

import hpc_jobs
from hpc_jobs.contract.records import read_manifest

REQUIREMENTS = ("pydantic>=2.12", "PyYAML>=6", "numpy", "scipy", "h5py", "torch==2.13.0")


def pyfunc_arguments(folder: Path) -> dict[str, Any]:
    """Keyword arguments of mlflow.pyfunc.log_model and save_model for a model folder.

    Raises CorruptFile if the folder is incomplete or altered.
    """
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import DataType, ParamSchema, ParamSpec, Schema, TensorSpec

    manifest = read_manifest(folder / "manifest.json", "model")
    stored = json.loads((folder / "input_example.json").read_text())
    named = stored if isinstance(stored, dict) else {None: stored}  # by name if there are forces
    examples = {name: np.array(values) for name, values in named.items()}
    card = json.loads((folder / "model.json").read_text())
    float64 = np.dtype(np.float64)
    targets = len(card["scaler"]["targets"])
    package = Path(hpc_jobs.__file__).parent
    return {
        "python_model": package / "learning" / "models" / "mlflow_model.py",
        "artifacts": {"model": str(folder)},
        "code_paths": [str(package)],
        "signature": ModelSignature(
            inputs=Schema(
                [
                    TensorSpec(float64, (-1, values.shape[1]), name)
                    for name, values in examples.items()
                ]
            ),
            outputs=Schema([TensorSpec(float64, (-1, targets))]),
            params=ParamSchema([ParamSpec("intervals", DataType.boolean, False)]),
        ),
        "input_example": examples.get(None, examples),
        "pip_requirements": list(REQUIREMENTS),
        "metadata": {
            "targets": card["scaler"]["targets"],
            "interval_level": card["calibration"]["level"],
            **manifest.facts,
        },
    }
