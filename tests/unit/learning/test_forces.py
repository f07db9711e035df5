"""A network that takes the measured forces, too: asked with them, served, or refused."""

import h5py
import mlflow
import numpy as np
import pytest

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.learning.models.answers import answered, withhold
from hpc_jobs.learning.models.trained_model import load_model
from hpc_jobs.learning.training.experiment import train_network
from hpc_jobs.tools import predict
from hpc_jobs.tracking.spool import Spool
from operators.tracking.packaging import pyfunc_arguments
from tests.unit.learning.records import campaign_of, fill_round, pull, solve


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A published network, trained with forces."""
    network = {"kind": "mlp", "hidden": [32], "components": 16, "forces": True}
    campaign = campaign_of(networks=[network], epochs=20, learning_rate=5e-3)
    run = RunFolder(tmp_path_factory.mktemp("with forces"))
    fill_round(run, campaign)
    publish_dataset(run, campaign)
    with Spool(run.root / "spool.jsonl", name="m") as spool:
        train_network(
            run,
            campaign,
            campaign.training.networks[0],
            "m",
            spool=spool,
            progress=lambda *_: None,
            stop=lambda: False,
        )
    return run.model("m")


@pytest.fixture(scope="module")
def model(folder):
    return load_model(folder)


@pytest.fixture(scope="module")
def records(model):
    """(6, strain_values) and (6, force_values) of sheets that were not trained on."""
    truth = np.random.default_rng(5).uniform(0.92, 1.08, (6, 8))
    return solve(truth, model.strain_values), pull(truth, model.card.force_values)


def test_both_are_looked_at(model, records):
    strains, forces = records
    answers = model.predict(strains, forces)
    assert answers.shape == (6, 8) and answers.min() > 0.5 and answers.max() < 1.5
    assert np.abs(model.predict(strains, 1.02 * forces) - answers).max() > 1e-3
    assert np.abs(model.predict(strains[::-1], forces) - answers).max() > 1e-3
    np.testing.assert_allclose(model.predict(strains[2:3], forces[2:3]), answers[2:3], atol=1e-6)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda forces: None, r"m was trained with forces and was given none; give \(6, 15\)"),
        (lambda forces: forces[:, 1:], r"forces have shape \(6, 14\); m takes \(6, 15\) in N"),
        (lambda forces: forces[:5], r"forces have shape \(5, 15\)"),
        (lambda forces: np.where(np.arange(15) == 3, np.nan, forces), "record 0 .6 of 6.* nan N"),
        (lambda forces: forces * (np.arange(6) != 4)[:, None], r"record 4 \(1 of 6 .* 0 N"),
        (lambda forces: -forces, "record 0 .*tension is positive"),
        (lambda forces: forces / 1000, "record 0 .* are 0.00.* times those .* give them in N"),
    ],
    ids=["none", "one too few", "a record too few", "nan", "zero", "negative", "kilonewtons"],
)
def test_forces_that_cannot_be_are_refused(model, records, spoil, reason):
    strains, forces = records
    with pytest.raises(BadInput, match=reason):
        model.predict(strains, spoil(forces))


@pytest.mark.parametrize("factor", [0.6, 1.6, 10.0])
def test_forces_of_another_specimen_are_flagged_not_answered(model, records, factor):
    """A wrong thickness gives every parameter another value, and none of them means anything."""
    strains, forces = records
    own = answered(model, strains, forces)
    assert not any(own.reasons) and np.isfinite(own.values).all()
    odd = answered(model, strains, factor * forces)
    assert np.isnan(odd.values).all() and np.isnan(odd.low).all() and all(odd.reasons)


def test_no_answer_lies_far_beyond_what_was_trained(model):
    trained = model.card.scaler
    low, high = np.array(trained.low), np.array(trained.high)
    middle, width = (low + high) / 2, high - low
    values = np.array([middle, middle + 0.9 * width, middle - 1.1 * width, middle * np.nan])
    told = withhold(values, values, values, np.zeros(4), 1.0, trained)
    assert np.isfinite(told.values).all(1).tolist() == [True, True, False, False]
    assert "MP1" in told.reasons[2] and "trained were" in told.reasons[2]


def test_mlflow_asks_for_both_by_name(folder, model, records, tmp_path):
    mlflow.pyfunc.save_model(path=str(tmp_path / "saved"), **pyfunc_arguments(folder))
    saved = mlflow.pyfunc.load_model(str(tmp_path / "saved"))
    strains, forces = records
    inputs = {"strains": [-1, strains.shape[1]], "forces": [-1, forces.shape[1]]}
    assert saved.metadata.metadata["inputs"] == inputs
    answer = saved.predict({"strains": strains, "forces": forces})
    np.testing.assert_array_equal(answer, model.predict(strains, forces))
    single = saved.predict({"Strain": strains[0].tolist(), "force": forces[0].astype(np.float32)})
    np.testing.assert_allclose(single, answer[:1], rtol=1e-5)
    with pytest.raises(BadInput, match="was trained with forces and was given none"):
        saved.predict({"strains": strains})


def test_files_with_forces_are_answered(folder, model, records, tmp_path, capsys):
    strains, forces = records
    with h5py.File(tmp_path / "both.h5", "w") as file:
        file["strains"], file["forces"] = strains, forces
    for name, values in (("strains", strains), ("forces", forces)):
        np.save(tmp_path / f"{name}.npy", values)
    beside = [tmp_path / "strains.npy", "--forces", tmp_path / "forces.npy"]
    for files in ([tmp_path / "both.h5"], beside):
        predict.main([str(one) for one in (folder, *files)])
        rows = [line.split(",") for line in capsys.readouterr().out.splitlines()]
        answers = np.array([row[1:-2:3] for row in rows[1:]], float)
        np.testing.assert_allclose(answers, model.predict(strains, forces), rtol=1e-5)
    with pytest.raises(SystemExit, match="m was trained with forces; give --forces FILE"):
        predict.main([str(folder), str(tmp_path / "strains.npy")])
