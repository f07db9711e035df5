"""The published shards of a run, verified: what the dataset is packed from."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.records import Manifest, RecordStatus, ShardFields, read_manifest
from hpc_jobs.contract.workspace import RunFolder, manifest_of
from hpc_jobs.learning.data.facts import Source

OK = RecordStatus.NAMES.index("ok")


@dataclass(frozen=True, slots=True)
class Inventory:
    """Every shard of a run, in a fixed order, and which are missing."""

    shards: tuple[tuple[int, Path], ...]  # round, file
    missing: tuple[str, ...]
    rounds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard's good records and its counts."""

    source: Source
    strains: NDArray[np.float32]  # (n, strain_values)
    forces: NDArray[np.float32]  # (n, force_values) N
    parameters: NDArray[np.float64]  # (n, targets)
    origin: NDArray[np.int64]  # (n, 2) round, point
    is_test: NDArray[np.bool_]  # (n,)
    by_status: Counter[str]


def take_inventory(run: RunFolder[Path], allowed_loss: float) -> Inventory:
    """List the shards of all rounds from the design manifests.

    Raises CorruptFile if the newest round lacks more than that fraction of its shards. Earlier
    rounds were judged when they were the newest, or were abandoned: they are only listed.
    """
    present: list[tuple[int, Path]] = []
    missing: list[str] = []
    rounds = _rounds(run)
    for number in rounds:
        design = read_manifest(manifest_of(run.design(number)), "design", verify=False)
        paths = [run.shard(number, index) for index in range(int(design.facts["shards"]))]
        found = [path for path in paths if manifest_of(path).exists()]
        absent = [path for path in paths if not manifest_of(path).exists()]
        if number == rounds[-1] and len(absent) > allowed_loss * len(paths):
            raise CorruptFile(
                f"round {number} lacks {len(absent)} of {len(paths)} shards, first "
                f"{absent[0]}; the campaign may lose {allowed_loss:.2%}: solve them again"
            )
        present += [(number, path) for path in found]
        missing += [path.relative_to(run.root).as_posix() for path in absent]
    return Inventory(shards=tuple(present), missing=tuple(missing), rounds=tuple(rounds))


def lineage(run: RunFolder[Path], inventory: Inventory) -> tuple[Source, ...]:
    """Where the records come from, by SHA-256, without reading the data."""
    return tuple(
        _source(run, number, path, read_manifest(manifest_of(path), "shard", verify=False))
        for number, path in inventory.shards
    )


def read_shards(
    run: RunFolder[Path], inventory: Inventory, campaign: Campaign, *, verify: bool = True
) -> Iterator[Shard]:
    """Verify and read one shard after the other; raises CorruptFile naming the shard."""
    for number, path in inventory.shards:
        manifest = read_manifest(manifest_of(path), "shard", verify=verify)
        yield _read(path, number, _source(run, number, path, manifest), campaign)


def _rounds(run: RunFolder[Path]) -> list[int]:
    numbers = sorted(
        int(path.stem.removeprefix("round-")) for path in run.design(0).parent.glob("round-*.json")
    )
    if not numbers:
        raise CorruptFile(f"{run.design(0)}: no round was designed; run choose_points first")
    return numbers


def _source(run: RunFolder[Path], number: int, path: Path, manifest: Manifest) -> Source:
    return Source(
        round=number,
        shard=path.relative_to(run.root).as_posix(),
        sha256=manifest.files[0].sha256,
        records=int(manifest.facts["records"]),
    )


def _read(path: Path, number: int, source: Source, campaign: Campaign) -> Shard:
    specimens, records = campaign.specimens, source.records
    widths = {
        ShardFields.STRAINS: (records, specimens.strain_values),
        ShardFields.FORCES: (records, specimens.force_values),
        ShardFields.PARAMETERS: (records, len(campaign.targets)),
        ShardFields.STATUS: (records,),
        ShardFields.POINT: (records,),
        ShardFields.IS_TEST: (records,),
    }
    with h5py.File(path, "r") as file:
        data = {name: _column(path, file, name, shape) for name, shape in widths.items()}
    status = data[ShardFields.STATUS]
    good = status == OK
    strains, forces = data[ShardFields.STRAINS][good], data[ShardFields.FORCES][good]
    for name, values in (("strains", strains), ("forces", forces)):
        if not np.isfinite(values).all():
            raise CorruptFile(f"{path}: {name} of a record with status ok are not finite; redo it")
    if not (forces > 0).all():
        raise CorruptFile(
            f"{path}: forces of a record with status ok are not all positive, {forces.min():g} N "
            "is the lowest; a specimen under tension pulls: solve it again"
        )
    points = data[ShardFields.POINT][good].astype(np.int64)
    return Shard(
        source=source,
        strains=strains.astype(np.float32, copy=False),
        forces=forces.astype(np.float32, copy=False),
        parameters=data[ShardFields.PARAMETERS][good].astype(np.float64, copy=False),
        origin=np.stack([np.full_like(points, number), points], axis=1),
        is_test=data[ShardFields.IS_TEST][good].astype(bool),
        by_status=Counter(RecordStatus.NAMES[code] for code in status),
    )


def _column(path: Path, file: h5py.File, name: str, shape: tuple[int, ...]) -> NDArray[np.generic]:
    if name not in file:
        raise CorruptFile(f"{path}: no dataset '{name}'; not a shard of this version")
    if file[name].shape != shape:
        raise CorruptFile(
            f"{path}: '{name}' has shape {file[name].shape}, campaign and manifest say {shape}"
        )
    values: NDArray[np.generic] = file[name][...]
    return values
