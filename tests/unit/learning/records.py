"""Shards of a cheap, smooth, nonlinear function, written as the FEM wing writes its own."""

from pathlib import Path

import h5py
import numpy as np

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.loading import parse
from hpc_jobs.contract.records import (
    RecordStatus,
    ShardFields,
    publish,
    publish_manifest,
    publish_model,
)

TARGETS = {f"MP{i}": f"alpha{i}" for i in range(1, 9)}


def campaign_of(**training) -> Campaign:
    document = {
        "name": "unit",
        "description": "Small enough for a unit test.",
        "material": {
            "exponent": 6,
            "youngs_modulus_mpa": 200000,
            "poisson_ratio": 0.33,
            "hardening": {"law": "swift", "strength_mpa": 1, "prestrain": 0.1, "exponent": 0.2},
        },
        "targets": TARGETS,
        "specimens": {"output_times": 5, "patches": {"along": 4, "across": 2}},
        "design": {"train_records": 240, "test_records": 40, "records_per_shard": 50},
        "training": {
            "networks": [
                {"kind": "multitask_cnn", "channels": 8, "components": 16},
                {"kind": "mlp", "hidden": [32], "components": 16},
            ],
            "epochs": 6,
            "batch_size": 32,
            "schedule": {"kind": "sine_wave"},
        }
        | training,
        "validation": {"measurements": ["none"]},
        "execution": {"cpu_cluster": "cpu", "gpu_cluster": "ai", "workspace": "w"},
    }
    return parse(Campaign, document, "unit test")


def solve(parameters, strain_values):
    """(n, 8) -> (n, strain_values): smooth, nonlinear, information spread over four decades."""
    rng = np.random.default_rng(7)
    hidden = np.tanh((parameters - 1) @ rng.normal(size=(8, 24)) * 2)
    smooth = np.cos(np.outer(np.arange(24) + 1, np.linspace(0, np.pi, strain_values)))
    decay = 10 ** -np.linspace(0, 2, 24)[:, None]
    return 0.05 + hidden @ (0.02 * decay * smooth)


def pull(parameters, force_values):
    """(n, 8) -> (n, force_values) N: what strains of `solve` say nothing of, the sum above all."""
    rise = np.linspace(0.5, 1, force_values) ** 0.2
    shape = np.cos(np.outer(np.arange(8) + 1, np.linspace(0, np.pi, force_values)))
    return 8000 * rise * np.exp((parameters - 1) @ (0.3 + 0.1 * shape))


def freeze(run: RunFolder[Path], campaign: Campaign) -> None:
    """Write campaign.json, as the control host does."""
    frozen = FrozenCampaign(run_id="unit", campaign=campaign, code_sha256="0" * 64)
    publish_model(run.campaign, frozen)


def fill_round(
    run: RunFolder[Path], campaign: Campaign, number=0, *, seed=1, test=40, train=240, weigh=None
):
    """Write a design and all its shards, with some failed records, as the FEM wing does.

    weigh: (n, 8) parameters to importance weights (n,); without, the shards have none.
    """
    rng = np.random.default_rng(seed)
    records = train + test
    parameters = rng.uniform(0.9, 1.1, (records, 8))
    is_test = np.arange(records) % (records // test if test else records + 1) == 0
    is_test &= np.cumsum(is_test) <= test
    shards = campaign.design.shards(records)
    with publish(run.design(number)) as path, path.open("wb") as file:
        np.savez(file, parameters=parameters, is_test=is_test, point=np.arange(records))
    publish_manifest(
        manifest_of(run.design(number)),
        "design",
        [run.design(number)],
        round=number,
        records=records,
        shards=shards,
        rejected=0,
    )
    for index in range(shards):
        rows = np.arange(records)[index * campaign.design.records_per_shard :]
        rows = rows[: campaign.design.records_per_shard]
        write_shard(run, campaign, number, index, rows, parameters[rows], is_test[rows], weigh)


def write_shard(run, campaign, number, index, rows, parameters, is_test, weigh=None):
    specimens = campaign.specimens
    strains = solve(parameters, specimens.strain_values)
    forces = pull(parameters, specimens.force_values)
    status = np.where(rows % 25 == 3, RecordStatus.NAMES.index("newton"), 0)
    strains[status != 0] = np.nan
    path = run.shard(number, index)
    with publish(path) as temporary, h5py.File(temporary, "w") as file:
        file[ShardFields.PARAMETERS] = parameters
        file[ShardFields.STRAINS] = strains.astype(np.float32)
        file[ShardFields.FORCES] = forces.astype(np.float32)
        file[ShardFields.STATUS] = status.astype(np.uint8)
        file[ShardFields.POINT] = rows
        file[ShardFields.IS_TEST] = is_test
        if weigh is not None:
            file[ShardFields.WEIGHT] = weigh(parameters)
    names, counts = np.unique(status, return_counts=True)
    by_status = {RecordStatus.NAMES[k]: int(n) for k, n in zip(names, counts, strict=True)}
    publish_manifest(manifest_of(path), "shard", [path], records=len(rows), by_status=by_status)
