"""A committee: members trained apart, assembled, calibrated and judged as one network."""

import json
import shutil
from argparse import Namespace

import numpy as np
import pytest
import torch

from hpc_jobs.contract.campaign import FrozenCampaign
from hpc_jobs.contract.errors import ConfigurationError, CorruptFile
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.model import model_facts
from hpc_jobs.contract.records import (
    ElementResult,
    read_manifest,
    read_model,
)
from hpc_jobs.dataset.facts import TargetScaler
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.identification.rival import RIVALS
from hpc_jobs.jobs.assemble import work
from hpc_jobs.learning.evaluation.test_set import TestReport as Report
from hpc_jobs.learning.evaluation.worst_cases import WORST
from hpc_jobs.learning.models.inverse_model import InverseModel, ModelCard
from hpc_jobs.learning.models.runtimes import Subject, check_agreement, exported
from hpc_jobs.learning.models.trained_model import load_model
from hpc_jobs.learning.networks.committee import Committee
from hpc_jobs.learning.training.assembly import assemble_committee, committee_of
from hpc_jobs.learning.training.experiment import train_network
from hpc_jobs.learning.training.history import read_history
from hpc_jobs.runtime.element import Element
from hpc_jobs.tracking.spool import Spool
from tests.harness.metric_units import unit_of
from tests.unit.learning.records import campaign_of, fill_round, freeze, pull, solve
from tests.unit.learning.test_train_job import job

COMMITTEE = {"kind": "mlp", "hidden": [32], "components": 16, "members": 2}


@pytest.fixture(scope="module")
def assembled(tmp_path_factory):
    """A run whose two Gaussian members are trained and assembled, by the job; its campaign."""
    campaign = campaign_of(
        networks=[COMMITTEE | {"gaussian": True, "forces": True}],
        epochs=40,
        learning_rate=5e-3,
        validation_fraction=0.5,
    )
    run = RunFolder(tmp_path_factory.mktemp("committee"))
    freeze(run, campaign)
    fill_round(run, campaign, train=400, test=60)
    publish_dataset(run, campaign)
    for spec in campaign.training.trainings:
        name = f"t-{spec.name}"
        with Spool(run.root / f"{name}.jsonl", name=name) as spool:
            train_network(
                run, campaign, spec, name, spool=spool,
                progress=lambda *_: None, stop=lambda: False, rivals=RIVALS,
            )  # fmt: skip
    done = job(run, "assemble", "--name", "t", HPC_TOKEN="a")
    assert done.returncode == 0, done.stdout + done.stderr
    return run, campaign


@pytest.fixture
def committee(assembled):
    return load_model(assembled[0].model("t-mlp"))


@pytest.fixture
def members(assembled):
    return [load_model(assembled[0].model(f"t-mlp-{number}")) for number in range(2)]


@pytest.fixture(scope="module")
def asked(assembled):
    """Noisy (strains, forces) of 400 sheets that nobody was trained on, and the truth."""
    rng, specimens = np.random.default_rng(5), assembled[1].specimens
    truth = rng.uniform(0.9, 1.1, (400, 8))
    strains = solve(truth, specimens.strain_values)
    forces = pull(truth, specimens.force_values)
    strains += rng.normal(scale=5e-4, size=strains.shape)
    return (strains, forces * rng.normal(1, 5e-3, forces.shape)), truth


def test_members_are_trained_as_networks_of_their_own_and_the_campaign_stays_as_it_was():
    network = {"kind": "mlp", "members": 3, "seed": 7}
    training = campaign_of(networks=[network, {"kind": "multitask_cnn"}]).training
    assert [(n.name, n.seed, n.members) for n in training.trainings] == [
        ("mlp-0", 7, 1),
        ("mlp-1", 8, 1),
        ("mlp-2", 9, 1),
        ("multitask_cnn", None, 1),
    ]
    assert [(n.name, n.members) for n in training.committees] == [("mlp", 3)]
    assert [n.name for n in training.networks] == ["mlp", "multitask_cnn"]


def test_a_network_must_not_be_called_as_a_member_is():
    networks = [{"kind": "mlp", "members": 2}, {"kind": "multitask_cnn", "name": "mlp-1"}]
    with pytest.raises(ConfigurationError, match=r"repeats a name .* members"):
        campaign_of(networks=networks)


def test_mean_and_variance_are_those_of_the_mixture(committee, members, asked):
    fields, truth = asked
    one, two = (member.predict(*fields) for member in members)
    assert not np.allclose(one, two)
    np.testing.assert_allclose(committee.predict(*fields), (one + two) / 2, rtol=1e-5)
    own = [np.square(member.deviations(*fields)) for member in members]
    expected = np.square(one - two) / 4 + (own[0] + own[1]) / 2
    np.testing.assert_allclose(np.square(committee.deviations(*fields)), expected, rtol=1e-3)

    def error(answer):
        return np.square(answer - truth).mean()

    assert error(committee.predict(*fields)) < (error(one) + error(two)) / 2


def test_plain_members_say_how_sure_they_are_by_their_spread():
    campaign = campaign_of(networks=[COMMITTEE | {"members": 3}])
    scaler = {"targets": tuple(campaign.targets), "low": (0.0,) * 8, "high": (1.0,) * 8}
    torch.manual_seed(1)
    spec = campaign.training.networks[0]
    model = InverseModel(spec, (2, 3, 8, 5), TargetScaler(**scaler), 4).eval()
    assert isinstance(model.network, Committee)
    for member in model.network.members:
        torch.nn.init.normal_(member.layers[-1].bias)
    strains = torch.zeros(1, 240)
    seen = model.network.observe(strains)
    biases = torch.stack([member(seen)[0] for member in model.network.members])
    found = model.deviations(strains)[0]
    torch.testing.assert_close(found, biases.std(0, unbiased=False), rtol=1e-4, atol=1e-6)


