"""What every batch source of the registry must do: serve the same batches, from anywhere."""

import os

import h5py
import numpy as np
import pytest
import torch

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.contract.training import SourceName
from hpc_jobs.dataset.facts import PackedFields, TargetScaler
from hpc_jobs.dataset.packed import write_split
from hpc_jobs.dataset.split import Split
from hpc_jobs.learning.feed import SOURCES
from hpc_jobs.learning.feed.choice import choose, open_source, record_bytes
from hpc_jobs.learning.feed.memory import available_bytes
from hpc_jobs.learning.feed.meter import InputMeter
from hpc_jobs.learning.feed.order import Order, Share
from hpc_jobs.learning.feed.source import Records

RECORDS, FED = 500, 430
STORED, WANTED = 12, 7  # components of the strains
SCALER = TargetScaler(targets=("MP1", "MP2"), low=(0.9, -2.0), high=(1.1, 3.0))
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(0)
    specimens = Specimens(output_times=2)
    return {
        PackedFields.STRAINS: rng.normal(size=(RECORDS, specimens.strain_values)),
        PackedFields.FORCES: rng.uniform(1, 2, (RECORDS, specimens.force_values)),
        PackedFields.PARAMETERS: rng.uniform(0.9, 1.1, (RECORDS, 2)),
        PackedFields.ORIGIN: np.zeros((RECORDS, 2), np.int64),
        PackedFields.COMPONENTS: rng.normal(size=(RECORDS, STORED)),
        PackedFields.FORCE_COMPONENTS: rng.normal(size=(RECORDS, specimens.force_values)),
    }


@pytest.fixture(scope="module")
def split(values, tmp_path_factory):
    """Several small files, so that blocks and batches cross their ends."""
    paths = write_split(tmp_path_factory.mktemp("it's packed"), "train", values, 60_000)
    assert len(paths) > 5
    return Split(paths)


def records(split, **changes):
    order = {"records": FED, "batch_size": 37, "seed": 5, "block": 16, "blocks_per_window": 4}
    forces = changes.pop("forces", True)
    return Records(split, Order(**(order | changes)), SCALER, CPU, WANTED, forces)


def stored(columns, rows):
    """(n, components) of rows: the wanted ones of the strains, then all of the forces."""
    names = (PackedFields.COMPONENTS, PackedFields.FORCE_COMPONENTS)
    strains, forces = (columns[name][rows].astype(np.float32) for name in names)
    return np.hstack([strains[:, :WANTED], forces])


GROWN = {"in one go": (), "in three rounds": (200, 30, 200)}


@pytest.fixture(params=GROWN, ids=lambda name: name.replace(" ", "-"))
def parts(request):
    return GROWN[request.param]


@pytest.fixture(params=SOURCES)
def source(request, split, parts, monkeypatch):
    """Makes two or three batches at a time."""
    monkeypatch.setattr("hpc_jobs.learning.feed.source.STRETCH", 100)
    with SOURCES[request.param](records(split, parts=parts)) as opened:
        yield opened


def test_every_name_of_the_contract_is_registered():
    assert {*SOURCES, "auto"} == set(SourceName.__args__)


@pytest.mark.parametrize("share", [Share(), Share(1, 3)], ids=["alone", "second-of-three"])
def test_batches_hold_the_records_of_the_order(source, values, share):
    columns = values
    epoch = source.order.epoch(3)
    low, span = np.array(SCALER.low), np.array(SCALER.high) - SCALER.low
    seen = 0
    for step, batch in enumerate(source.batches(3, 0, share)):
        rows = epoch.rows(step, share)
        assert batch.step == step and len(batch) == len(rows)
        parameters = columns[PackedFields.PARAMETERS][rows].astype(np.float32)
        np.testing.assert_array_equal(batch.components, stored(columns, rows))
        np.testing.assert_array_equal(batch.targets, ((parameters - low) / span).astype("f4"))
        seen += 1
    assert seen == source.order.steps


def test_it_begins_in_the_middle_and_may_be_left_there(source):
    whole = [batch.components for batch in source.batches(1)]
    assert len(whole) > 8
    for first in (0, 3, len(whole) - 1):
        batches = source.batches(1, first)
        assert torch.equal(next(batches).components, whole[first])
        batches.close()
    again = [batch.components for batch in source.batches(1)]
    assert all(torch.equal(one, two) for one, two in zip(whole, again, strict=True))


def test_a_share_may_pass_over_whole_windows(split):
    """Batches as large as two windows, many ranks: most windows hold nothing of a rank's."""
    fed = records(split, batch_size=100, block=16, blocks_per_window=1)
    share = Share(6, 7)
    with SOURCES["stream"](fed) as stream, SOURCES["ram"](fed) as ram:
        for one, two in zip(stream.batches(0, 0, share), ram.batches(0, 0, share), strict=True):
            assert torch.equal(one.components, two.components)


def test_without_forces_none_are_read_and_strains_never(split):
    fed = records(split, forces=False)
    assert set(fed.names) == {PackedFields.PARAMETERS, PackedFields.COMPONENTS}
    for name in SOURCES:
        with SOURCES[name](fed) as source, SOURCES[name](records(split)) as both:
            batch, more = next(source.batches(0)), next(both.batches(0))
            assert torch.equal(batch.components, more.components[:, :WANTED])


