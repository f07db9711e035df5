"""The scale benchmark: what is cut goes on, and what was measured is judged as it says."""

import json
from pathlib import Path

import pytest

from benchmarks import scale
from benchmarks.kept import Kept
from benchmarks.packing import records
from benchmarks.packing.measured import Cost
from benchmarks.scale import judged
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.records import Manifest, publish_model, sha256_of

COST = Cost(wall_s=1.0, cpu_s=1.0, anonymous_mb=1.0, read_mb=1.0, written_mb=1.0, said={})


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


def test_a_kept_workspace_is_packed_anew_for_what_was_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a packing of nothing would be measured; what was begun goes on where it was."""
    run: RunFolder[Path] = RunFolder(tmp_path / "run-600")
    seen: list[tuple[bool, bool]] = []

    def packed(run: RunFolder[Path], *_: object, **__: object) -> Cost:
        seen.append((run.dataset.exists(), run.shard(0, 0).exists()))
        publish_model(run.dataset_manifest, Manifest(kind="dataset", files=()))
        return COST

    monkeypatch.setattr(scale, "pack", packed)
    monkeypatch.setattr(scale, "step", lambda *_, **__: COST)
    monkeypatch.setattr(scale, "LIMIT_RECORDS", 600)  # its run is left for the part `limit`
    scale.sizes(tmp_path, [600], Kept(tmp_path / "one.json"))
    run.shard(0, 0).unlink()  # for want of disk
    scale.sizes(tmp_path, [600], Kept(tmp_path / "one.json"))
    scale.sizes(tmp_path, [600], Kept(tmp_path / "other.json"))
    begun = Kept(tmp_path / "begun.json")
    begun.once("600 deal --element=0", COST.told)
    scale.sizes(tmp_path, [600], begun)
    assert seen == [(False, True), (False, True), (True, True)]
