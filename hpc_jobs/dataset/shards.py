"""The published shards of a run, verified: what the dataset is packed from."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
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
    FileEntry,
    Manifest,
    RecordStatus,
    ShardFields,
    read_facts,
    read_manifest,
    verified_bytes,
    verify_file,
)
from hpc_jobs.dataset.facts import Source
from hpc_jobs.dataset.hdf5 import column, opened

OK = RecordStatus.NAMES.index("ok")
AGAIN = "solve the shard again"
ROWS = 4096  # of a shard at a time
PROBED = 64  # shards, at most
COLUMNS = (
    "strains", "forces", "parameters", "sheet", "displacements", "origin", "is_test", "weight",
)  # of Shard  # fmt: skip


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
    """Good records of a shard, or of a block of it, and the counts of all."""

    strains: NDArray[np.float32]  # (n, strain_values)
    forces: NDArray[np.float32]  # (n, force_values) N
    parameters: NDArray[np.float64]  # (n, targets), then what was derived
    sheet: NDArray[np.float64]  # (n, coordinates) of the family
    displacements: NDArray[np.float64]  # (n, Specimens.told_displacements) mm
    origin: NDArray[np.int64]  # (n, 2) round, point
    is_test: NDArray[np.bool_]  # (n,)
    weight: NDArray[np.float64]  # (n,) in a loss
    by_status: Counter[str]

    def __len__(self) -> int:
        return len(self.origin)

    def rows(self, chosen: slice | NDArray[np.integer]) -> "Shard":
        """Return some of the records; the counts stay those of all."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in COLUMNS})


@dataclass(frozen=True, slots=True)
class Derived:
    """Targets that follow from a record's parameters and its family's coordinates."""

    names: tuple[str, ...] = ()
    of: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]] | None = None
    """(n, Campaign.targets), (n, coordinates) -> (n, names)"""

    def on(self, shard: Shard) -> Shard:
        """Append them to the parameters of records."""
        if self.of is None:
            return shard
        found = np.empty((0, len(self.names)))
        if len(shard):
            found = self.of(shard.parameters, shard.sheet)
        return replace(shard, parameters=np.hstack([shard.parameters, found]))


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


def read_blocks(
    run: RunFolder[Path], source: Source, campaign: Campaign, hold_bytes: int
) -> Iterator[Shard]:
    """Verify a shard and read it block by block; raises CorruptFile naming the shard.

    It is read once if it has no more than `hold_bytes`, else twice: to verify it, then by blocks.
    """
    path = run.root / source.shard
    entry, size = _entry(run, source), ROWS
    image: Path | BytesIO = path
    if entry.bytes <= hold_bytes:
        image = BytesIO(verified_bytes(path.parent, entry))
    else:
        verify_file(path.parent, entry)
    with opened(path, AGAIN, image) as file:
        table = _Table(file, path, source, campaign)
        for start in range(0, source.records, size):
            yield table.read(slice(start, min(start + size, source.records)))