def test_it_is_published_as_any_network_is(assembled, committee):
    run, _ = assembled
    folder = run.model("t-mlp")
    manifest = read_manifest(folder / "manifest.json", "model")
    facts = model_facts(manifest)
    assert facts.network == "mlp" and facts.baseline("mean") > facts.test_error
    assert {entry.path for entry in manifest.files} == {
        *("weights.pt", "model.json", "metrics.json", "input_example.json", WORST),
        *("figures/errors.png", "figures/parity.png", "figures/coverage.png"),
        "figures/loss.png",  # its members', from their epochs
    }
    epochs = [read_history(run.model(f"t-mlp-{k}")) for k in range(2)]
    assert all(one and one[0].epoch == 1 for one in epochs) and not read_history(folder)
    result = read_model(ElementResult, run.job("a").result(0)).facts
    assert result["model"] == "t-mlp" and result["test_sum_mse"] == pytest.approx(facts.test_error)
    assert committee.card.network.members == 2 and committee.card.best_epoch is None
    report = read_model(Report, folder / "metrics.json")
    members = [read_model(Report, run.model(f"t-mlp-{k}") / "metrics.json") for k in range(2)]
    assert report.network.sum_mse < np.mean([one.network.sum_mse for one in members])
    rivals = {name: errors.sum_mse for name, errors in members[0].baselines.items()}
    assert result["baselines"] == pytest.approx(rivals)


def test_mlflow_hears_of_it_as_of_a_training(assembled):
    run, _ = assembled
    spool = run.job("a").spool / "t-mlp.jsonl"
    lines = [json.loads(line) for line in spool.read_text().splitlines()]
    assert (lines[0]["name"], lines[0]["tags"]["members"]) == ("t-mlp", "2")
    assert lines[-1] == {"kind": "end", "status": "FINISHED"}
    metrics = {line["key"]: line["value"] for line in lines if line["kind"] == "metric"}
    shares = [metrics[f"test_mp{k}/coverage"] for k in range(1, 9)]
    assert all(0 <= share <= 1 for share in shares)
    assert {"test/sum_mse", "test_mp1/p95", "test_mp8/coverage_highest"} <= metrics.keys()
    assert all(unit_of(key) for key in metrics)
    artifacts = [run.root / line["path"] for line in lines if line["kind"] == "artifact"]
    assert run.model("t-mlp") / WORST in artifacts and all(path.is_file() for path in artifacts)


def test_intervals_hold_what_they_promise(committee, members, asked):
    """100 calibration records: 3 standard deviations of their luck, of 8 targets together."""
    fields, truth = asked
    for model in (committee, members[0]):
        low, high = model.intervals(*fields)
        inside = ((low <= truth) & (truth <= high)).mean()
        assert 0.84 < inside < 0.96
        half = (high - low) / 2
        expected = np.array(model.card.calibration.factors) * model.deviations(*fields)
        np.testing.assert_allclose(half, expected)


def test_covariances_have_the_widths_of_the_intervals(committee, asked):
    fields, _ = asked
    low, high = committee.intervals(*fields)
    covariances = committee.covariances(*fields)
    deviations = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    np.testing.assert_allclose(1.6448536 * deviations, (high - low) / 2, rtol=1e-6)
    assert np.linalg.eigvalsh(covariances).min() > 0


def test_a_runtime_answers_as_the_committee_does(committee, asked):
    fields = tuple(one.astype(np.float32) for one in asked[0])
    check_agreement(committee.module, exported(Subject(committee.module)), *fields)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dataset_sha256": "f" * 64}, "t-mlp-1 was trained on dataset ffffffffffff"),
        ({"network": {"kind": "mlp", "name": "other"}}, "another network than the campaign's"),
    ],
)
def test_a_member_that_does_not_belong_is_refused(assembled, members, change, reason):
    run, campaign = assembled
    card = json.loads((run.model("t-mlp-1") / "model.json").read_text()) | change
    members[1] = type(members[1])(ModelCard.model_validate(card), "", members[1].module)
    spec = campaign.training.networks[0]
    with pytest.raises(ConfigurationError, match=reason):
        committee_of(spec, members, members[0].card.dataset_sha256)


def test_a_member_that_scales_its_inputs_otherwise_is_refused(assembled, members):
    members[1].module.network.inputs.mean += 1
    spec = assembled[1].training.networks[0]
    with pytest.raises(ConfigurationError, match="t-mlp-1 scales its inputs otherwise"):
        committee_of(spec, members, members[0].card.dataset_sha256)


def test_a_missing_member_is_named_and_nothing_is_published(assembled, tmp_path):
    run, campaign = assembled
    copy = RunFolder(tmp_path / "copy")
    shutil.copytree(run.root, copy.root)
    shutil.rmtree(copy.model("t-mlp-1"))
    with pytest.raises(CorruptFile, match=r"t-mlp-1.*missing"):
        assemble_committee(copy, campaign, campaign.training.networks[0], "t")


def test_an_element_without_a_committee_is_told(assembled):
    run, _ = assembled
    frozen = read_model(FrozenCampaign, run.campaign)
    element = Element(index=1, run=run, arguments=Namespace(name="t"), frozen=frozen)
    with pytest.raises(ConfigurationError, match="has 1 networks of several members"):
        work(element)
