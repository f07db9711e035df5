"""The published shards of a run, verified: what the dataset is packed from."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.records import (
    Manifest,
    RecordStatus,
    ShardFields,
    read_facts,
    read_manifest,
)
from hpc_jobs.dataset.facts import Source
from hpc_jobs.dataset.hdf5 import column, opened

OK = RecordStatus.NAMES.index("ok")
AGAIN = "solve the shard again"


class _DesignFacts(BaseModel):
    """What is needed of a design's manifest."""

    shards: Annotated[int, Field(ge=0, le=1_000_000)]


class _ShardFacts(BaseModel):
    """What is needed of a shard's manifest."""

    records: Annotated[int, Field(ge=0)]


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
    parameters: NDArray[np.float64]  # (n, targets), what is derived included
    sheet: NDArray[np.float64]  # (n, coordinates) of the family
    origin: NDArray[np.int64]  # (n, 2) round, point
    is_test: NDArray[np.bool_]  # (n,)
    by_status: Counter[str]


@dataclass(frozen=True, slots=True)
class Derived:
    """Targets that follow from a record's parameters and its family's coordinates."""

    names: tuple[str, ...] = ()
    of: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]] | None = None
    """(n, Campaign.targets), (n, coordinates) -> (n, names)"""


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
        shards = read_facts(_DesignFacts, design).shards
        paths = [run.shard(number, index) for index in range(shards)]
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
    run: RunFolder[Path],
    inventory: Inventory,
    campaign: Campaign,
    derived: Derived,
    *,
    verify: bool = True,
) -> Iterator[Shard]:
    """Verify and read one shard after the other; raises CorruptFile naming the shard."""
    for number, path in inventory.shards:
        manifest = read_manifest(manifest_of(path), "shard", verify=verify)
        yield _read(path, number, _source(run, number, path, manifest), campaign, derived)


def _rounds(run: RunFolder[Path]) -> list[int]:
    numbers = sorted(
        int(path.stem.removeprefix("round-")) for path in run.design(0).parent.glob("round-*.json")
    )
    if not numbers:
        raise CorruptFile(f"{run.design(0)}: no round was designed; run choose_points first")
    return numbers


def _source(run: RunFolder[Path], number: int, path: Path, manifest: Manifest) -> Source:
    entry = next((entry for entry in manifest.files if entry.path == path.name), None)
    if entry is None:
        raise CorruptFile(f"{manifest_of(path)}: does not vouch for {path.name}; {AGAIN}")
    return Source(
        round=number,
        shard=path.relative_to(run.root).as_posix(),
        sha256=entry.sha256,
        records=read_facts(_ShardFacts, manifest).records,
    )


def _read(path: Path, number: int, source: Source, campaign: Campaign, derived: Derived) -> Shard:
    specimens, records = campaign.specimens, source.records
    layout: dict[str, tuple[str, tuple[int, ...]]] = {
        ShardFields.STRAINS: ("f", (records, specimens.strain_values)),
        ShardFields.FORCES: ("f", (records, specimens.force_values)),
        ShardFields.PARAMETERS: ("f", (records, len(campaign.targets))),
        ShardFields.STATUS: ("iu", (records,)),
        ShardFields.POINT: ("iu", (records,)),
        ShardFields.IS_TEST: ("b", (records,)),
    }
    coordinates = campaign.family.coordinates
    if coordinates:
        layout[ShardFields.SHEET] = ("f", (records, len(coordinates)))
    with opened(path, AGAIN) as file:
        data = {name: _column(file, name, *kind) for name, kind in layout.items()}
    status = data[ShardFields.STATUS]
    if (unknown := status[(status < 0) | (status >= len(RecordStatus.NAMES))]).size:
        raise CorruptFile(f"{path}: a record has the status {unknown[0]}; {AGAIN}")
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
    parameters = data[ShardFields.PARAMETERS][good].astype(np.float64, copy=False)
    sheet = np.empty((len(parameters), 0))
    if coordinates:
        sheet = data[ShardFields.SHEET][good].astype(np.float64, copy=False)
    if derived.of and len(parameters):
        parameters = np.hstack([parameters, derived.of(parameters, sheet)])
    elif derived.of:
        parameters = np.empty((0, parameters.shape[1] + len(derived.names)))
    points = data[ShardFields.POINT][good].astype(np.int64)
    return Shard(
        source=source,
        strains=strains.astype(np.float32, copy=False),
        forces=forces.astype(np.float32, copy=False),
        parameters=parameters,
        sheet=sheet,
        origin=np.stack([np.full_like(points, number), points], axis=1),
        is_test=data[ShardFields.IS_TEST][good].astype(bool),
        by_status=Counter(RecordStatus.NAMES[code] for code in status),
    )


def _column(file: h5py.File, name: str, kinds: str, shape: tuple[int, ...]) -> NDArray[Any]:
    found = column(file, name, kinds, AGAIN)
    if found.shape != shape:
        raise CorruptFile(
            f"{file.filename}: '{name}' has shape {found.shape}, campaign and manifest say {shape}"
        )
    values: NDArray[Any] = found[...]
    return values
