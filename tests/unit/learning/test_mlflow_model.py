"""A published network in MLflow answers as it does at home, and is logged without torch."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import mlflow
import numpy as np
import pytest

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.learning.models.trained_model import load_model
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


@pytest.fixture
def server(trained, tmp_path):
    """The address of `mlflow models serve` with the trained network."""
    saved = tmp_path / "saved"
    mlflow.pyfunc.save_model(path=str(saved), **pyfunc_arguments(trained[0]))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(saved)]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    log = (tmp_path / "serve.log").open("w")
    process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        yield f"http://127.0.0.1:{port}", process, tmp_path / "serve.log"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
        log.close()


def test_a_served_model_answers_a_request(trained, server):
    address, process, log = server
    deadline = time.monotonic() + 120
    while True:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
        try:
            if httpx.get(f"{address}/ping", timeout=5).status_code == 200:
                break
        except httpx.TransportError:
            time.sleep(0.3)
    strains = json.loads((trained[0] / "input_example.json").read_text())
    reply = httpx.post(f"{address}/invocations", json={"inputs": strains}, timeout=60)
    assert reply.status_code == 200, reply.text
    expected = load_model(trained[0]).predict(strains)
    np.testing.assert_allclose(reply.json()["predictions"], expected, rtol=1e-6)
    refused = httpx.post(f"{address}/invocations", json={"inputs": [[0.1, 0.2]]}, timeout=60)
    assert refused.status_code >= 400
