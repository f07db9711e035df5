"""Sealed test sets: one for all runs that ask the same, never smaller, never trained on."""

from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.layout import Workspace
from hpc_jobs.contract.records import publish_manifest, read_manifest
from hpc_jobs.dataset import sealed as sealing
from hpc_jobs.dataset.dataset import open_dataset
from hpc_jobs.dataset.dataset import test_examples as own_test_examples
from hpc_jobs.dataset.facts import PackedFields
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.dataset.packed import map_columns
from hpc_jobs.dataset.sealed import Seen, current_seal, read_seal, require_unseen
from tests.unit.learning.records import campaign_of, fill_round, freeze


def packed(workspace: Workspace[Path], name: str, *, seed: int, test: int, train: int = 240):
    """Return a run's folder and dataset."""
    campaign = campaign_of()
    run = workspace.run(name)
    freeze(run, campaign)
    fill_round(run, campaign, seed=seed, test=test, train=train)
    publish_dataset(run, campaign)
    return run, open_dataset(run, campaign.training.validation_fraction)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace[Path]:
    return Workspace(tmp_path / "a workspace")


def test_a_toys_test_set_never_replaces_a_larger_one(workspace):
    campaign = campaign_of()
    _, full = packed(workspace, "full", seed=1, test=40)
    _, toy = packed(workspace, "toy", seed=2, test=10, train=60)
    first = current_seal(workspace, campaign, "full", full)
    assert (first.facts.version, first.facts.source) == (1, "full")
    again = current_seal(workspace, campaign, "toy", toy)
    assert again.facts == first.facts
    np.testing.assert_array_equal(again.examples.strains, first.examples.strains)
    _, larger = packed(workspace, "larger", seed=3, test=80)
    second = current_seal(workspace, campaign, "larger", larger)
    assert (second.facts.version, second.facts.records) == (2, len(larger.test))
    assert current_seal(workspace, campaign, "full", full).facts == second.facts
    assert read_seal(workspace.sealed(campaign.question), 1).facts == first.facts  # kept


def test_who_trains_otherwise_asks_the_same_and_who_measures_otherwise_does_not():
    campaign = campaign_of()
    other = campaign.model_copy(update={"training": campaign_of(epochs=7).training})
    assert other.question == campaign.question
    noise = campaign.noise.model_copy(update={"strain": 2 * campaign.noise.strain})
    assert campaign.model_copy(update={"noise": noise}).question != campaign.question


def test_a_network_that_trains_on_the_sealed_records_is_found_out(workspace):
    campaign = campaign_of()
    run, full = packed(workspace, "full", seed=1, test=40)
    sealed = current_seal(workspace, campaign, "full", full)
    require_unseen(sealed, run)
    cheat, data = packed(workspace, "cheat", seed=4, test=40)
    require_unseen(sealed, cheat)
    path = cheat.dataset / data.facts.train_files[0]
    columns = map_columns(path, mode="r+")
    columns[PackedFields.PARAMETERS][7] = sealed.examples.physical[3]
    columns[PackedFields.PARAMETERS].flush()
    with pytest.raises(Seen, match=r"run cheat trains on 1 of the \d+ sealed"):
        require_unseen(sealed, cheat)


def test_an_altered_set_is_refused(workspace):
    campaign = campaign_of()
    _, full = packed(workspace, "full", seed=1, test=40)
    current_seal(workspace, campaign, "full", full)
    [data] = workspace.sealed(campaign.question).glob("*.npz")
    content = bytearray(data.read_bytes())
    content[-200] ^= 1
    data.write_bytes(content)
    with pytest.raises(CorruptFile, match="sha256"):
        current_seal(workspace, campaign, "full", full)


def test_losses_are_summed_in_target_ranges(workspace):
    _, full = packed(workspace, "full", seed=1, test=40)
    sealed = current_seal(workspace, campaign_of(), "full", full)
    truth = sealed.examples.physical
    assert not sealed.losses(truth).any()
    off = truth.copy()
    off[0, 2] += 0.5 * sealed.span[2]
    assert sealed.losses(off)[0] == pytest.approx(0.25) and sealed.losses(off)[1] == 0
    mean = np.tile(truth.mean(0), (len(truth), 1))
    assert sealed.facts.mean_loss == pytest.approx(sealed.losses(mean).mean())


def test_each_record_is_asked_with_several_draws_of_noise_and_its_own_is_the_first(workspace):
    _, full = packed(workspace, "full", seed=1, test=40)
    sealed = current_seal(workspace, campaign_of(), "full", full)
    records = len(full.test)
    assert (sealed.facts.records, sealed.facts.draws) == (records, sealing.DRAWS)
    own, clean = own_test_examples(full), sealed.examples
    np.testing.assert_array_equal(sealed.noisy(0).strains, own.strains)
    np.testing.assert_array_equal(sealed.noisy(0).forces, own.forces)
    np.testing.assert_array_equal(sealed.noisy(5).strains, sealed.noisy(5).strains)
    noise = np.stack([sealed.noisy(draw).strains - clean.strains for draw in range(8)])
    assert noise.std() == pytest.approx(full.facts.noise_strain, rel=0.02)
    alike = np.corrcoef(noise.reshape(8, -1))[~np.eye(8, dtype=bool)]
    assert abs(alike).max() < 5 / np.sqrt(noise[0].size)  # independent of one another


def test_a_set_that_was_sealed_with_its_noise_is_still_asked(workspace):
    campaign = campaign_of()
    _, full = packed(workspace, "full", seed=1, test=40)
    current_seal(workspace, campaign, "full", full)
    folder = workspace.sealed(campaign.question)
    [data] = folder.glob("*.npz")
    with np.load(data) as stored:
        kept = {name: stored[name] for name in stored.files if not name.startswith("noise")}
    kept["strains"] = own_test_examples(full).strains
    np.savez(data, **kept)
    manifest = read_manifest(folder / "v0001.json", sealing.KIND, verify=False)
    facts = {name: value for name, value in manifest.facts.items() if name != "draws"}
    (folder / "v0001.json").unlink()
    publish_manifest(folder / "v0001.json", sealing.KIND, [data], **facts)
    older = read_seal(folder, 1)
    assert older.facts.draws == 1
    np.testing.assert_array_equal(older.noisy(0).strains, own_test_examples(full).strains)
