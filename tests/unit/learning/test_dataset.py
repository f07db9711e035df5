"""The dataset as it is opened: verified, split, scaled, its frozen noise."""

import numpy as np
import pytest

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.dataset import plan
from hpc_jobs.dataset.dataset import (
    calibration_examples,
    open_dataset,
    scale,
    validation_examples,
)
from hpc_jobs.dataset.dataset import (
    test_examples as frozen_examples,
)
from hpc_jobs.dataset.pack import publish_dataset


@pytest.fixture
def dataset(run, campaign):
    publish_dataset(run, campaign)
    return open_dataset(run, 0.1)


def test_what_is_trained_on_chosen_by_and_calibrated_on_is_disjoint(dataset):
    parts = dataset.fit_rows, dataset.validation_rows, dataset.calibration_rows
    assert sorted(np.concatenate(parts)) == list(range(len(dataset.train)))
    held_out = round(0.1 * len(dataset.train))
    assert [len(rows) for rows in parts[1:]] == [-(-held_out // 2), held_out // 2]


def test_calibration_records_have_noise_of_their_own_and_count_once(dataset):
    chosen, calibrated = validation_examples(dataset), calibration_examples(dataset)
    assert len(calibrated.strains) == len(dataset.calibration_rows)
    clean = dataset.train.take(dataset.calibration_rows)[0]
    noise = (calibrated.strains - clean) / dataset.facts.noise_strain
    assert noise.std() == pytest.approx(1, rel=0.05)
    first = (chosen.strains - dataset.train.take(np.tile(dataset.validation_rows, 4))[0])[0]
    assert not np.allclose(noise[0], first / dataset.facts.noise_strain, atol=0.1)


def test_targets_are_scaled_to_the_training_range(dataset):
    everything = dataset.train.take(np.arange(len(dataset.train)))[1]
    scaled = scale(everything, dataset.facts.scaler)
    np.testing.assert_allclose(scaled.min(0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.max(0), 1, atol=1e-5)


def test_the_noise_on_test_and_validation_records_is_frozen(run, dataset):
    again = open_dataset(run, 0.1)
    np.testing.assert_array_equal(frozen_examples(dataset).strains, frozen_examples(again).strains)
    np.testing.assert_array_equal(
        validation_examples(dataset).strains, validation_examples(again).strains
    )
    clean, _ = dataset.test.take(np.arange(len(dataset.test)))
    assert (frozen_examples(dataset).strains - clean).std() == pytest.approx(5e-4, rel=0.05)


def test_rows_are_found_across_files(run, campaign, monkeypatch):
    publish_dataset(run, campaign)
    rows = np.random.default_rng(0).permutation(len(open_dataset(run, 0.1).train))[:50]
    whole = open_dataset(run, 0.1).train.take(rows)
    run.dataset_manifest.unlink()
    monkeypatch.setattr(plan, "FILE_BYTES", 20_000)
    publish_dataset(run, campaign)
    cut = open_dataset(run, 0.1).train
    for one, two in zip(whole, cut.take(rows), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_truncated_packed_file_is_refused(run, dataset):
    path = run.dataset / dataset.facts.train_files[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptFile, match=path.name):
        open_dataset(run, 0.1)
