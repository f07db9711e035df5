"""Dealing: shards are read once, and their records written in the order of their keys.

A unit of shards becomes one file: runs, each as large as the memory allows and sorted by key, and
so by bucket. What a packed file needs of a unit lies in one stroke for each run. The index beside
it, published last, says where, and what must be known of the records.
"""

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.answers import is_log_stress
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import UNREADABLE_ARRAYS, CorruptFile
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.packing import BESIDES, MIB, record_bytes
from hpc_jobs.contract.records import publish
from hpc_jobs.dataset.census import Census
from hpc_jobs.dataset.facts import PackedFields, Source
from hpc_jobs.dataset.keys import buckets_of, sorted_by_key
from hpc_jobs.dataset.plan import PackingPlan
from hpc_jobs.dataset.rows import IS_TEST, KEY, Rows, fill, row_type
from hpc_jobs.dataset.shards import Derived, Shard, read_blocks

HELD_SHARD = 0.1  # of the memory: a larger shard is not held whole
STROKE = 16 * MIB

Progress = Callable[[int, int], None]


class Run(Protocol):
    """Records of part of a unit, sorted by bucket and key."""

    def count(self, bucket: int) -> int:
        """How many of them lie in a bucket."""
        ...

    def read(self, bucket: int, into: Rows) -> None:
        """Copy those of a bucket."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class HeldRun:
    """A run in memory."""

    rows: Rows
    order: NDArray[np.intp]
    starts: NDArray[np.int64]  # (buckets + 1,) places in the order

    def count(self, bucket: int) -> int:
        """How many lie in a bucket."""
        return int(self.starts[bucket + 1] - self.starts[bucket])

    def read(self, bucket: int, into: Rows) -> None:
        """Copy those of a bucket."""
        into[:] = self.rows[self.order[self.starts[bucket] : self.starts[bucket + 1]]]


@dataclass(frozen=True, slots=True, eq=False)
class FileRun:
    """A run on disk."""

    path: Path
    offset: int  # bytes
    starts: NDArray[np.int64]
    checksums: NDArray[np.uint32]  # (buckets,)

    def count(self, bucket: int) -> int:
        """How many lie in a bucket."""
        return int(self.starts[bucket + 1] - self.starts[bucket])

    def read(self, bucket: int, into: Rows) -> None:
        """Read those of a bucket in one stroke; raises CorruptFile if they were altered."""
        view = memoryview(into.view(np.uint8).reshape(-1).data)
        place = self.offset + int(self.starts[bucket]) * into.dtype.itemsize
        with self.path.open("rb", buffering=0) as file:
            file.seek(place)
            while view and (got := file.readinto(view)):
                view = view[got:]
        found = zlib.crc32(into.view(np.uint8).reshape(-1).data)
        if view or found != int(self.checksums[bucket]):
            raise CorruptFile(
                f"{self.path}: what was dealt to bucket {bucket} is damaged; remove the folder "
                f"{self.path.parent} and publish the dataset again"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """What one unit of shards was dealt to, and what its records say together."""

    runs: tuple[Run, ...]
    census: Census


class Dealer:
    """Deals the shards of one plan, unit by unit, within some memory."""

    def __init__(
        self,
        run: RunFolder[Path],
        campaign: Campaign,
        derived: Derived,
        plan: PackingPlan,
        memory_mib: int,
    ) -> None:
        self.plan, self._run, self._campaign, self._derived = plan, run, campaign, derived
        specimens = campaign.specimens
        self.row_type = row_type(
            specimens.strain_values,
            specimens.force_values,
            len(plan.targets),
            len(plan.coordinates),
            len(specimens.told_displacements),
        )
        self.units = plan.units(self.row_type.itemsize)
        self._memory = memory_mib * MIB
        self._most = max(1, int(BESIDES * self._memory) // self.row_type.itemsize)  # rows of a run

    @property
    def folder(self) -> Path:
        """Where dealt records lie."""
        return self._run.packing(self.plan.generation)

    @property
    def census(self) -> Census:
        """An empty one, of the kind that this campaign needs."""
        return Census(
            relative=np.array([is_log_stress(name) for name in self.plan.targets]),
            times=self._campaign.specimens.output_times,
            every=self.plan.every,
        )

    @property
    def fits_at_once(self) -> bool:
        """Whether all records can be held in memory."""
        return self.records * record_bytes(self._campaign) <= BESIDES * self._memory

    @property
    def records(self) -> int:
        """Records of the plan, failed ones included."""
        return sum(source.records for source in self.plan.sources)

    def is_dealt(self, number: int) -> bool:
        """Whether a unit lies dealt on disk, by this very plan."""
        return self._index(number) is not None

    def hold(self, number: int) -> Unit:
        """Deal a unit in memory; only if all fit at once."""
        census, runs = self.census, []
        for rows in self._filled(self.units[number], census):
            runs.append(HeldRun(rows, *self._sorted(rows)))
        return Unit(tuple(runs), census)

    def deal(self, number: int) -> None:
        """Deal a unit to disk, unless it is already; raises CorruptFile."""
        if self.is_dealt(number):
            return
        census, offset = self.census, 0
        offsets, starts, checksums = [], [], []
        with publish(self._data(number)) as temporary, temporary.open("wb", buffering=0) as file:
            for rows in self._filled(self.units[number], census):
                order, places = self._sorted(rows)
                offsets.append(offset)
                starts.append(places)
                checksums.append(_write_run(file, rows, order, places))
                offset += rows.nbytes
        with publish(self._index_path(number)) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                identity=np.array(self.plan.identity),
                offsets=np.array(offsets, dtype=np.int64),
                starts=np.array(starts, dtype=np.int64),
                checksums=np.array(checksums, dtype=np.uint32),
                **census.arrays(),
            )

    def runs(self, number: int) -> tuple[Run, ...]:
        """Return the runs of a unit that lies on disk; raises CorruptFile if it does not."""
        index = self._index(number)
        if index is None:
            raise self._missing(number)
        parts = zip(index["offsets"], index["starts"], index["checksums"], strict=True)
        return tuple(FileRun(self._data(number), int(offset), *rest) for offset, *rest in parts)

    def counted(self, number: int) -> Census:
        """Return the census of a unit that lies on disk; raises CorruptFile if it does not."""
        if not self.is_dealt(number):
            raise self._missing(number)
        with np.load(self._index_path(number), allow_pickle=False) as stored:
            return self.census.from_arrays(stored)

    def _index(self, number: int) -> dict[str, NDArray[Any]] | None:
        path = self._index_path(number)
        try:
            with np.load(path, allow_pickle=False) as stored:
                if str(stored["identity"]) != self.plan.identity:
                    return None
                return {name: stored[name] for name in ("offsets", "starts", "checksums")}
        except FileNotFoundError:
            return None
        except UNREADABLE_ARRAYS:
            return None

    def _missing(self, number: int) -> CorruptFile:
        return CorruptFile(
            f"{self._index_path(number)}: missing or of another plan; run deal_records first"
        )

    def _data(self, number: int) -> Path:
        return self.folder / f"dealt-{number:05d}.rows"

    def _index_path(self, number: int) -> Path:
        return self.folder / f"dealt-{number:05d}.npz"

    def _filled(self, unit: Sequence[Source], census: Census) -> Iterator[Rows]:
        """Read a unit's shards into rows, as many at a time as the memory allows.

        The rows are overwritten by the next ones.
        """
        wanted = min(self._most, sum(source.records for source in unit))
        rows, filled = np.zeros(wanted, self.row_type), 0
        for shard in self._blocks(unit):
            census.add(shard)
            for part in self._parts(shard, wanted):
                if filled + len(part) > wanted:
                    yield rows[:filled]
                    filled = 0
                fill(rows[filled : filled + len(part)], part, self.plan.seed, self.plan.generation)
                filled += len(part)
        if filled:
            yield rows[:filled]

    def _blocks(self, unit: Sequence[Source]) -> Iterator[Shard]:
        held = int(HELD_SHARD * self._memory)
        for source in unit:
            yield from map(self._derived.on, read_blocks(self._run, source, self._campaign, held))

    def _parts(self, shard: Shard, most: int) -> Iterator[Shard]:
        """Leave out test records that nobody wants; cut what is larger than the memory."""
        if not self.plan.test_buckets:
            shard = shard.rows(np.flatnonzero(~shard.is_test))
        for start in range(0, len(shard), most):
            yield shard.rows(slice(start, start + most)) if len(shard) > most else shard

    def _sorted(self, rows: Rows) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Order of rows by bucket and key, and where each bucket begins in it."""
        plan, test = self.plan, rows[IS_TEST].astype(bool)
        bucket = np.where(
            test,
            plan.buckets + buckets_of(rows[KEY], max(1, plan.test_buckets)),
            buckets_of(rows[KEY], plan.buckets),
        )
        order = sorted_by_key(rows[KEY], rows[PackedFields.ORIGIN])
        order = order[np.argsort(bucket[order], kind="stable")]
        counts = np.bincount(bucket, minlength=plan.buckets + plan.test_buckets)
        return order, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _write_run(
    file: Any, rows: Rows, order: NDArray[np.intp], starts: NDArray[np.int64]
) -> NDArray[np.uint32]:
    """Write rows in their order, in long strokes; a checksum for each bucket."""
    checksums = np.zeros(len(starts) - 1, np.uint32)
    several = max(1, STROKE // rows.dtype.itemsize)
    for start in range(0, len(order), several):
        stop = min(start + several, len(order))
        stroke = rows[order[start:stop]].view(np.uint8)
        _write_all(file, memoryview(stroke.reshape(-1).data))
        first = int(np.searchsorted(starts, start, side="right")) - 1
        for bucket in range(first, len(checksums)):
            low, high = max(start, int(starts[bucket])), min(stop, int(starts[bucket + 1]))
            if low >= stop:
                break
            if low < high:
                size = rows.dtype.itemsize
                part = stroke.reshape(-1)[(low - start) * size : (high - start) * size]
                checksums[bucket] = zlib.crc32(part.data, int(checksums[bucket]))
    return checksums


def _write_all(file: Any, view: memoryview) -> None:
    while view:
        view = view[os.write(file.fileno(), view) :]
