"""A model answers what it was published to answer, and refuses what it must not touch."""

import json
import os

import numpy as np
import pytest
import torch

from hpc_jobs.contract.errors import ContractError, CorruptFile
from hpc_jobs.contract.records import publish_manifest
from hpc_jobs.learning.errors import BadInput
from hpc_jobs.learning.models.trained_model import load_model
from tests.unit.learning.records import solve


@pytest.fixture(scope="module")
def model(trained):
    return load_model(trained[0])


@pytest.fixture(scope="module")
def strains(trained):
    parameters = np.random.default_rng(5).uniform(0.92, 1.08, (6, 8))
    return solve(parameters, trained[1].specimens.strain_values)


def vouch_again(folder):
    """Make the manifest match what lies in the folder, as a forger would."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"]
    publish_manifest(folder / "manifest.json", "model", files)


def test_answers_are_physical_and_frozen(model, strains):
    answers = model.predict(strains)
    assert answers.shape == (6, 8) and answers.dtype == np.float64
    assert answers.min() > 0.5 and answers.max() < 1.5  # not min-max units
    np.testing.assert_array_equal(answers, model.predict(strains))
    assert model.targets == tuple(f"MP{i}" for i in range(1, 9))


def test_records_are_answered_independently(model, strains):
    np.testing.assert_allclose(model.predict(strains[2:3]), model.predict(strains)[2:3], atol=1e-6)


def test_read_only_input_is_fine_and_unchanged(model, strains):
    frozen = strains.copy()
    frozen.flags.writeable = False
    model.predict(frozen)
    np.testing.assert_array_equal(frozen, strains)


@pytest.mark.parametrize("shape", [(240,), (2, 239), (0, 240), (1, 2, 120), ()])
def test_a_wrong_shape_is_refused(model, shape):
    with pytest.raises(BadInput, match=r"takes \(records, 240\), laid out \(2, 3, 8, 5\)"):
        model.predict(np.zeros(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_and_named(model, strains, value):
    spoiled = strains.copy()
    spoiled[3, 17] = value
    for ask in (model.predict, model.novelty):
        with pytest.raises(BadInput, match=r"record 3 \(1 of 6 records\)"):
            ask(spoiled)
    assert issubclass(BadInput, ContractError)


@pytest.mark.parametrize(
    ("factor", "suspected"),
    [
        (100, "in per cent"),
        (1000, "per mille"),
        (1e6, "microstrain"),
        (0.01, "divided by a hundred"),
    ],
)
def test_strains_in_other_units_are_refused_and_the_unit_is_guessed(
    model, strains, factor, suspected
):
    mixed = strains.copy()
    mixed[2] *= factor
    with pytest.raises(BadInput, match=rf"record 2 \(1 of 6 records\) are .* as if .*{suspected}"):
        model.predict(mixed)


def test_another_specimen_is_not_taken_for_another_unit(model, strains):
    for factor in (3, 1 / 3, 0):
        assert np.isfinite(model.predict(factor * strains)).all()


@pytest.mark.parametrize("name", ["weights.pt", "model.json", "metrics.json"])
def test_an_altered_file_is_refused(trained_copy, name):
    content = bytearray((trained_copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (trained_copy / name).write_bytes(content)
    with pytest.raises(CorruptFile, match=name):
        load_model(trained_copy)


def test_a_folder_without_manifest_is_not_a_model(trained_copy):
    (trained_copy / "manifest.json").unlink()
    with pytest.raises(CorruptFile, match=r"manifest\.json: missing"):
        load_model(trained_copy)


def test_a_manifest_of_something_else_is_refused(trained_copy):
    publish_manifest(trained_copy / "manifest.json", "dataset", [])
    with pytest.raises(CorruptFile, match="kind 'dataset', expected 'model'"):
        load_model(trained_copy)


def test_weights_must_be_vouched_for(trained_copy):
    publish_manifest(trained_copy / "manifest.json", "model", [trained_copy / "model.json"])
    with pytest.raises(CorruptFile, match=r"does not vouch for weights\.pt"):
        load_model(trained_copy)


def test_weights_of_another_architecture_are_refused(trained_copy):
    card = json.loads((trained_copy / "model.json").read_text())
    card["network"]["hidden"] = [33]
    (trained_copy / "model.json").write_text(json.dumps(card))
    vouch_again(trained_copy)
    with pytest.raises(CorruptFile, match=r"weights\.pt: not the weights that model\.json"):
        load_model(trained_copy)


def test_pickled_code_in_the_weights_is_refused_and_not_run(trained_copy, tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "executed"),))

    torch.save({"low": Evil()}, trained_copy / "weights.pt")
    vouch_again(trained_copy)
    with pytest.raises(CorruptFile, match=r"weights\.pt: not the weights"):
        load_model(trained_copy)
    assert not (tmp_path / "executed").exists()


def test_weights_that_are_not_numbers_are_refused(trained_copy):
    state = torch.load(trained_copy / "weights.pt", weights_only=True)
    state["low"][2] = torch.nan
    torch.save(state, trained_copy / "weights.pt")
    vouch_again(trained_copy)
    with pytest.raises(CorruptFile, match="'low' is not finite"):
        load_model(trained_copy)


def test_novelty_knows_its_own_and_flags_strangers(trained, model):
    campaign = trained[1]
    values, rng = campaign.specimens.strain_values, np.random.default_rng(8)
    noise = rng.normal(scale=5e-4, size=(200, values))
    own = solve(rng.uniform(0.9, 1.1, (200, 8)), values) + noise
    assert (model.novelty(own) > model.novelty_limit).mean() < 0.05
    beyond = solve(np.full((1, 8), 1.0) + 0.3 * np.array([[1, -1, 1, 1, -1, 1, -1, 1]]), values)
    spike = own[:1].copy()
    spike[0, 40:60] += 0.01
    for stranger in (beyond, spike, np.zeros((1, values))):
        assert model.novelty(stranger)[0] > model.novelty_limit
