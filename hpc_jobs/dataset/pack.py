"""Pack once: all good records of a run, globally permuted, with the lineage of every one.

Reading in the order of the shards ruins training, and a permutation at reading time costs every
epoch. So records are scattered into place once, one shard in memory at a time. Beside the strains
lie their principal components: what a training reads of a record. A later generation keeps the test
records and packs all others anew, in another permutation and with components of its own: that takes
about a tenth of a millisecond of processor a record, far less than simulating it did.
"""

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.answers import is_log_stress
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ContractError
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import publish_manifest, read_manifest
from hpc_jobs.contract.training import STORED_COMPONENTS
from hpc_jobs.dataset.facts import (
    DatasetFacts,
    GivenValues,
    PackedFields,
    Source,
    TargetScaler,
    dataset_facts,
)
from hpc_jobs.dataset.packed import PackedWriter
from hpc_jobs.dataset.shards import (
    Derived,
    Inventory,
    Shard,
    lineage,
    read_shards,
    take_inventory,
)
from hpc_jobs.dataset.spectrum import Moments, Spectra, publish_spectra

Columns = dict[str, NDArray[Any]]

SPECTRUM_RECORDS = 100_000  # evenly out of all shards; more no longer move the components


@dataclass
class _Census:
    """First pass over the shards: everything that must be known before a file is laid out."""

    every: int  # of so many training records one is looked at for the spectra
    relative: NDArray[np.bool_]  # (targets,) to the level of the last forces
    times: int  # of a specimen's forces
    train: int = 0
    test: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    strains: Moments = field(default_factory=Moments)
    forces: Moments = field(default_factory=Moments)  # of their logarithms

    def add(self, shard: Shard) -> None:
        train = shard.parameters[~shard.is_test]
        self.train += len(train)
        self.test += int(shard.is_test.sum())
        self.by_status += shard.by_status
        if len(train):
            forces = np.log(shard.forces[~shard.is_test].astype(np.float64))
            seen = train - self.relative * level_of(forces, self.times)[:, None]
            low, high = seen.min(0), seen.max(0)
            self.low = low if self.low is None else np.minimum(low, self.low)
            self.high = high if self.high is None else np.maximum(high, self.high)
        self.strains.add(shard.strains[~shard.is_test][:: self.every])
        self.forces.add(np.log(shard.forces[~shard.is_test][:: self.every].astype(np.float64)))

    def limits(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest value of each target, relative ones at the mean level."""
        assert self.low is not None and self.high is not None
        mean = float(level_of(self.forces.mean[None], self.times)[0])
        return self.low + self.relative * mean, self.high + self.relative * mean

    def spectra(self, facts: DatasetFacts) -> Spectra:
        """Components of the strains and of the forces, in units of the dataset's noise."""
        return Spectra(
            strains=self.strains.spectrum(facts.noise_strain, STORED_COMPONENTS),
            forces=self.forces.spectrum(facts.noise_force_relative, facts.force_values),
        )


def level_of(log_forces: NDArray[np.float64], times: int) -> NDArray[np.float64]:
    """Mean over the specimens of each one's last logarithm (n,), of (n, specimens x times)."""
    return np.asarray(log_forces[:, times - 1 :: times].mean(1))


def publish_dataset(
    run: RunFolder[Path], campaign: Campaign, derived: Derived | None = None
) -> DatasetFacts:
    """Pack every published shard of the run into its dataset, of a new generation if it grew.

    The test set and the target scaler stay those of the first generation; the components are the
    generation's own. derived: targets of a family beside the campaign's. The old files stay valid
    until the new manifest, written last, is in place.
    Raises CorruptFile.
    """
    inventory = take_inventory(run, campaign.execution.allowed_loss)
    sources = lineage(run, inventory)
    before = _published(run)
    if before and before.lineage == sources:
        return before
    records = sum(source.records for source in sources)
    derived = derived or Derived()
    targets = (*campaign.targets, *derived.names)
    census = _Census(
        every=max(1, records // SPECTRUM_RECORDS),
        relative=np.array([is_log_stress(name) for name in targets]),
        times=campaign.specimens.output_times,
    )
    for shard in read_shards(run, inventory, campaign, derived):
        census.add(shard)
    facts = (
        _grown(before, inventory, campaign, census, sources)
        if before
        else _first(inventory, campaign, census, sources, targets)
    )
    spectra = census.spectra(facts)
    return _pack(run, inventory, campaign, derived, facts, spectra, first=before is None)


def _published(run: RunFolder[Path]) -> DatasetFacts | None:
    if not run.dataset_manifest.exists():
        return None
    return dataset_facts(read_manifest(run.dataset_manifest, "dataset"))


def _first(
    inventory: Inventory,
    campaign: Campaign,
    census: _Census,
    sources: tuple[Source, ...],
    targets: tuple[str, ...],
) -> DatasetFacts:
    if census.low is None or census.high is None or census.test == 0:
        raise ContractError(
            f"{census.train} good training and {census.test} good test records of "
            f"{dict(census.by_status)}; a dataset needs some of each: see why they failed"
        )
    low, high = census.limits()
    return DatasetFacts(
        provenance=campaign.provenance,
        generation=1,
        rounds=inventory.rounds,
        train=census.train,
        test=census.test,
        by_status=dict(sorted(census.by_status.items())),
        missing_shards=inventory.missing,
        scaler=TargetScaler(targets=targets, low=tuple(low.tolist()), high=tuple(high.tolist())),
        coordinates=campaign.family.names,
        given=given_values(campaign),
        noise_strain=campaign.noise.strain,
        noise_force_relative=campaign.noise.force_relative,
        noise_seed=campaign.design.seed,
        strain_shape=campaign.specimens.strain_shape,
        campaign_fingerprint=campaign.fingerprint,
        lineage=sources,
    )


def given_values(campaign: Campaign) -> GivenValues:
    """Say what a measurement may know, over the campaign's box: centre and standard deviation."""
    family = campaign.family
    columns = family.columns("given")
    told = [family.coordinates[column] for column in columns]
    return GivenValues(
        names=tuple(one.name for one in told),
        columns=columns,
        centre=tuple((one.low + one.high) / 2 for one in told),
        spread=tuple((one.high - one.low) / sqrt(12) for one in told),
    )


def _grown(
    before: DatasetFacts,
    inventory: Inventory,
    campaign: Campaign,
    census: _Census,
    sources: tuple[Source, ...],
) -> DatasetFacts:
    changes = {
        "generation": before.generation + 1,
        "rounds": inventory.rounds,
        "train": census.train,
        "unused_test": census.test - before.test,
        "by_status": dict(sorted(census.by_status.items())),
        "missing_shards": inventory.missing,
        "campaign_fingerprint": campaign.fingerprint,
        "lineage": sources,
    }
    return before.model_copy(update=changes)


def _pack(
    run: RunFolder[Path],
    inventory: Inventory,
    campaign: Campaign,
    derived: Derived,
    facts: DatasetFacts,
    spectra: Spectra,
    *,
    first: bool,
) -> DatasetFacts:
    """Second pass: scatter the records, then publish the manifest."""
    folder = run.dataset / "packed"
    spectrum = folder / f"spectrum-g{facts.generation:04d}.npz"
    publish_spectra(spectrum, spectra)
    with ExitStack() as stack:
        writers: dict[bool, PackedWriter] = {}
        for test in (False, True) if first else (False,):
            writer = _writer(folder, campaign, facts, spectra, test=test)
            writers[test] = stack.enter_context(writer)
        for shard in read_shards(run, inventory, campaign, derived, verify=False):
            for test, writer in writers.items():
                values = _split(shard, shard.is_test == test)
                writer.scatter(values if test else values | _components(values, spectra))
    names = {
        test: tuple(path.relative_to(run.dataset).as_posix() for path in writer.paths)
        for test, writer in writers.items()
    }
    facts = facts.model_copy(
        update={
            "train_files": names[False],
            "test_files": names.get(True, facts.test_files),
            "spectrum_file": spectrum.relative_to(run.dataset).as_posix(),
        }
    )
    named = (*facts.train_files, *facts.test_files, facts.spectrum_file)
    files = [run.dataset / name for name in named]
    publish_manifest(run.dataset_manifest, "dataset", files, **facts.model_dump(mode="json"))
    _remove_older(folder, facts.generation)
    return facts


def _writer(
    folder: Path, campaign: Campaign, facts: DatasetFacts, spectra: Spectra, *, test: bool
) -> PackedWriter:
    """Lay out a split. Test records outlive the generation, so they have no components."""
    order = np.random.default_rng([campaign.design.seed, facts.generation, int(test)])
    return PackedWriter(
        folder,
        f"{'test' if test else 'train'}-g{facts.generation:04d}",
        order.permutation(facts.test if test else facts.train),
        campaign.specimens,
        len(facts.scaler.targets),
        coordinates=len(facts.coordinates),
        components=0 if test else spectra.strains.vectors.shape[1],
    )


def _split(shard: Shard, rows: NDArray[np.bool_]) -> Columns:
    sheet = {PackedFields.SHEET: shard.sheet[rows]} if shard.sheet.shape[1] else {}
    return sheet | {
        PackedFields.STRAINS: shard.strains[rows],
        PackedFields.FORCES: shard.forces[rows],
        PackedFields.PARAMETERS: shard.parameters[rows],
        PackedFields.ORIGIN: shard.origin[rows],
    }


def _components(values: Columns, spectra: Spectra) -> Columns:
    forces = np.log(values[PackedFields.FORCES].astype(np.float64))
    return {
        PackedFields.COMPONENTS: spectra.strains.components(values[PackedFields.STRAINS]),
        PackedFields.FORCE_COMPONENTS: spectra.forces.components(forces),
    }


def _remove_older(packed: Path, generation: int) -> None:
    """Keep the previous generation too: a training may still be reading it."""
    kept = tuple(f"g{number:04d}" for number in (generation, generation - 1))
    for path in (*packed.glob("train-g*.h5"), *packed.glob("spectrum-g*.npz")):
        if path.stem.split("-")[1] not in kept:
            path.unlink()
