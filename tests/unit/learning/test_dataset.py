"""The dataset as it is opened: verified, split, scaled, its frozen noise."""

import numpy as np
import pytest

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.learning.data import packed
from hpc_jobs.learning.data.dataset import open_dataset, scale, validation_examples
from hpc_jobs.learning.data.dataset import (
    test_examples as frozen_examples,
)
from hpc_jobs.learning.data.pack import publish_dataset


@pytest.fixture
def dataset(run, campaign):
    publish_dataset(run, campaign)
    return open_dataset(run, 0.1)


def test_train_validation_and_test_are_disjoint(dataset):
    both = np.concatenate([dataset.fit_rows, dataset.validation_rows])
    assert sorted(both) == list(range(len(dataset.train)))
    assert len(dataset.validation_rows) == round(0.1 * len(dataset.train))


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
    whole = open_dataset(run, 0.1).train
    run.dataset_manifest.unlink()
    monkeypatch.setattr(packed, "FILE_BYTES", 20_000)
    publish_dataset(run, campaign)
    cut = open_dataset(run, 0.1).train
    rows = np.random.default_rng(0).permutation(len(whole))[:50]
    for one, two in zip(whole.take(rows), cut.take(rows), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_truncated_packed_file_is_refused(run, dataset):
    path = run.dataset / dataset.facts.train_files[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptFile, match=path.name):
        open_dataset(run, 0.1)