def probe(
    run: RunFolder[Path], sources: Sequence[Source], campaign: Campaign, records: int
) -> Shard:
    """Read some records evenly out of some shards, which are not verified; raises CorruptFile."""
    chosen = [sources[k] for k in np.unique(np.linspace(0, len(sources) - 1, PROBED).astype(int))]
    each, parts = -(-records // len(chosen)), []
    for source in chosen:
        path, step = run.root / source.shard, max(1, source.records // each)
        with opened(path, AGAIN) as file:
            table = _Table(file, path, source, campaign)
            parts.append(table.read(slice(0, source.records, step)))
    return _joined(parts)


def _joined(parts: Sequence[Shard]) -> Shard:
    columns = {name: np.concatenate([getattr(one, name) for one in parts]) for name in COLUMNS}
    return Shard(by_status=sum((one.by_status for one in parts), Counter()), **columns)


def _entry(run: RunFolder[Path], source: Source) -> FileEntry:
    """Return what the shard's manifest vouches for, if it still is the shard that was listed."""
    path = run.root / source.shard
    manifest = read_manifest(manifest_of(path), "shard", verify=False)
    entry = next((entry for entry in manifest.files if entry.path == path.name), None)
    if entry is None or entry.sha256 != source.sha256:
        raise CorruptFile(
            f"{manifest_of(path)}: solved again while it was packed; publish the dataset again"
        )
    return entry


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


class _Table:
    """An opened shard whose columns are as campaign and manifest say."""

    def __init__(
        self,
        file: h5py.File,
        path: Path,
        source: Source,
        campaign: Campaign,
    ) -> None:
        specimens, records = campaign.specimens, source.records
        layout: dict[str, tuple[str, tuple[int, ...]]] = {
            ShardFields.STRAINS: ("f", (records, specimens.strain_values)),
            ShardFields.FORCES: ("f", (records, specimens.force_values)),
            ShardFields.PARAMETERS: ("f", (records, len(campaign.targets))),
            ShardFields.STATUS: ("iu", (records,)),
            ShardFields.POINT: ("iu", (records,)),
            ShardFields.IS_TEST: ("b", (records,)),
        }
        if campaign.family.coordinates:
            layout[ShardFields.SHEET] = ("f", (records, len(campaign.family.coordinates)))
        if specimens.told_displacements:
            layout[ShardFields.DISPLACEMENTS] = ("f", (records, specimens.force_values))
        if ShardFields.WEIGHT in file.keys():  # noqa: SIM118
            layout[ShardFields.WEIGHT] = ("f", (records,))
        self._columns = {name: _column(file, path, name, *kind) for name, kind in layout.items()}
        _require_provenance(file, path, campaign)
        self._path, self._source, self._times = path, source, specimens.output_times

    def read(self, rows: slice) -> Shard:
        """Read the good ones among some rows; all are counted."""
        data = {name: np.asarray(column[rows]) for name, column in self._columns.items()}
        status = data[ShardFields.STATUS]
        if (unknown := status[(status < 0) | (status >= len(RecordStatus.NAMES))]).size:
            raise CorruptFile(f"{self._path}: a record has the status {unknown[0]}; {AGAIN}")
        good = status == OK
        if not good.all():
            data = {name: values[good] for name, values in data.items()}
        self._check(data)
        points = data[ShardFields.POINT].astype(np.int64)
        sheet = data.get(ShardFields.SHEET, np.empty((len(points), 0)))
        sheet = sheet.astype(np.float64, copy=False)
        return Shard(
            strains=data[ShardFields.STRAINS].astype(np.float32, copy=False),
            forces=data[ShardFields.FORCES].astype(np.float32, copy=False),
            parameters=data[ShardFields.PARAMETERS].astype(np.float64, copy=False),
            sheet=sheet,
            displacements=self._ends(data.get(ShardFields.DISPLACEMENTS), len(points)),
            origin=np.stack([np.full_like(points, self._source.round), points], axis=1),
            is_test=data[ShardFields.IS_TEST].astype(bool),
            weight=data.get(ShardFields.WEIGHT, np.ones(len(points))).astype(np.float64),
            by_status=_counted(status),
        )

    def _ends(self, displacements: NDArray[Any] | None, records: int) -> NDArray[np.float64]:
        """First and last of each test, of (n, specimens x times)."""
        if displacements is None:
            return np.empty((records, 0))
        if not (np.isfinite(displacements).all() and (displacements > 0).all()):
            raise CorruptFile(
                f"{self._path}: output times of a record with status ok are not all at positive "
                f"displacements; {AGAIN}"
            )
        return first_and_last(displacements, self._times)

    def _check(self, data: dict[str, NDArray[Any]]) -> None:
        forces = data[ShardFields.FORCES]
        for name in (ShardFields.STRAINS, ShardFields.FORCES):
            if not np.isfinite(data[name]).all():
                raise CorruptFile(
                    f"{self._path}: {name} of a record with status ok are not finite; redo it"
                )
        if not (forces > 0).all():
            raise CorruptFile(
                f"{self._path}: forces of a record with status ok are not all positive, "
                f"{forces.min():g} N is the lowest; a specimen under tension pulls: {AGAIN}"
            )


def first_and_last(displacements: NDArray[Any], times: int) -> NDArray[np.float64]:
    """Return those of each specimen, (n, 2 specimens), of displacements (n, specimens x times)."""
    ends = displacements.reshape(len(displacements), -1, times)[:, :, [0, -1]]
    return np.asarray(ends.reshape(len(displacements), -1), dtype=np.float64)


def _require_provenance(file: h5py.File, path: Path, campaign: Campaign) -> None:
    """Refuse simulations among a rehearsal's records, and the other way round."""
    found = str(file.attrs.get("provenance", "simulation"))  # rehearsals always say what they are
    if found != campaign.provenance:
        raise CorruptFile(
            f"{path}: its records are of a {found}, the campaign's solver '{campaign.solver}' "
            f"makes those of a {campaign.provenance}; {AGAIN}"
        )


def _counted(status: NDArray[np.integer]) -> Counter[str]:
    codes, counts = np.unique(status, return_counts=True)
    return Counter({RecordStatus.NAMES[k]: int(n) for k, n in zip(codes, counts, strict=True)})


def _column(
    file: h5py.File, path: Path, name: str, kinds: str, shape: tuple[int, ...]
) -> h5py.Dataset:
    found = column(file, name, kinds, AGAIN, path)
    if found.shape != shape:
        raise CorruptFile(
            f"{path}: '{name}' has shape {found.shape}, campaign and manifest say {shape}"
        )
    return found
