"""Shards of made-up records in the layout of solved ones, of the production campaign's size."""

from pathlib import Path

import h5py
import numpy as np

from benchmarks.data_pipeline import simulated
from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.records import (
    RecordStatus,
    ShardFields,
    publish,
    publish_manifest,
    publish_model,
)
from hpc_jobs.fem.records.shards import FORMAT

SINGLE = Path(__file__).parents[2] / "dags/campaigns/single_sheet.yaml"
SHARD = 10_000  # records
TEST_SHARE = 0.02
FAILED = 200  # of so many records one failed


def campaign_of(records: int) -> Campaign:
    """Return a campaign of one sheet with so many records, one in fifty a test record."""
    test = round(TEST_SHARE * records)
    design = {"train_records": records - test, "test_records": test, "records_per_shard": SHARD}
    return load(Campaign, SINGLE, {"design": design, "training": {"source": "stream"}})


def freeze(run: RunFolder[Path], campaign: Campaign) -> None:
    """Write campaign.json."""
    frozen = FrozenCampaign(run_id="scale", campaign=campaign, code_sha256="0" * 64)
    publish_model(run.campaign, frozen)


def fill_round(run: RunFolder[Path], number: int, records: int) -> None:
    """Write a round's design and shards; test records in the first round alone.

    Shards that are there already are left: making many may go in pieces.
    """
    shards = -(-records // SHARD)
    design = run.design(number)
    with publish(design) as temporary, temporary.open("wb") as file:
        np.savez(file, records=records)
    said = {"round": number, "records": records, "shards": shards}
    publish_manifest(manifest_of(design), "design", [design], **said)
    every = round(1 / TEST_SHARE)
    for index in range(shards):
        path = run.shard(number, index)
        if path.exists() and manifest_of(path).exists():
            continue
        rows = np.arange(index * SHARD, min((index + 1) * SHARD, records))
        is_test = (rows % every == 0) & (number == 0)
        _write_shard(run, number, index, rows, is_test)


def _write_shard(
    run: RunFolder[Path], number: int, index: int, rows: np.ndarray, is_test: np.ndarray
) -> None:
    targets, strains, forces = simulated(len(rows), 1_000_000 * number + index)
    status = np.where(rows % FAILED == 3, RecordStatus.NAMES.index("newton"), 0).astype(np.uint8)
    strains[status != 0] = np.nan
    columns = {
        ShardFields.PARAMETERS: targets,
        ShardFields.IS_TEST: is_test,
        ShardFields.POINT: rows,
        ShardFields.MESH_LEVEL: np.zeros(len(rows), np.uint8),
        ShardFields.STRAINS: strains.astype(np.float32),
        ShardFields.FORCES: forces.astype(np.float32),
        ShardFields.STATUS: status,
        ShardFields.REASON: np.full(len(rows), b"", dtype="S64"),
        ShardFields.PLASTIC_STRAIN: np.full(len(rows), 0.1, np.float32),
        ShardFields.ITERATIONS: np.full(len(rows), 100, np.int32),
    }
    path = run.shard(number, index)
    with publish(path) as temporary, h5py.File(temporary, "w", libver=FORMAT) as file:
        for name, column in columns.items():
            file.create_dataset(name, data=column, track_times=False)
    failed = int((status != 0).sum())
    by_status = {"newton": failed, "ok": len(rows) - failed}
    publish_manifest(manifest_of(path), "shard", [path], records=len(rows), by_status=by_status)
