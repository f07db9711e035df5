"""Exported networks answer as eager float32 does, and one that does not is not used."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hpc_jobs.learning.models import runtimes
from hpc_jobs.learning.models.export import export_program
from hpc_jobs.learning.models.inverse_model import InverseModel
from hpc_jobs.learning.models.runtimes import BACKENDS, Disagrees, check_agreement, eager, missing
from hpc_jobs.learning.models.trained_model import load_model

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def model(trained):
    return load_model(trained[0]).module


@pytest.fixture(scope="module")
def strains(trained):
    values = trained[1].specimens.strain_values
    return (0.05 + 0.01 * np.random.default_rng(1).normal(size=(37, values))).astype(np.float32)


# torch.compile takes a minute of compiler here; benchmarks/inference.py runs it
@pytest.mark.parametrize("name", [name for name in BACKENDS if name != "compiled"])
def test_every_backend_answers_as_eager_float32(name, model, strains):
    assert not missing(name)
    predict = BACKENDS[name](model)
    assert check_agreement(model, predict, strains) <= runtimes.AGREEMENT
    np.testing.assert_allclose(predict(strains[:1]), predict(strains)[:1], rtol=1e-4)


def test_a_backend_that_answers_otherwise_is_refused(model, strains):
    right = eager(model)
    with pytest.raises(Disagrees, match=r"differ from eager float32 by up to 0\.01"):
        check_agreement(model, lambda x: right(x) + 0.01 * model.span.numpy(), strains)
    with pytest.raises(Disagrees, match="shape"):
        check_agreement(model, lambda x: right(x)[:, :2], strains)


def test_the_cnn_is_exported_for_any_number_of_records(trained, strains):
    campaign = trained[1]
    spec, scaler = campaign.training.networks[0], load_model(trained[0]).card.scaler
    torch.manual_seed(1)
    cnn = InverseModel(spec, campaign.specimens.strain_shape, scaler, 4)
    torch.nn.init.normal_(cnn.network.inputs.project, std=0.1)
    torch.nn.init.normal_(cnn.network.inputs.vectors, std=0.1)
    torch.nn.init.ones_(cnn.network.inputs.gain)
    assert check_agreement(cnn, BACKENDS["onnxruntime"](cnn), strains) < runtimes.AGREEMENT
    assert eager(cnn)(strains).std(0).min() > 0  # what was compared is not constant


def test_the_exported_program_is_loaded_without_our_code(model, strains, tmp_path):
    path = tmp_path / "network.pt2"
    export_program(model, path)
    program = torch.export.load(path).module()
    with torch.no_grad():
        answer = program(torch.from_numpy(strains)).numpy()
    np.testing.assert_allclose(answer, eager(model)(strains), rtol=1e-5)


def predict(*arguments):
    command = [sys.executable, "-m", "hpc_jobs.jobs.predict", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_files_are_answered(trained, strains, tmp_path):
    folder, campaign = trained
    np.save(tmp_path / "strains.npy", strains)
    done = predict(folder, tmp_path / "strains.npy", "--out", tmp_path / "out.csv")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["record", *campaign.targets, "novelty"] and len(rows) == 38
    np.testing.assert_allclose(
        np.array(rows[1:], dtype=float)[:, 1:-1], load_model(folder).predict(strains), rtol=1e-5
    )


def test_a_file_without_strains_is_named(trained, tmp_path):
    (tmp_path / "x.h5").write_text("no HDF5")
    done = predict(trained[0], tmp_path / "x.h5")
    assert done.returncode != 0
    assert "x.h5: no strains in it" in done.stderr and "Traceback" not in done.stderr
