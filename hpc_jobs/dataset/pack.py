"""Pack once: all good records of a run in a random order, with the lineage of every one.

Reading in the order of the shards ruins training, and a permutation at reading time costs every
epoch. So records are dealt to buckets by a random key and each bucket is put into order in memory:
two passes of long strokes, in memory that does not grow with the records. Beside the strains lie
their principal components: what a training reads of a record.

A later round adds files of its own, in a random order of its own; an epoch mixes blocks of all
(hpc_jobs.learning.feed.order). The test set, the scaler and the components stay those of the first
generation, the components until they no longer carry the new records (dataset.plan).

Dealing and packing may be done in advance by arrays of elements, and are for large rounds;
`publish_dataset` does what is left, whatever it is, and the files are the same.
"""

import shutil
from collections.abc import Iterable
from math import sqrt
from pathlib import Path

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.execution import Job
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.packing import packing_memory_mib
from hpc_jobs.contract.records import (
    FileEntry,
    publish_entries,
    read_manifest,
)
from hpc_jobs.dataset.bucket import Packer, Settled, Written, settle
from hpc_jobs.dataset.deal import Dealer, Progress, Unit
from hpc_jobs.dataset.facts import DatasetFacts, GivenValues, Part, Source, TargetScaler
from hpc_jobs.dataset.plan import PackingPlan, Standing, published, stand
from hpc_jobs.dataset.shards import Derived
from hpc_jobs.job_folder.writer import drafts


def quiet(done: int, total: int) -> None:
    """Leave progress to others."""


def publish_dataset(
    run: RunFolder[Path],
    campaign: Campaign,
    derived: Derived | None = None,
    *,
    memory_mib: int | None = None,
    progress: Progress = quiet,
) -> DatasetFacts:
    """Pack every published shard of the run into its dataset, of a new generation if it grew.

    What `deal_records` and `pack_records` have done already is taken over. derived: targets of a
    family beside the campaign's. The old files stay valid until the new manifest, written last, is
    in place, and those of the generation before outlive it. Raises CorruptFile.
    """
    standing, dealer = _opened(run, campaign, derived, memory_mib, "publish_dataset")
    if dealer is None:
        assert standing.before
        return standing.before
    units = _dealt(dealer)
    settled = _settled(run, campaign, standing, dealer, units)
    packer = Packer(run, dealer, settled, units)
    written = packer.write_all(packer.buckets, progress)
    facts = _facts(campaign, standing.before, dealer.plan, settled, written)
    _publish(run, standing.before, dealer.plan, settled, written, facts)
    _tidy(run, facts, standing.before)
    return facts


def deal_records(
    run: RunFolder[Path],
    campaign: Campaign,
    derived: Derived | None,
    element: int,
    elements: int,
    *,
    memory_mib: int | None = None,
    progress: Progress = quiet,
) -> tuple[int, int]:
    """Deal this element's units; returns how many, and of how many records. Raises CorruptFile."""
    standing, dealer = _opened(run, campaign, derived, memory_mib, "deal_records")
    if dealer is None:
        return 0, 0
    mine = range(element, len(dealer.units), elements)
    for done, number in enumerate(mine, 1):
        dealer.deal(number)
        progress(done, len(mine))
    if all(dealer.is_dealt(number) for number in range(len(dealer.units))):
        _settled(run, campaign, standing, dealer, None)
    return len(mine), sum(one.records for number in mine for one in dealer.units[number])


def pack_records(
    run: RunFolder[Path],
    campaign: Campaign,
    derived: Derived | None,
    element: int,
    elements: int,
    *,
    memory_mib: int | None = None,
    progress: Progress = quiet,
) -> tuple[int, int]:
    """Write this element's files; returns how many, and of how many records.

    Raises CorruptFile, too where units are missing: publishing then deals them.
    """
    standing, dealer = _opened(run, campaign, derived, memory_mib, "pack_records")
    if dealer is None:
        return 0, 0
    packer = Packer(run, dealer, _settled(run, campaign, standing, dealer, None))
    mine = packer.buckets[element::elements]
    written = packer.write_all(mine, progress)
    return sum(one.file is not None for one in written), sum(one.records for one in written)


def is_begun(run: RunFolder[Path]) -> bool:
    """Whether other elements have begun to pack a generation."""
    before = published(run)
    return (run.packing(before.generation + 1 if before else 1) / "plan.json").exists()


def _opened(
    run: RunFolder[Path],
    campaign: Campaign,
    derived: Derived | None,
    memory_mib: int | None,
    job: Job,
) -> tuple[Standing, Dealer | None]:
    derived = derived or Derived()
    standing = stand(run, campaign, derived)
    if standing.plan is None:
        return standing, None
    memory = memory_mib or packing_memory_mib(campaign, job)
    return standing, Dealer(run, campaign, derived, standing.plan, memory)


def _dealt(dealer: Dealer) -> list[Unit] | None:
    """Deal what is not dealt yet: in memory if nothing is and all fit, else to disk."""
    numbers = range(len(dealer.units))
    if dealer.fits_at_once and not any(map(dealer.is_dealt, numbers)):
        return [dealer.hold(number) for number in numbers]
    for number in numbers:
        dealer.deal(number)
    return None


