"""The dataset: verified, complete, permuted, frozen where it must be, traceable."""

import json

import h5py
import numpy as np
import pytest

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.layout import manifest_of
from hpc_jobs.contract.records import publish_manifest, read_manifest, sha256_of
from hpc_jobs.dataset import bucket, census, packed, plan
from hpc_jobs.dataset.dataset import open_dataset
from hpc_jobs.dataset.facts import dataset_facts
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.dataset.spectrum import read_spectra
from tests.unit.learning.records import fill_round, solve


def read(run, names):
    columns = {}
    for name in names:
        with h5py.File(run.dataset / name) as file:
            for key in file:
                columns.setdefault(key, []).append(file[key][...])
    return {key: np.concatenate(parts) for key, parts in columns.items()}


def test_every_good_record_is_packed_once_and_unchanged(run, campaign):
    facts = publish_dataset(run, campaign)
    train, test = read(run, facts.train_files), read(run, facts.test_files)
    # 280 records, every 25th from 3 on failed
    failed = {(0, point) for point in range(3, 280, 25)}
    expected = {(0, point) for point in range(280)} - failed
    origins = [tuple(row) for row in np.concatenate([train["origin"], test["origin"]])]
    assert len(origins) == len(set(origins)) and set(origins) == expected
    assert facts.by_status == {"newton": 12, "ok": 268}
    assert (facts.train, facts.test) == (len(train["origin"]), len(test["origin"]))
    assert all(point % 7 == 0 for _, point in test["origin"])
    for split in (train, test):
        values = campaign.specimens.strain_values
        want = solve(split["parameters"].astype(np.float64), values)
        np.testing.assert_allclose(split["strains"], want, atol=2e-6)


def test_the_order_is_a_permutation_of_the_whole(run, campaign):
    points = read(run, publish_dataset(run, campaign).train_files)["origin"][:, 1]
    assert abs(np.corrcoef(points, np.arange(len(points)))[0, 1]) < 0.2
    assert not np.array_equal(points, np.sort(points))


def test_files_are_cut_and_mapped_alike(run, campaign, monkeypatch):
    whole = publish_dataset(run, campaign)
    before = read(run, whole.train_files)
    run.dataset_manifest.unlink()
    monkeypatch.setattr(plan, "FILE_BYTES", 20_000)
    cut = publish_dataset(run, campaign)
    assert len(cut.train_files) > 3 * len(whole.train_files)
    after = read(run, cut.train_files)
    for key in ("strains", "forces", "parameters", "origin"):
        np.testing.assert_array_equal(after[key], before[key])
    np.testing.assert_allclose(after["components"], before["components"], rtol=1e-5, atol=1e-5)
    mapped = [packed.map_columns(run.dataset / name) for name in cut.train_files]
    np.testing.assert_array_equal(
        np.concatenate([columns["strains"] for columns in mapped]), before["strains"]
    )


def test_the_manifest_vouches_for_the_packed_files(run, campaign):
    facts = publish_dataset(run, campaign)
    manifest = read_manifest(run.dataset_manifest, "dataset")
    assert dataset_facts(manifest) == facts
    assert {entry.path for entry in manifest.files} == {
        *(*facts.train_files, *facts.test_files, facts.spectrum_file),
    }
    assert [source.sha256 for source in facts.lineage] == [
        sha256_of(run.shard(0, index)) for index in range(6)
    ]


def test_components_of_the_training_records_are_stored_in_units_of_the_noise(run, campaign):
    facts = publish_dataset(run, campaign)
    train, test = read(run, facts.train_files), read(run, facts.test_files)
    spectra = read_spectra(run.dataset / facts.spectrum_file)
    for values, stored, spectrum, noise in (
        (train["strains"].astype(np.float64), train["components"], spectra.strains, 5e-4),
        (
            np.log(train["forces"].astype(np.float64)),
            train["force_components"],
            spectra.forces,
            5e-3,
        ),
    ):
        np.testing.assert_allclose(values.mean(0), spectrum.mean, rtol=1e-12)  # of no test record
        singular = np.linalg.svd((values - values.mean(0)) / noise, compute_uv=False)
        np.testing.assert_allclose(
            spectrum.variances[:8], singular[:8] ** 2 / len(values), rtol=1e-6
        )
        np.testing.assert_allclose(stored.var(0), spectrum.variances, rtol=1e-4, atol=1e-4)
        kept = spectrum.mean + noise * stored @ spectrum.vectors.T
        assert np.abs(kept - values).max() < 0.02 * noise  # as much of a record as float32 holds
    assert train["components"].shape[1] == 128
    assert train["force_components"].shape[1] == campaign.specimens.force_values
    assert "components" not in test  # they outlive the generation


def test_spectra_are_found_from_every_so_manyth_record_of_a_large_run(run, campaign, monkeypatch):
    monkeypatch.setattr(census, "SPECTRUM_RECORDS", 70)
    facts = publish_dataset(run, campaign)
    strains = read(run, facts.train_files)["strains"]
    mean = read_spectra(run.dataset / facts.spectrum_file).strains.mean
    assert 0 < np.abs(mean - strains.mean(0)).max() < 0.3 * strains.std(0).max()


