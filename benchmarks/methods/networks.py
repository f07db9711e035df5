"""Networks trained on cached records by the project's own jobs' code: pack, train, publish, load.

    <cache>/<key>/                 a run folder, as a campaign's; key: campaign and records

A model that is there already and can be read is not trained again.
"""

import hashlib
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np

from benchmarks.methods.records import Records
from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.records import ShardFields, publish, publish_manifest, publish_model
from hpc_jobs.contract.training import Network
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.identification.rival import RIVALS
from hpc_jobs.learning.models.trained_model import TrainedModel, load_model
from hpc_jobs.learning.training.experiment import train_network
from hpc_jobs.learning.training.team import Team
from hpc_jobs.tracking.spool import Spool

SHARD = 5_000


def trained(run: RunFolder[Path], campaign: Campaign, spec: Network, team: Team) -> TrainedModel:
    """Load models/<spec.name> of a packed run, trained now if it is not there."""
    with suppress(CorruptFile):
        model = load_model(run.model(spec.name))
        if model.card.network == spec:
            return model
    with Spool(run.root / "spool" / f"{spec.name}.jsonl", name=spec.name) as spool:
        train_network(
            run,
            campaign,
            spec,
            spec.name,
            spool=spool,
            progress=lambda *_: None,
            stop=lambda: False,
            team=team,
            rivals=RIVALS,
        )
    return load_model(run.model(spec.name))


def packed(cache: Path, campaign: Campaign, train: Records, test: Records) -> RunFolder[Path]:
    """Lay records out as a campaign's round 0 and publish their dataset."""
    said = f"{campaign.fingerprint} {train.sha256} {test.sha256}"
    run = RunFolder(cache / f"run-{hashlib.sha256(said.encode()).hexdigest()[:12]}")
    if not run.campaign.exists():
        _write_round(run, campaign, train, test)
        frozen = FrozenCampaign(run_id=run.root.name, campaign=campaign, code_sha256="0" * 64)
        publish_model(run.campaign, frozen)
    publish_dataset(run, campaign)
    return run


def _write_round(run: RunFolder[Path], campaign: Campaign, train: Records, test: Records) -> None:
    parameters, strains, forces = (
        np.concatenate([getattr(train, name), getattr(test, name)])
        for name in ("parameters", "strains", "forces")
    )
    is_test = np.arange(len(parameters)) >= len(train)
    starts = range(0, len(parameters), SHARD)
    with publish(run.design(0)) as temporary, temporary.open("wb") as file:
        np.savez(file, parameters=parameters, is_test=is_test, point=np.arange(len(parameters)))
    publish_manifest(
        manifest_of(run.design(0)),
        "design",
        [run.design(0)],
        round=0,
        records=len(parameters),
        shards=len(starts),
    )
    for index, start in enumerate(starts):
        rows, path = np.arange(start, min(start + SHARD, len(parameters))), run.shard(0, index)
        columns = {
            ShardFields.PARAMETERS: parameters[rows],
            ShardFields.STRAINS: strains[rows],
            ShardFields.FORCES: forces[rows],
            ShardFields.STATUS: np.zeros(len(rows), np.uint8),
            ShardFields.POINT: rows,
            ShardFields.IS_TEST: is_test[rows],
        }
        with publish(path) as temporary, h5py.File(temporary, "w") as shard:
            for name, values in columns.items():
                shard[name] = values
        publish_manifest(manifest_of(path), "shard", [path], records=len(rows))
