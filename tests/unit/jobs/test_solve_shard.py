"""solve_shard as a process: killed and started again it leaves the same bytes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.records import (
    Manifest,
    RecordStatus,
    ShardFields,
    publish_model,
    read_manifest,
)
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.design.rounds import choose_round, read_round
from hpc_jobs.fem.reference.simulation import simulate

ROOT = Path(__file__).parents[3]
SMALL = {
    "solver": "reference",  # slow enough to be killed in the middle
    "specimens": {
        "angles_deg": [0, 45],
        "mesh": {"along": 12, "across": 8},
        "output_times": 4,
        "steps_per_output": 1,
    },
    "design": {"train_records": 190, "test_records": 10, "records_per_shard": 150},
}


def make_run(folder: Path) -> RunFolder[Path]:
    campaign = load(Campaign, ROOT / "dags" / "campaigns" / "single_sheet.yaml", SMALL)
    run = RunFolder(folder)
    frozen = FrozenCampaign(run_id="small", campaign=campaign, code_sha256="ab" * 32)
    publish_model(run.campaign, frozen)
    choose_round(run, campaign, 0, None)
    return run


def start(run: RunFolder[Path], index: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "hpc_jobs.jobs.solve_shard", str(run.root), "--round", "0"],
        env=os.environ | {"TASK_INDEX": str(index)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(run: RunFolder[Path], index: int) -> str:
    process = start(run, index)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder[Path], str]:
    run = make_run(tmp_path_factory.mktemp("undisturbed"))
    finish(run, 0)
    return run, finish(run, 1)


def manifest(run: RunFolder[Path], index: int) -> Manifest:
    return read_manifest(manifest_of(run.shard(0, index)), "shard")


def test_killed_and_started_again_leaves_the_same_bytes(
    tmp_path: Path, undisturbed: tuple[RunFolder[Path], str]
) -> None:
    run = make_run(tmp_path)
    process = start(run, 0)
    deadline = time.monotonic() + 120
    while not list(run.parts(0, 0).glob("part-*.npz")):
        assert time.monotonic() < deadline, "no part was published"
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert not run.shard(0, 0).exists()
    torn = run.parts(0, 0) / "part-9999999-9999999.npz"
    torn.write_bytes(b"PK\x03\x04 torn")
    output = finish(run, 0)
    first = next(line for line in output.splitlines() if "records" in line and " of " in line)
    assert int(first.split(" of ")[0].split()[-1]) > 0, "the first attempt's records were lost"
    assert manifest(run, 0) == manifest(undisturbed[0], 0)
    assert run.shard(0, 0).read_bytes() == undisturbed[0].shard(0, 0).read_bytes()
    assert not run.parts(0, 0).exists()


def test_a_published_shard_is_not_solved_again(undisturbed: tuple[RunFolder[Path], str]) -> None:
    run, _ = undisturbed
    before = run.shard(0, 1).stat().st_mtime_ns
    assert " of " not in finish(run, 1)
    assert run.shard(0, 1).stat().st_mtime_ns == before


def test_a_corrupt_shard_is_solved_again(
    tmp_path: Path, undisturbed: tuple[RunFolder[Path], str]
) -> None:
    run = make_run(tmp_path)
    for path in (run.shard(0, 1), manifest_of(run.shard(0, 1))):
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = undisturbed[0].shard(0, 1).with_suffix(path.suffix).read_bytes()
        altered = bytes([*whole[:-1], whole[-1] ^ 1])
        path.write_bytes(altered if path.suffix == ".h5" else whole)
    assert "it is solved again" in finish(run, 1)
    assert run.shard(0, 1).read_bytes() == undisturbed[0].shard(0, 1).read_bytes()


def test_a_shard_holds_its_rows_and_explains_itself(
    undisturbed: tuple[RunFolder[Path], str],
) -> None:
    run, output = undisturbed
    chosen = read_round(run, 0)
    campaign = load(Campaign, ROOT / "dags" / "campaigns" / "single_sheet.yaml", SMALL)
    facts = manifest(run, 1).facts
    assert facts["records"] == 50
    assert sum(facts["by_status"].values()) == 50
    assert "50 of 50 records" in output
    with h5py.File(run.shard(0, 1)) as file:
        assert np.array_equal(file[ShardFields.POINT][:], np.arange(150, 200))
        assert np.array_equal(file[ShardFields.PARAMETERS][:], chosen.parameters[150:])
        assert file[ShardFields.IS_TEST][:].sum() == 10
        statuses = file[ShardFields.STATUS][:]
        ok = statuses == 0
        assert ok.sum() == facts["by_status"]["ok"] > 40
        assert np.isfinite(file[ShardFields.STRAINS][:][ok]).all()
        assert np.isnan(file[ShardFields.STRAINS][:][~ok]).all()
        record = simulate(chosen.parameters[150], campaign.material, campaign.specimens)
        assert RecordStatus.NAMES[statuses[0]] == record.status
        assert np.array_equal(
            file[ShardFields.STRAINS][0], record.strains.astype(np.float32), equal_nan=True
        )
        assert file[ShardFields.FORCES].attrs["unit"] == "N"
        assert file.attrs["campaign_fingerprint"] == campaign.fingerprint
        assert file.attrs["code_sha256"] == "ab" * 32
        assert "ln U" in file.attrs["strain_measure"]
        assert Specimens.model_validate_json(file.attrs["specimens"]) == campaign.specimens
        assert json.loads(file.attrs["targets"]) == campaign.targets


def test_a_shard_that_does_not_exist_is_refused(undisturbed: tuple[RunFolder[Path], str]) -> None:
    process = start(undisturbed[0], 2)
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "round 0 has shards 0 to 1" in output
