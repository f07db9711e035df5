"""Packing: the records of one bucket, put into their order in memory and written in one stroke."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ContractError, CorruptFile
from hpc_jobs.contract.frozen import Frozen
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import (
    FileEntry,
    entry_of,
    publish_model,
    read_model,
    verify_file,
)
from hpc_jobs.contract.training import STORED_COMPONENTS
from hpc_jobs.dataset.census import Census
from hpc_jobs.dataset.deal import Dealer, Progress, Run, Unit
from hpc_jobs.dataset.facts import DatasetFacts, PackedFields
from hpc_jobs.dataset.keys import sorted_by_key
from hpc_jobs.dataset.packed import write_packed
from hpc_jobs.dataset.rows import KEY, Rows, columns_in
from hpc_jobs.dataset.spectrum import Spectra, publish_spectra, read_spectra

log = logging.getLogger(__name__)

DISPLACEMENT_NOISE = 1e-3
"""Relative: differences of output times below it tell networks nothing."""


class Settled(Frozen):
    """dataset/packing/gNNNN/settled.json: what all units together say; then files are written."""

    identity: str  # of the plan
    train: int
    test: int
    weighted: bool
    by_status: dict[str, int]
    low: Annotated[tuple[float, ...], Field(description="of a first generation's targets")]
    high: tuple[float, ...]
    uncarried: Annotated[float, Field(ge=0, description="left of their own or the new records")]
    spectrum: FileEntry  # relative to dataset/


class Written(Frozen):
    """dataset/packing/gNNNN/written-NNNNN.json: one packed file, or none for an empty bucket."""

    identity: str
    records: int
    file: FileEntry | None


def settle(
    run: RunFolder[Path],
    campaign: Campaign,
    dealer: Dealer,
    before: DatasetFacts | None,
    censuses: Iterator[Census],
) -> Settled:
    """Add the units up and find the generation's components, unless it keeps the old ones.

    Whoever finds all units dealt may do so: all find the same. Raises ContractError where a first
    generation lacks training or test records.
    """
    path = dealer.folder / "settled.json"
    if settled := _settled(path, dealer):
        return settled
    total, plan = dealer.census, dealer.plan
    for one in censuses:
        total.merge(one)
    if plan.finds_components and not (total.train and (total.test or before)):
        raise ContractError(
            f"{total.train} good training and {total.test} good test records of "
            f"{dict(total.by_status)}; a dataset needs some of each: see why they failed"
        )
    uncarried = plan.uncarried
    if plan.finds_components:
        spectrum = run.dataset / "packed" / f"spectrum-g{plan.generation:04d}.npz"
        strains = total.strains.spectrum(campaign.noise.strain, STORED_COMPONENTS)
        forces = total.forces.spectrum(
            campaign.noise.force_relative, campaign.specimens.force_values
        )
        told = len(campaign.specimens.told_displacements)
        displacements = total.displacements.spectrum(DISPLACEMENT_NOISE, told) if told else None
        publish_spectra(spectrum, Spectra(strains, forces, displacements))
        left = total.strains.variance(campaign.noise.strain) - strains.variances.sum()
        uncarried = max(0.0, float(left))
    else:
        assert before is not None
        spectrum = run.dataset / before.spectrum_file
    low, high = total.limits() if before is None else (np.zeros(0), np.zeros(0))
    settled = Settled(
        identity=plan.identity,
        train=total.train,
        test=total.test,
        weighted=total.weighted,
        by_status=dict(sorted(total.by_status.items())),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        uncarried=uncarried,
        spectrum=entry_of(run.dataset, spectrum),
    )
    publish_model(path, settled)
    return settled


def _settled(path: Path, dealer: Dealer) -> Settled | None:
    try:
        found = read_model(Settled, path)
        if found.identity != dealer.plan.identity:
            return None
        verify_file(path.parents[2], found.spectrum)
    except CorruptFile:
        return None
    return found


@dataclass
class Packer:
    """Writes packed files of one plan, once it is settled."""

    run: RunFolder[Path]
    dealer: Dealer
    settled: Settled
    units: Sequence[Unit] | None = None  # dealt in memory
    _spectra: Spectra | None = field(default=None, repr=False)
    _runs: list[Run] | None = field(default=None, repr=False)

    @property
    def buckets(self) -> range:
        """All there are: of training records, then of test records."""
        return range(self.dealer.plan.buckets + self.dealer.plan.test_buckets)

    def written(self, bucket: int) -> Written | None:
        """Return what is known of a bucket's file, if it was written by this very plan."""
        try:
            found = read_model(Written, self._note(bucket))
        except CorruptFile:
            return None
        entry = found.file
        if found.identity != self.dealer.plan.identity or (
            entry and not _is_there(self.run.dataset, entry)
        ):
            return None
        return found

    def write(self, bucket: int) -> Written:
        """Write a bucket's file, unless it is written already; raises CorruptFile."""
        if found := self.written(bucket):
            return found
        rows = self._gathered(bucket)
        entry = None
        if len(rows):
            order = sorted_by_key(rows[KEY], rows[PackedFields.ORIGIN])
            columns = columns_in(rows, order)
            del rows
            if bucket < self.dealer.plan.buckets:
                columns |= self._components(columns)
            if bucket >= self.dealer.plan.buckets or not self.settled.weighted:
                del columns[PackedFields.WEIGHT]
            entry = write_packed(self._path(bucket), columns, self.run.dataset)
            records = len(order)
        else:
            records = 0
        found = Written(identity=self.dealer.plan.identity, records=records, file=entry)
        if self.units is None:
            publish_model(self._note(bucket), found)
        return found

    def write_all(self, buckets: Sequence[int], progress: Progress) -> list[Written]:
        """Write some buckets, saying how far it is."""
        done = []
        for number, bucket in enumerate(buckets, 1):
            done.append(self.write(bucket))
            progress(number, len(buckets))
        return done

    def _components(self, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Components of training records; test records outlive their generation, so have none."""
        if self._spectra is None:
            self._spectra = read_spectra(self.run.dataset / self.settled.spectrum.path)
        spectra = self._spectra
        logs = np.log(columns[PackedFields.FORCES].astype(np.float64))
        return {
            PackedFields.COMPONENTS: spectra.strains.components(columns[PackedFields.STRAINS]),
            PackedFields.FORCE_COMPONENTS: spectra.forces.components(logs),
        }

    def _gathered(self, bucket: int) -> Rows:
        runs = [one for one in self._all_runs() if one.count(bucket)]
        counts = [one.count(bucket) for one in runs]
        rows = np.empty(sum(counts), self.dealer.row_type)
        place = 0
        for one, count in zip(runs, counts, strict=True):
            one.read(bucket, rows[place : place + count])
            place += count
        return rows

    def _all_runs(self) -> list[Run]:
        if self._runs is None:
            units = range(len(self.dealer.units))
            held = self.units
            runs = (held[number].runs if held else self.dealer.runs(number) for number in units)
            self._runs = [one for some in runs for one in some]
        return self._runs

    def _path(self, bucket: int) -> Path:
        plan = self.dealer.plan
        test = bucket >= plan.buckets
        number = bucket - plan.buckets if test else bucket
        stem = f"{'test' if test else 'train'}-g{plan.generation:04d}-{number:05d}"
        return self.run.dataset / "packed" / f"{stem}.h5"

    def _note(self, bucket: int) -> Path:
        return self.dealer.folder / f"written-{bucket:05d}.json"


def _is_there(folder: Path, entry: FileEntry) -> bool:
    try:
        return (folder / entry.path).stat().st_size == entry.bytes
    except OSError:
        return False