def test_altered_spectra_are_refused(run, campaign):
    facts = publish_dataset(run, campaign)
    path = run.dataset / facts.spectrum_file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptFile, match=r"spectrum-g0001\.npz: sha256"):
        open_dataset(run, 0.1)
    path.write_bytes(b"PK no archive")
    with pytest.raises(CorruptFile, match="not the spectra of a dataset"):
        read_spectra(path)


def test_a_dataset_of_another_version_is_refused_with_the_remedy(run, campaign):
    publish_dataset(run, campaign)
    document = json.loads(run.dataset_manifest.read_text())
    del document["facts"]["noise_force_relative"]
    run.dataset_manifest.write_text(json.dumps(document))
    with pytest.raises(CorruptFile, match=r"noise_force_relative: .* publish it anew"):
        publish_dataset(run, campaign)


def test_publishing_again_changes_nothing(run, campaign):
    first = publish_dataset(run, campaign)
    content = run.dataset_manifest.read_bytes()
    assert publish_dataset(run, campaign) == first
    assert run.dataset_manifest.read_bytes() == content


def test_a_later_round_makes_a_new_generation_with_the_old_test_set_and_scaler(run, campaign):
    first = publish_dataset(run, campaign)
    test_bytes = (run.dataset / first.test_files[0]).read_bytes()
    fill_round(run, campaign, 1, seed=2, train=60, test=10)
    second = publish_dataset(run, campaign)
    assert second.generation == 2 and second.rounds == (0, 1)
    assert second.scaler == first.scaler and second.test == first.test
    assert second.unused_test == 10 - 1  # one of the ten failed
    assert second.train > first.train
    assert (run.dataset / second.test_files[0]).read_bytes() == test_bytes
    assert (run.dataset / first.train_files[0]).exists()  # a training may still read it
    assert second.spectrum_file == first.spectrum_file  # it still carries the new records
    assert second.train_files[: len(first.train_files)] == first.train_files
    rounds = read(run, second.train_files[len(first.train_files) :])["origin"][:, 0]
    assert set(rounds) == {1}  # it cost what it added
    assert [(part.generation, part.train) for part in second.parts] == [
        (1, first.train),
        (2, second.train - first.train),
    ]


def test_the_old_generation_is_read_while_the_new_is_packed_and_outlives_its_failure(
    run, campaign, monkeypatch
):
    publish_dataset(run, campaign)
    opened, seen = open_dataset(run, 0.1), []
    before = opened.train.take(np.arange(50))
    fill_round(run, campaign, 1, seed=2, train=60, test=0)
    write = bucket.write_packed

    def interrupted(*arguments):
        seen.append(open_dataset(run, 0.1).facts.generation)  # every file verified
        if len(seen) == 4:
            raise KeyboardInterrupt
        return write(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(plan, "FILE_BYTES", 20_000)
        patch.setattr(bucket, "write_packed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            publish_dataset(run, campaign)
    assert seen == [1] * 4 and open_dataset(run, 0.1).facts == opened.facts
    assert publish_dataset(run, campaign).generation == 2
    assert not (run.dataset / "packing").exists()  # nothing half-made is left
    for one, two in zip(before, opened.train.take(np.arange(50)), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_truncated_shard_is_named_and_nothing_is_published(run, campaign):
    shard = run.shard(0, 3)
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(CorruptFile, match=r"shard-00003\.h5: \d+ bytes, its manifest says \d+"):
        publish_dataset(run, campaign)
    assert not run.dataset_manifest.exists()


def test_an_altered_shard_is_named(run, campaign):
    content = bytearray(run.shard(0, 2).read_bytes())
    content[-50] ^= 1
    run.shard(0, 2).write_bytes(content)
    with pytest.raises(CorruptFile, match=r"shard-00002\.h5: sha256"):
        publish_dataset(run, campaign)


def test_a_missing_shard_of_the_newest_round_is_an_error_of_an_older_one_a_fact(run, campaign):
    manifest = manifest_of(run.shard(0, 4))
    content = manifest.read_bytes()
    manifest.unlink()
    with pytest.raises(CorruptFile, match=r"round 0 lacks 1 of 6 shards.*shard-00004"):
        publish_dataset(run, campaign)
    fill_round(run, campaign, 1, seed=2, train=60, test=0)
    facts = publish_dataset(run, campaign)
    assert facts.missing_shards == ("rounds/000/shards/shard-00004.h5",)
    manifest.write_bytes(content)
    assert publish_dataset(run, campaign).generation == 2


def test_a_run_without_a_design_says_what_to_do(run, campaign):
    manifest_of(run.design(0)).unlink()
    with pytest.raises(CorruptFile, match="run choose_points first"):
        publish_dataset(run, campaign)


def test_a_good_record_must_be_finite(run, campaign):
    with h5py.File(run.shard(0, 1), "r+") as file:
        file["strains"][0, 5] = np.nan
    shard = run.shard(0, 1)
    publish_manifest(manifest_of(shard), "shard", [shard], records=50, by_status={})
    with pytest.raises(CorruptFile, match=r"shard-00001\.h5: strains of a record with status ok"):
        publish_dataset(run, campaign)
