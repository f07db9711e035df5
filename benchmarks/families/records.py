"""Records of a family, simulated on all cores and kept, and the run folder that they make."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.records import (
    RecordStatus,
    ShardFields,
    publish,
    publish_manifest,
    publish_model,
)
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.design.mechanical import draw
from hpc_jobs.design.sobol import TEST, TRAIN
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.identification.quantities import derived_of

BLOCK = 50
COLUMNS = ("parameters", "sheet", "strains", "forces", "displacements")

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Table:
    """Noise-free records, row by row; those that could not be simulated are left out."""

    parameters: FloatArray  # (n, targets)
    sheet: FloatArray  # (n, coordinates)
    strains: NDArray[np.float32]  # (n, strain_values)
    forces: FloatArray  # (n, force_values), N
    displacements: FloatArray  # (n, force_values), mm

    def __len__(self) -> int:
        return len(self.parameters)

    def rows(self, chosen: slice) -> "Table":
        """Return some of them."""
        return Table(*(getattr(self, name)[chosen] for name in COLUMNS))


def simulated(
    cache: Path, campaign: Campaign, records: int, *, test: bool, first: int = 0
) -> Table:
    """Return records of a stream from `first` on, from the cache if they are there."""
    which = ("test" if test else "train") + (f"-from-{first}" if first else "")
    path = cache / f"{campaign.name}-{which}-{records}-{campaign.question}.npz"
    if not path.exists():
        drawn = draw(campaign, TEST if test else TRAIN, first, records)
        table = solved(campaign, drawn.parameters, drawn.sheet)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{name: getattr(table, name) for name in COLUMNS})
    with np.load(path) as stored:
        return Table(*(stored[name] for name in COLUMNS))


def solved(campaign: Campaign, parameters: FloatArray, sheets: FloatArray) -> Table:
    """Simulate sheets on all cores."""
    starts = range(0, len(parameters), BLOCK)
    blocks = [(parameters[i : i + BLOCK], sheets[i : i + BLOCK]) for i in starts]
    with ProcessPoolExecutor() as pool:
        found = [row for block in pool.map(partial(_block, campaign), blocks) for row in block]
    good = [row for row in found if row is not None]
    if not good:
        strains, forces = campaign.specimens.strain_values, campaign.specimens.force_values
        none = np.empty((0, forces))
        empty = np.empty((0, strains), np.float32)
        return Table(parameters[:0], sheets[:0], empty, none, none)
    return Table(*(np.array(column) for column in zip(*good, strict=True)))


def _block(
    campaign: Campaign, block: tuple[FloatArray, FloatArray]
) -> Sequence[tuple[NDArray[np.floating], ...] | None]:
    family, (_, backend) = campaign.family, backend_of(campaign.solver)
    found: list[tuple[NDArray[np.floating], ...] | None] = []
    for parameters, sheet in zip(*block, strict=True):
        values = sheet.tolist()
        record = backend.simulate(
            parameters[list(campaign.columns)],
            family.material_of(values),
            family.specimens_of(values, campaign.specimens),
        )
        strains = record.strains.astype(np.float32)
        row = (parameters, sheet, strains, record.forces, record.displacements)
        found.append(row if record.status == "ok" else None)
    return found


def run_of(
    cache: Path, campaign: Campaign, train: Table, test: Table, first: int = 0
) -> RunFolder[Path]:
    """Lay records out as a campaign's round 0 and publish their dataset; first: of the tests."""
    tests = f"-from-{first}" if first else ""
    run = RunFolder(cache / f"run-{campaign.name}-{len(train)}-{campaign.fingerprint[:8]}{tests}")
    if not run.dataset_manifest.exists():
        frozen = FrozenCampaign(run_id="family", campaign=campaign, code_sha256="0" * 64)
        publish_model(run.campaign, frozen)
        _write_round(run, train, test)
        publish_dataset(run, campaign, derived_of(campaign))
    return run


def _write_round(run: RunFolder[Path], train: Table, test: Table) -> None:
    columns = {
        name: np.concatenate([getattr(train, name), getattr(test, name)]) for name in COLUMNS
    }
    count, path = len(train) + len(test), run.design(0)
    with publish(path) as temporary, temporary.open("wb") as file:
        np.savez(file, parameters=columns["parameters"], sheet=columns["sheet"])
    publish_manifest(manifest_of(path), "design", [path], round=0, records=count, shards=1)
    shard = run.shard(0, 0)
    with publish(shard) as temporary, h5py.File(temporary, "w") as file:
        for name in COLUMNS:
            file[getattr(ShardFields, name.upper())] = columns[name]
        file[ShardFields.STATUS] = np.full(count, RecordStatus.NAMES.index("ok"), np.uint8)
        file[ShardFields.POINT] = np.arange(count)
        file[ShardFields.IS_TEST] = np.arange(count) >= len(train)
    publish_manifest(manifest_of(shard), "shard", [shard], records=count)