def test_a_file_cut_short_while_it_is_read_is_named(split, tmp_path):
    whole = split.columns[PackedFields.STRAINS][0].path
    path = tmp_path / "train-00000.h5"
    path.write_bytes(whole.read_bytes())
    one = Split([path])
    fed = records(one, records=len(one), batch_size=len(one))
    with SOURCES["stream"](fed) as stream:
        os.truncate(path, path.stat().st_size // 2)
        with pytest.raises(CorruptFile, match=r"train-00000\.h5: ends at byte \d+, \d+ bytes"):
            next(stream.batches(0))


def test_a_file_that_was_cut_short_is_refused_before_it_is_mapped(split, tmp_path):
    whole = split.columns[PackedFields.STRAINS][0].path
    path = tmp_path / "train-00000.h5"
    path.write_bytes(whole.read_bytes()[:-5000])
    with pytest.raises(CorruptFile, match=r"train-00000\.h5"):
        Split([path])


def test_a_chunked_file_is_refused(tmp_path):
    path = tmp_path / "chunked.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("strains", data=np.zeros((10, 4), "f4"), chunks=(5, 4))
    with pytest.raises(CorruptFile, match="'strains' is chunked or empty; publish the dataset"):
        Split([path])


def test_the_choice_is_by_size(split, monkeypatch):
    fed = records(split)
    size = record_bytes(fed)
    assert size == FED * 4 * sum(split.width(name) for name in fed.names)
    monkeypatch.setattr("hpc_jobs.learning.feed.choice.available_bytes", lambda: 2 * size)
    assert choose(size, CPU) == "ram"
    assert choose(2 * size, CPU) == "stream"
    with open_source("auto", fed) as chosen:
        assert chosen.name == "ram"
    with open_source("stream", fed) as wanted:
        assert wanted.name == "stream"


def test_available_memory_is_that_of_the_innermost_limit(tmp_path):
    proc, group = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    8000 kB\n")
    assert available_bytes(proc, group, {}) == 8000 * 1024
    (proc / "self/cgroup").write_text("0::/slurm/job_7/step_0\n")
    (group / "slurm/job_7/step_0").mkdir(parents=True)
    (group / "slurm/job_7/step_0/memory.max").write_text("max\n")
    (group / "slurm/job_7/memory.max").write_text("4096000\n")
    assert available_bytes(proc, group, {}) == 4096000
    assert available_bytes(proc, group, {"SLURM_MEM_PER_NODE": "3"}) == 3 << 20
    per_core = {"SLURM_MEM_PER_CPU": "1", "SLURM_CPUS_ON_NODE": "2"}
    assert available_bytes(proc, group, per_core) == 2 << 20


@pytest.mark.parametrize("told", ["/slurm/uid_1/job_7", "/docker/of-the-host"])
def test_available_memory_knows_control_groups_of_version_1(tmp_path, told):
    proc, group = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text("MemAvailable:    8000 kB\n")
    (proc / "self/cgroup").write_text(f"5:devices:/\n4:cpu,memory:{told}\n0::/\n")
    (group / "memory/slurm/uid_1/job_7").mkdir(parents=True)
    unlimited, name = "9223372036854771712\n", "memory.limit_in_bytes"
    (group / "memory/slurm/uid_1/job_7" / name).write_text(unlimited)
    (group / "memory/slurm/uid_1" / name).write_text("2048000\n")
    (group / "memory" / name).write_text("3072000\n")
    expected = 2048000 if told.startswith("/slurm") else 3072000
    assert available_bytes(proc, group, {}) == expected


def test_the_meter_tells_waiting_from_working():
    import time

    def slow():
        for item in range(3):
            time.sleep(0.02)
            yield item

    meter = InputMeter()
    for _ in meter.metered(slow()):
        time.sleep(0.04)
    assert 0.06 <= meter.waited_s < 0.5 * meter.elapsed_s


def test_a_split_may_be_numbered_otherwise(split, values):
    other = split.rearranged([range(480, 500), range(100, 260), range(0, 7)])
    rows = np.random.default_rng(1).permutation(len(other))
    whole = np.concatenate([np.arange(480, 500), np.arange(100, 260), np.arange(7)])
    [found] = other.gather((PackedFields.STRAINS,), rows)
    np.testing.assert_array_equal(found, values[PackedFields.STRAINS][whole[rows]].astype("f4"))


def test_weights_are_one_where_a_file_has_none(values, tmp_path):
    weights = np.full((RECORDS, 1), 0.5, np.float32)
    weighted = write_split(tmp_path, "a", values | {PackedFields.WEIGHT: weights}, 10**9)
    plain = write_split(tmp_path, "b", values, 10**9)
    both = Split([*plain, *weighted])
    [found] = both.gather((PackedFields.WEIGHT,), np.array([3, RECORDS + 3]))
    assert found.tolist() == [[1.0], [0.5]]


def test_more_files_than_stay_mapped_are_read_all_the_same(values, tmp_path, monkeypatch):
    monkeypatch.setattr("hpc_jobs.dataset.split.MAPPED", 2)
    split = Split(write_split(tmp_path, "many", values, 20_000))
    assert len(split.files) > 20
    rows = np.random.default_rng(2).permutation(RECORDS)
    [found] = split.gather((PackedFields.PARAMETERS,), rows)
    np.testing.assert_array_equal(found, values[PackedFields.PARAMETERS][rows].astype("f4"))
