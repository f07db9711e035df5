"""A published network in MLflow answers as it does at home, and is logged without torch."""

import subprocess
import sys

import mlflow
import numpy as np
import pytest

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.learning.predict import load_model
from hpc_jobs.tracking.pyfunc import pyfunc_arguments

SAVE = """
import sys
from pathlib import Path
import mlflow
from hpc_jobs.tracking.pyfunc import pyfunc_arguments
mlflow.pyfunc.save_model(path=sys.argv[2], **pyfunc_arguments(Path(sys.argv[1])))
assert "torch" not in sys.modules, "logging a model imported torch"
"""


def test_saved_without_torch_and_loaded_it_answers_the_same(trained, tmp_path):
    folder, campaign = trained
    saved = tmp_path / "saved"
    done = subprocess.run(
        [sys.executable, "-c", SAVE, str(folder), str(saved)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert not list(saved.rglob("*.pkl"))
    model = mlflow.pyfunc.load_model(str(saved))
    rng = np.random.default_rng(3)
    strains = 0.05 + 0.01 * rng.normal(size=(3, campaign.specimens.strain_values))
    np.testing.assert_array_equal(model.predict(strains), load_model(folder).predict(strains))
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, strains.shape[1])
    assert model.input_example.shape == (2, strains.shape[1])
    assert model.metadata.metadata["targets"] == list(campaign.targets)


def test_an_altered_folder_is_not_logged(trained_copy):
    (trained_copy / "model.json").write_text("{}")
    with pytest.raises(CorruptFile, match=r"model\.json: 2 bytes"):
        pyfunc_arguments(trained_copy)