def _settled(
    run: RunFolder[Path],
    campaign: Campaign,
    standing: Standing,
    dealer: Dealer,
    units: list[Unit] | None,
) -> Settled:
    numbers = range(len(dealer.units))
    censuses = (one.census for one in units) if units else map(dealer.counted, numbers)
    return settle(run, campaign, dealer, standing.before, iter(censuses))


def _facts(
    campaign: Campaign,
    before: DatasetFacts | None,
    plan: PackingPlan,
    settled: Settled,
    written: list[Written],
) -> DatasetFacts:
    """Say what the dataset holds now."""
    names = [(one.file.path if one.file else "") for one in written]
    train_files = tuple(filter(None, names[: plan.buckets]))
    part = Part(
        generation=plan.generation,
        train=settled.train,
        files=len(train_files),
        uncarried=settled.uncarried,
    )
    if before is None:
        return _first(campaign, plan, settled, part, train_files, names)
    kept = not plan.anew
    parts = before.parts or (Part(generation=1, train=before.train, files=len(before.train_files)),)
    old = before.by_status if kept else {}
    by_status = {
        name: old.get(name, 0) + settled.by_status.get(name, 0)
        for name in sorted({*old, *settled.by_status})
    }
    unused = before.unused_test + settled.test if kept else settled.test - before.test
    changes = {
        "generation": plan.generation,
        "rounds": tuple(sorted({*before.rounds, *plan.rounds})) if kept else plan.rounds,
        "train": settled.train + (before.train if kept else 0),
        "unused_test": unused,
        "by_status": by_status,
        "missing_shards": plan.missing,
        "train_files": (*before.train_files, *train_files) if kept else train_files,
        "parts": ((*parts, part) if part.train else parts) if kept else (part,),
        "anew": plan.anew,
        "spectrum_file": settled.spectrum.path,
        "campaign_fingerprint": campaign.fingerprint,
        "lineage": _in_order((*before.lineage, *plan.sources) if kept else plan.sources),
    }
    return before.model_copy(update=changes)


def _in_order(sources: Iterable[Source]) -> tuple[Source, ...]:
    return tuple(sorted(sources, key=lambda one: (one.round, len(one.shard), one.shard)))


def _first(
    campaign: Campaign,
    plan: PackingPlan,
    settled: Settled,
    part: Part,
    train_files: tuple[str, ...],
    names: list[str],
) -> DatasetFacts:
    return DatasetFacts(
        provenance=campaign.provenance,
        generation=plan.generation,
        rounds=plan.rounds,
        train=settled.train,
        test=settled.test,
        by_status=settled.by_status,
        missing_shards=plan.missing,
        train_files=train_files,
        test_files=tuple(filter(None, names[plan.buckets :])),
        parts=(part,),
        scaler=TargetScaler(targets=plan.targets, low=settled.low, high=settled.high),
        coordinates=plan.coordinates,
        given=given_values(campaign),
        spectrum_file=settled.spectrum.path,
        noise_strain=campaign.noise.strain,
        noise_force_relative=campaign.noise.force_relative,
        noise_seed=campaign.design.seed,
        strain_shape=campaign.specimens.strain_shape,
        campaign_fingerprint=campaign.fingerprint,
        lineage=plan.sources,
    )


def given_values(campaign: Campaign) -> GivenValues:
    """Say what a measurement tells networks, and the box of what it may know: centre, deviation."""
    family = campaign.family
    columns = family.columns("given")
    told = [family.coordinates[column] for column in columns]
    return GivenValues(
        names=tuple(one.name for one in told),
        columns=columns,
        centre=tuple((one.low + one.high) / 2 for one in told),
        spread=tuple((one.high - one.low) / sqrt(12) for one in told),
        displacements=campaign.specimens.told_displacements,
    )


def _publish(
    run: RunFolder[Path],
    before: DatasetFacts | None,
    plan: PackingPlan,
    settled: Settled,
    written: list[Written],
    facts: DatasetFacts,
) -> None:
    """Vouch for the files: the new ones by what was written, the old ones as before."""
    known: dict[str, FileEntry] = {}
    if before:
        old = read_manifest(run.dataset_manifest, "dataset", verify=False)
        known = {entry.path: entry for entry in old.files}
    known |= {one.file.path: one.file for one in written if one.file}
    known[settled.spectrum.path] = settled.spectrum
    named = (*facts.train_files, *facts.test_files, facts.spectrum_file)
    publish_entries(
        run.dataset_manifest,
        "dataset",
        [known[name] for name in named],
        **facts.model_dump(mode="json"),
    )


def _tidy(run: RunFolder[Path], facts: DatasetFacts, before: DatasetFacts | None) -> None:
    """Remove what was dealt, and files of neither this generation nor the one before.

    A training may still be reading the latter.
    """
    shutil.rmtree(run.dataset / "packing", ignore_errors=True)
    kept = {
        name
        for one in (facts, before)
        if one
        for name in (*one.train_files, *one.test_files, one.spectrum_file)
    }
    packed = run.dataset / "packed"
    for path in (*packed.glob("*.h5"), *packed.glob("spectrum-g*.npz")):
        if path.relative_to(run.dataset).as_posix() not in kept:
            path.unlink()
    for path in (*drafts(run.dataset), *drafts(packed)):
        path.unlink(missing_ok=True)
