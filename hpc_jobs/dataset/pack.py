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
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ContractError
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import publish_manifest, read_manifest
from hpc_jobs.contract.training import STORED_COMPONENTS
from hpc_jobs.dataset.facts import (
    DatasetFacts,
    PackedFields,
    Source,
    TargetScaler,
    dataset_facts,
)
from hpc_jobs.dataset.packed import PackedWriter
from hpc_jobs.dataset.shards import Inventory, Shard, lineage, read_shards, take_inventory
from hpc_jobs.dataset.spectrum import Moments, Spectra, publish_spectra

Columns = dict[str, NDArray[Any]]

SPECTRUM_RECORDS = 100_000  # evenly out of all shards; more no longer move the components


@dataclass
class _Census:
    """First pass over the shards: everything that must be known before a file is laid out."""

    every: int  # of so many training records one is looked at for the spectra
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
            low, high = train.min(0), train.max(0)
            self.low = low if self.low is None else np.minimum(low, self.low)
            self.high = high if self.high is None else np.maximum(high, self.high)
        self.strains.add(shard.strains[~shard.is_test][:: self.every])
        self.forces.add(np.log(shard.forces[~shard.is_test][:: self.every].astype(np.float64)))

    def spectra(self, facts: DatasetFacts) -> Spectra:
        """Components of the strains and of the forces, in units of the dataset's noise."""
        return Spectra(
            strains=self.strains.spectrum(facts.noise_strain, STORED_COMPONENTS),
            forces=self.forces.spectrum(facts.noise_force_relative, facts.force_values),
        )


def publish_dataset(run: RunFolder[Path], campaign: Campaign) -> DatasetFacts:
    """Pack every published shard of the run into its dataset, of a new generation if it grew.

    The test set and the target scaler stay those of the first generation; the components are the
    generation's own. The old files stay valid until the new manifest, written last, is in place.
    Raises CorruptFile.
    """
    inventory = take_inventory(run, campaign.execution.allowed_loss)
    sources = lineage(run, inventory)
    before = _published(run)
    if before and before.lineage == sources:
        return before
    records = sum(source.records for source in sources)
    census = _Census(every=max(1, records // SPECTRUM_RECORDS))
    for shard in read_shards(run, inventory, campaign):
        census.add(shard)
    facts = (
        _grown(before, inventory, campaign, census, sources)
        if before
        else _first(inventory, campaign, census, sources)
    )
    return _pack(run, inventory, campaign, facts, census.spectra(facts), first=before is None)


def _published(run: RunFolder[Path]) -> DatasetFacts | None:
    if not run.dataset_manifest.exists():
        return None
    return dataset_facts(read_manifest(run.dataset_manifest, "dataset"))


def _first(
    inventory: Inventory, campaign: Campaign, census: _Census, sources: tuple[Source, ...]
) -> DatasetFacts:
    if census.low is None or census.high is None or census.test == 0:
        raise ContractError(
            f"{census.train} good training and {census.test} good test records of "
            f"{dict(census.by_status)}; a dataset needs some of each: see why they failed"
        )
    return DatasetFacts(
        generation=1,
        rounds=inventory.rounds,
        train=census.train,
        test=census.test,
        by_status=dict(sorted(census.by_status.items())),
        missing_shards=inventory.missing,
        scaler=TargetScaler(
            targets=tuple(campaign.targets), low=tuple(census.low), high=tuple(census.high)
        ),
        noise_strain=campaign.noise.strain,
        noise_force_relative=campaign.noise.force_relative,
        noise_seed=campaign.design.seed,
        strain_shape=campaign.specimens.strain_shape,
        campaign_fingerprint=campaign.fingerprint,
        lineage=sources,
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
        for shard in read_shards(run, inventory, campaign, verify=False):
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
        len(campaign.targets),
        components=0 if test else spectra.strains.vectors.shape[1],
    )


def _split(shard: Shard, rows: NDArray[np.bool_]) -> Columns:
    return {
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
