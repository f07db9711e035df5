"""Members of an ensemble: trained apart, answered together."""

import json
import shutil

import numpy as np
import pytest

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.records import publish_manifest
from hpc_jobs.learning.data.pack import publish_dataset
from hpc_jobs.learning.errors import BadInput
from hpc_jobs.learning.models.ensemble import Ensemble, load_ensemble
from hpc_jobs.learning.models.trained_model import load_model
from hpc_jobs.learning.training.experiment import train_network
from hpc_jobs.tracking.spool import Spool
from tests.unit.learning.records import campaign_of, fill_round, solve


@pytest.fixture(scope="module")
def trained_members(tmp_path_factory):
    """Two Gaussian members as a campaign names them, their folders, and truth to ask about."""
    from hpc_jobs.contract.workspace import RunFolder

    network = {"kind": "mlp", "hidden": [32], "components": 16, "gaussian": True, "members": 2}
    campaign = campaign_of(networks=[network], epochs=40, learning_rate=5e-3)
    run = RunFolder(tmp_path_factory.mktemp("ensemble"))
    fill_round(run, campaign)
    publish_dataset(run, campaign)
    names = [spec.name for spec in campaign.training.networks]
    for spec in campaign.training.networks:
        with Spool(run.root / f"{spec.name}.jsonl", name=spec.name) as spool:
            train_network(
                run,
                campaign,
                spec,
                spec.name,
                spool=spool,
                progress=lambda *_: None,
                stop=lambda: False,
            )
    assert names == ["mlp-0", "mlp-1"]
    truth = np.random.default_rng(5).uniform(0.9, 1.1, (200, 8))
    strains = solve(truth, campaign.specimens.strain_values)
    return [run.model(name) for name in names], strains, truth


def test_members_of_a_campaign_are_networks_of_their_own():
    training = campaign_of(
        networks=[{"kind": "mlp", "members": 3, "seed": 7}, {"kind": "multitask_cnn"}]
    ).training
    assert [(n.name, n.seed, n.members) for n in training.networks] == [
        ("mlp-0", 7, 1),
        ("mlp-1", 8, 1),
        ("mlp-2", 9, 1),
        ("multitask_cnn", None, 1),
    ]
    again = type(training).model_validate_json(training.model_dump_json())
    assert again == training  # frozen with the run, they stay what they are


def test_the_mean_is_better_than_its_members_and_the_spread_is_theirs(trained_members):
    folders, strains, truth = trained_members
    ensemble = load_ensemble(folders)
    one, two = (member.predict(strains) for member in ensemble.members)
    assert not np.allclose(one, two)
    answers = ensemble.predict(strains)
    np.testing.assert_allclose(answers.mean, (one + two) / 2)
    np.testing.assert_allclose(answers.spread, np.abs(one - two) / np.sqrt(2))
    own = [member.deviations(strains) for member in ensemble.members]
    expected = np.sqrt(answers.spread**2 + (own[0] ** 2 + own[1] ** 2) / 2)
    np.testing.assert_allclose(answers.deviation, expected)

    def error(answer):
        return np.square(answer - truth).mean()

    assert error(answers.mean) < (error(one) + error(two)) / 2


def test_a_gaussian_network_is_about_as_wrong_as_it_says(trained_members):
    folders, strains, truth = trained_members
    model = load_model(folders[0])
    noisy = strains + np.random.default_rng(1).normal(scale=5e-4, size=strains.shape)
    ratio = (model.predict(noisy) - truth) / model.deviations(noisy)
    assert 0.4 < np.sqrt(np.square(ratio).mean()) < 2


def test_a_network_without_variances_says_so(trained):
    with pytest.raises(BadInput, match="m answers no deviations; train it with gaussian: true"):
        load_model(trained[0]).deviations(np.full((1, 240), 0.05))


def test_one_member_or_members_of_other_data_are_refused(trained_members, tmp_path):
    folders, _, _ = trained_members
    with pytest.raises(ConfigurationError, match="1 member; an ensemble needs two"):
        load_ensemble(folders[:1])
    foreign = shutil.copytree(folders[1], tmp_path / "foreign")
    card = json.loads((foreign / "model.json").read_text()) | {"dataset_sha256": "f" * 64}
    (foreign / "model.json").write_text(json.dumps(card))
    files = [path for path in foreign.rglob("*") if path.is_file() and path.suffix != ".json"]
    files += [foreign / "model.json"]
    publish_manifest(foreign / "manifest.json", "model", files)
    with pytest.raises(ConfigurationError, match="mlp-1 was trained on dataset ffffffffffff"):
        Ensemble((load_model(folders[0]), load_model(foreign)))
