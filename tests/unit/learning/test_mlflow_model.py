"""A published network in MLflow answers as it does at home, and is logged without torch."""

import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import h5py
import httpx
import mlflow
import numpy as np
import pandas as pd
import pytest

from hpc_jobs.contract.errors import BadInput, CorruptFile
from hpc_jobs.learning.models.trained_model import load_model
from operators.tracking.packaging import pyfunc_arguments
from tests.clusters.ports import claim_ports
from tests.harness.waiting import PATIENCE_S, wait_until
from tests.unit.learning.records import solve

SAVE = """
import sys
from pathlib import Path
import mlflow
from operators.tracking.packaging import pyfunc_arguments
from tests.unit.learning.records import solve
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
    known = load_model(folder)
    expected = np.where(
        (known.novelty(strains) > known.novelty_limit)[:, None], np.nan, known.predict(strains)
    )
    np.testing.assert_array_equal(quietly(model, strains), expected)
    assert model.metadata.metadata["inputs"] == {"strains": [-1, strains.shape[1]]}
    assert model.input_example.shape == (2, strains.shape[1])
    assert model.metadata.metadata["targets"] == list(campaign.targets)
    assert model.metadata.metadata["interval_level"] == 0.9


def quietly(model, strains):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return model.predict(strains)


def test_what_is_unlike_the_training_is_not_answered_and_not_passed_over(trained, tmp_path):
    folder, campaign = trained
    mlflow.pyfunc.save_model(path=str(tmp_path / "saved"), **pyfunc_arguments(folder))
    served = mlflow.pyfunc.load_model(str(tmp_path / "saved"))
    own = solve(np.full((1, 8), 1.02), campaign.specimens.strain_values)
    strains = np.vstack([own, np.zeros_like(own)])
    with pytest.warns(
        UserWarning, match=r"1 of 2 records are not answered \(NaN\): record 1 is un"
    ):
        answers = served.predict(strains)
    assert np.isfinite(answers[0]).all() and np.isnan(answers[1]).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(served.predict(own)).all()


def test_asked_for_intervals_it_answers_a_table_that_hides_no_stranger(trained, tmp_path):
    folder, campaign = trained
    mlflow.pyfunc.save_model(path=str(tmp_path / "saved"), **pyfunc_arguments(folder))
    served, known = mlflow.pyfunc.load_model(str(tmp_path / "saved")), load_model(folder)
    own = solve(np.full((1, 8), 1.02), campaign.specimens.strain_values)
    strains = np.vstack([own, own + np.sin(np.arange(own.shape[1])) * 0.02])
    table = served.predict(strains, params={"intervals": True})
    ends = [f"{target}{end}" for target in campaign.targets for end in ("", "_low", "_high")]
    assert list(table) == [*ends, "novelty", "reason"]
    low, high = known.intervals(strains)
    np.testing.assert_array_equal(table[list(campaign.targets)][:1], known.predict(strains)[:1])
    assert (table["MP3_low"][0], table["MP8_high"][0]) == (low[0, 2], high[0, 7])
    assert table[ends].iloc[1].isna().all() and table["novelty"][1] > 1
    assert table["reason"][0] == "" and "unlike all training records" in table["reason"][1]
    assert isinstance(served.predict(own, params={"intervals": False}), np.ndarray)


@pytest.fixture(scope="module")
def served(trained, tmp_path_factory):
    saved = tmp_path_factory.mktemp("served") / "model"
    mlflow.pyfunc.save_model(path=str(saved), **pyfunc_arguments(trained[0]))
    return mlflow.pyfunc.load_model(str(saved))


AS_WRITTEN = {
    "a shard's float32": lambda strains: strains.astype(np.float32),
    "lists": lambda strains: strains.tolist(),
    "a single record": lambda strains: strains[0],
    "by name": lambda strains: {"strains": strains},
    "by a name in capitals": lambda strains: {" Strain ": strains.astype(np.float32)},
    "a table": pd.DataFrame,
    "a table of named columns": lambda strains: pd.DataFrame(strains).rename(columns="e{}".format),
    "a table of lists": lambda strains: pd.DataFrame({"strains": strains.tolist()}),
}


@pytest.mark.parametrize("written", AS_WRITTEN.values(), ids=AS_WRITTEN.keys())
def test_it_is_asked_as_people_write_it(trained, served, written):
    strains = solve(np.full((2, 8), 1.02), trained[1].specimens.strain_values)
    answers = served.predict(written(strains))
    expected = load_model(trained[0]).predict(strains)[: len(answers)]
    np.testing.assert_allclose(answers, expected, rtol=1e-5)


def test_a_shard_is_answered_as_it_lies_on_disk(trained, served, tmp_path):
    strains = solve(np.full((2, 8), 1.02), trained[1].specimens.strain_values)
    with h5py.File(tmp_path / "shard.h5", "w") as file:
        file["strains"] = strains.astype(np.float32)
        answers = served.predict(file["strains"][:])
    np.testing.assert_allclose(answers, load_model(trained[0]).predict(strains), rtol=1e-5)


REFUSED = {
    "too few": (np.zeros((2, 7)), "strains have shape \\(2, 7\\); .* takes \\(records, "),
    "another name": ({"exx": np.zeros((2, 7))}, "^'exx' is nothing that a network takes; give str"),
    "no strains": ({"forces": np.ones((1, 3))}, "^no strains among forces; give strains$"),
    "twice": ({"strain": [[1.0]], "strains": [[1.0]]}, "'strains' is given twice"),
    "text": ([["a", "b"]], "strains are of type .*, not numbers"),
    "null": ({"strains": None}, "^no strains among strains; give strains$"),
    "masked": (np.ma.masked_array(np.ones((1, 7)), mask=np.eye(1, 7)), "^strains are masked in pl"),
    "ragged": ([[1.0, 2.0], [1.0]], "^strains are no table: rows differ in length; give equal"),
}


@pytest.mark.parametrize(("given", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_it_cannot_read_is_refused_in_one_sentence(served, given, words):
    with pytest.raises(BadInput, match=words) as refused:
        served.predict(given)
    assert len(str(refused.value)) < 250


def test_an_altered_folder_is_not_logged(trained_copy):
    (trained_copy / "model.json").write_text("{}")
    with pytest.raises(CorruptFile, match=r"model\.json: 2 bytes"):
        pyfunc_arguments(trained_copy)


@pytest.fixture
def server(trained, tmp_path):
    """The address of `mlflow models serve` with the trained network."""
    saved = tmp_path / "saved"
    mlflow.pyfunc.save_model(path=str(saved), **pyfunc_arguments(trained[0]))
    (port,) = claim_ports(1)
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(saved)]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    log = (tmp_path / "serve.log").open("w")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # of uvicorn
    process = subprocess.Popen(
        command, stdout=log, stderr=log, start_new_session=True, env=os.environ | {"PATH": path}
    )
    try:
        yield f"http://127.0.0.1:{port}", process, tmp_path / "serve.log"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(PATIENCE_S)
        log.close()


def test_a_served_model_answers_a_request(trained, server):
    address, process, log = server

    def answers() -> bool:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            return httpx.get(f"{address}/ping", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    wait_until(answers, what="the served model answers")
    strains = json.loads((trained[0] / "input_example.json").read_text())

    def ask(request: dict[str, object]) -> httpx.Response:
        there = f"{address}/invocations"
        return httpx.post(there, json=request, timeout=PATIENCE_S, trust_env=False)

    reply = ask({"inputs": strains})
    assert reply.status_code == 200, reply.text
    expected = load_model(trained[0]).predict(strains)
    np.testing.assert_allclose(reply.json()["predictions"], expected, rtol=1e-6)
    wanted = {"inputs": strains, "params": {"intervals": True}}
    reply = ask(wanted)
    assert reply.status_code == 200, reply.text
    low, high = load_model(trained[0]).intervals(strains)
    for row, record in enumerate(reply.json()["predictions"]):
        found = [record["MP1_low"], record["MP1"], record["MP1_high"]]
        np.testing.assert_allclose(found, [low[row, 0], expected[row, 0], high[row, 0]], rtol=1e-6)
        assert bool(record["reason"]) is (record["novelty"] > 1)
    refused = ask({"inputs": [[0.1, 0.2]]})
    assert refused.status_code >= 400
