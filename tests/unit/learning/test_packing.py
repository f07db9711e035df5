"""Packing by many elements, in little memory, killed at any moment: always the same files."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.packing import packing_elements
from hpc_jobs.dataset import bucket, deal, plan
from hpc_jobs.dataset.keys import buckets_of, keys_of
from hpc_jobs.dataset.pack import deal_records, pack_records, publish_dataset
from tests.unit.learning.records import campaign_of, fill_round


@pytest.fixture
def small_parts(monkeypatch):
    """Units of two shards and files of about fifty records."""
    monkeypatch.setattr(plan, "UNIT_BYTES", 120_000)
    monkeypatch.setattr(plan, "FILE_BYTES", 110_000)


def content(run):
    """Bytes of everything that a packing publishes."""
    files = sorted((run.dataset / "packed").iterdir())
    return {path.name: path.read_bytes() for path in (*files, run.dataset_manifest)}


def copy_of(run, folder):
    return RunFolder(Path(shutil.copytree(run.root, folder / "copy", dirs_exist_ok=True)))


def test_keys_spread_evenly_and_belong_to_the_record_alone():
    origin = np.stack([np.repeat([0, 1], 5000), np.tile(np.arange(5000), 2)], axis=1)
    keys = keys_of(origin, seed=1, generation=1, test=False)
    assert len(set(keys.tolist())) == len(keys)
    np.testing.assert_array_equal(keys[7:9], keys_of(origin[7:9], 1, 1, test=False))
    for other in ((2, 1, False), (1, 2, False), (1, 1, True)):
        seed, generation, test = other
        assert not np.isin(keys, keys_of(origin, seed, generation, test=test)).any()
    counts = np.bincount(buckets_of(keys, 20), minlength=20)
    assert ((counts - 500) ** 2 / 500).sum() < 43.8  # chi square, 19 degrees, 1 in 1000
    order = np.argsort(keys)
    assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 0.04


@pytest.mark.parametrize("elements", [1, 2, 5])
def test_files_do_not_depend_on_how_many_elements_made_them(
    run, campaign, tmp_path, small_parts, elements
):
    whole = copy_of(run, tmp_path)
    publish_dataset(whole, campaign)  # in memory, alone
    for element in reversed(range(elements)):
        deal_records(run, campaign, None, element, elements)
    assert len(list(run.packing(1).glob("dealt-*.rows"))) == 3
    for element in range(elements):
        pack_records(run, campaign, None, element, elements)
    assert len(list(run.packing(1).glob("written-*.json"))) > 4
    publish_dataset(run, campaign)
    assert content(run) == content(whole)


def test_neither_on_the_memory_they_were_given(run, campaign, tmp_path, small_parts, monkeypatch):
    whole = copy_of(run, tmp_path)
    publish_dataset(whole, campaign)
    monkeypatch.setattr(deal, "BESIDES", 20 * 1100 / (512 << 20))  # runs of some twenty records
    monkeypatch.setattr(deal, "HELD_SHARD", 1e-9)  # and shards too large to be held
    publish_dataset(run, campaign, memory_mib=512)
    assert content(run) == content(whole)


def test_what_was_dealt_is_checked_when_it_is_packed(run, campaign, small_parts):
    deal_records(run, campaign, None, 0, 1)
    path = next(run.packing(1).glob("dealt-*.rows"))
    spoiled = bytearray(path.read_bytes())
    spoiled[len(spoiled) // 2] ^= 1
    path.write_bytes(spoiled)
    with pytest.raises(Exception, match=r"dealt-\d+\.rows: what was dealt to bucket"):
        publish_dataset(run, campaign)


def test_a_shard_solved_again_makes_a_new_plan(run, campaign, tmp_path, small_parts):
    deal_records(run, campaign, None, 0, 2)
    fill_round(run, campaign, 0, seed=9)
    other = copy_of(run, tmp_path)
    shutil.rmtree(other.dataset)
    assert publish_dataset(run, campaign) == publish_dataset(other, campaign)
    assert content(run) == content(other)


def test_a_round_that_comes_meanwhile_waits_for_the_next_generation(run, campaign, small_parts):
    deal_records(run, campaign, None, 0, 1)
    fill_round(run, campaign, 1, seed=2, train=60, test=0)
    assert publish_dataset(run, campaign).rounds == (0,)
    assert publish_dataset(run, campaign).rounds == (0, 1)


def test_elements_are_asked_for_only_where_one_cannot_hold_all():
    campaign = campaign_of()
    assert packing_elements(campaign, 10_000) == 0
    assert 1 < packing_elements(campaign, 5_000_000) <= campaign.packing.elements


def test_components_that_no_longer_carry_new_records_are_found_anew(run, campaign, monkeypatch):
    first = publish_dataset(run, campaign)
    fill_round(run, campaign, 1, seed=2, train=60, test=0)
    second = publish_dataset(run, campaign)
    assert second.anew == "" and second.parts[1].uncarried < 0.1
    monkeypatch.setattr("tests.unit.learning.records.solve", rougher)
    fill_round(run, campaign, 2, seed=3, train=60, test=0)
    third = publish_dataset(run, campaign)
    assert "leave" in third.anew and "generation 1" in third.anew
    assert third.spectrum_file != first.spectrum_file and third.scaler == first.scaler
    assert third.test_files == first.test_files
    assert [part.train for part in third.parts] == [third.train] and third.train > second.train
    assert not set(third.train_files) & set(second.train_files)
    assert all((run.dataset / name).exists() for name in second.train_files)  # may be being read


def rougher(parameters, strain_values):
    """Strains that the components of smooth ones do not carry."""
    return 0.05 + 0.02 * np.sin(np.outer(parameters @ np.arange(8), np.arange(strain_values) ** 2))


KILLED = """
import os, random, signal, sys, threading
from pathlib import Path
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.dataset import deal, pack, plan
from tests.unit.learning.records import campaign_of
plan.UNIT_BYTES, plan.FILE_BYTES = 120_000, 110_000
deal.BESIDES = 20 * 1100 / (512 << 20)  # to disk, then
calls, last = 0, int(sys.argv[2])
def count(event, arguments):
    global calls
    if event in ("open", "os.rename", "os.remove"):
        calls += 1
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)
run, campaign = RunFolder(Path(sys.argv[1])), campaign_of()
sys.addaudithook(count)
pack.publish_dataset(run, campaign, memory_mib=512)
print(calls)
"""


def killed_at(run, call: int) -> subprocess.CompletedProcess[str]:
    """Publish in a process of its own that kills itself at that call that touches a file."""
    return subprocess.run(
        [sys.executable, "-c", KILLED, str(run.root), str(call)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.getcwd(), "OPENBLAS_NUM_THREADS": "1"},
    )


def test_killed_at_random_moments_it_makes_the_same_files(run, campaign, tmp_path):
    whole = copy_of(run, tmp_path)
    undisturbed = killed_at(whole, -1)
    assert undisturbed.returncode == 0, undisturbed.stderr
    calls, chosen = int(undisturbed.stdout), random.Random(16)
    for _ in range(4):
        ended = killed_at(run, chosen.randrange(1, calls))
        assert ended.returncode in (-9, 0), ended.stderr
    assert killed_at(run, -1).returncode == 0
    assert content(run) == content(whole)
    assert not (run.dataset / "packing").exists()


def test_what_a_killed_element_had_begun_to_write_is_removed(run, campaign):
    begun = [
        run.dataset / "packed/.train-g0001-00000.h5.5eed5eed5eed",
        run.dataset / ".manifest.json.5eed5eed5eed",
    ]
    for path in begun:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    publish_dataset(run, campaign)
    assert not list(run.dataset.rglob(".*"))


def test_an_unwritten_bucket_leaves_no_file(run, campaign, monkeypatch):
    monkeypatch.setattr(plan, "FILE_BYTES", 3_000)  # a record or two: some buckets stay empty
    facts = publish_dataset(run, campaign)
    assert len(facts.train_files) == len(list((run.dataset / "packed").glob("train-*.h5")))
    assert sum(part.train for part in facts.parts) == facts.train
    assert bucket.Written(identity="", records=0, file=None).file is None
