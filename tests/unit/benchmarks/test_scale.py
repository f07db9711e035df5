"""The scale benchmark: what is cut goes on, and what was measured is judged as it says."""

import json
from pathlib import Path

import pytest

from benchmarks.kept import Kept
from benchmarks.packing import records
from benchmarks.scale import judged
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.records import sha256_of


def test_shards_that_are_there_are_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "SHARD", 20)
    run: RunFolder[Path] = RunFolder(tmp_path)
    records.fill_round(run, 0, 60)
    shards = [run.shard(0, index) for index in range(3)]
    before = [(path.stat().st_mtime_ns, sha256_of(path)) for path in shards]
    manifest_of(shards[1]).unlink()
    records.fill_round(run, 0, 60)
    after = [(path.stat().st_mtime_ns, sha256_of(path)) for path in shards]
    assert [one[1] for one in after] == [one[1] for one in before]
    assert [one[0] != other[0] for one, other in zip(after, before, strict=True)] == [
        False,
        True,
        False,
    ]


def test_a_limit_is_judged_by_the_median_of_epochs_that_took_turns(tmp_path: Path) -> None:
    path = tmp_path / "scale.json"
    turns = {"free": {"wall": 1.0, "CPU": 0.5}, "limited": {"wall": 1.05, "CPU": 0.5}}
    disturbed = turns | {"limited": {"wall": 9.0, "CPU": 0.5}}
    found = {
        "limit 1000000 free": {"wall": 60.0, "CPU": 55.0},
        "limit 1000000 2048": {"wall": 90.0, "CPU": 55.0},
        "epochs 1000000 2048 0": turns,
        "epochs 1000000 2048 1": disturbed,
        "epochs 1000000 2048 2": turns,
    }
    path.write_text(json.dumps(found))
    lines, compared = judged(Kept(path))
    assert "epoch 1.00, in 2048 MiB times 1.05 1.05 9.00" in lines[0]
    assert [(one.name, one.value, one.met) for one in compared] == [
        ("packing in 2 GiB over without a limit", pytest.approx(1.5), False),
        ("epoch in 2 GiB over without a limit", pytest.approx(1.05), True),
    ]
