"""What the next generation of a dataset is packed from, and whether its components still serve.

A pure function of the run's shards and the dataset so far: every element makes the same plan, and
the first one's stays until the generation is published, whatever shards arrive meanwhile.
"""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.frozen import Frozen
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.packing import UNIT_BYTES, record_bytes
from hpc_jobs.contract.records import publish_model, read_manifest, read_model
from hpc_jobs.dataset import census
from hpc_jobs.dataset.facts import DatasetFacts, Source, dataset_facts
from hpc_jobs.dataset.shards import Derived, Inventory, lineage, probe, take_inventory
from hpc_jobs.dataset.spectrum import read_spectra

log = logging.getLogger(__name__)

FILE_BYTES = 62_000_000  # of a packed file
PROBE_RECORDS = 2048
"""New records, evenly out of their shards, by which the components are judged."""
WORSE = 2.0
"""Times what the components left of their own records: no reason yet to find them anew."""


class PackingPlan(Frozen):
    """dataset/packing/gNNNN/plan.json: what is packed, and into how many files."""

    schema_version: int = 1
    generation: Annotated[int, Field(ge=1)]
    seed: int
    rounds: tuple[int, ...]
    sources: tuple[Source, ...]  # that are dealt
    missing: tuple[str, ...]
    targets: tuple[str, ...]
    coordinates: tuple[str, ...]
    buckets: Annotated[int, Field(ge=1, description="of training records; a file each")]
    test_buckets: Annotated[int, Field(ge=0, description="the test set's are frozen if none")]
    every: Annotated[int, Field(ge=0, description="of so many one is looked at for components")]
    uncarried: Annotated[float, Field(description="of the new records, by the old components")] = 0
    anew: Annotated[str, Field(description="why all records are packed again; else empty")] = ""

    @property
    def identity(self) -> str:
        """Name of everything that is made by this plan."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def finds_components(self) -> bool:
        """Whether this generation has components of its own."""
        return self.every > 0

    def units(self, row_bytes: int) -> list[tuple[Source, ...]]:
        """Neighbouring shards of about UNIT_BYTES together: what one element deals at a time."""
        units: list[list[Source]] = [[]]
        filled = 0
        for source in self.sources:
            if units[-1] and filled + source.records * row_bytes > UNIT_BYTES:
                units.append([])
                filled = 0
            units[-1].append(source)
            filled += source.records * row_bytes
        return [tuple(unit) for unit in units if unit]


@dataclass(frozen=True, slots=True)
class Standing:
    """A run's dataset as it is, and the plan for what is missing in it."""

    before: DatasetFacts | None
    plan: PackingPlan | None  # none if nothing is


def stand(run: RunFolder[Path], campaign: Campaign, derived: Derived) -> Standing:
    """Look at shards and dataset; publish the plan of the next generation if one is due.

    Raises CorruptFile.
    """
    before = published(run)
    inventory = take_inventory(run, campaign.execution.allowed_loss)
    sources = lineage(run, inventory)
    if plan := _begun(run, before, sources):
        return Standing(before, plan)
    if before and set(before.lineage) == set(sources):
        return Standing(before, None)
    plan = _plan(run, campaign, derived, before, inventory, sources)
    publish_model(_path(run, plan.generation), plan)
    return Standing(before, plan)


def published(run: RunFolder[Path]) -> DatasetFacts | None:
    """Facts of the dataset, whose files are left to those who read them."""
    if not run.dataset_manifest.exists():
        return None
    return dataset_facts(read_manifest(run.dataset_manifest, "dataset", verify=False))


def _path(run: RunFolder[Path], generation: int) -> Path:
    return run.packing(generation) / "plan.json"


def _begun(
    run: RunFolder[Path], before: DatasetFacts | None, sources: tuple[Source, ...]
) -> PackingPlan | None:
    """Return the plan that was begun, unless one of its shards is no longer what it was."""
    generation = before.generation + 1 if before else 1
    path = _path(run, generation)
    if not path.exists():
        return None
    try:
        plan = read_model(PackingPlan, path)
    except CorruptFile:
        return None
    known = before.lineage if before and not plan.anew else ()
    if set(plan.sources) - set(sources) or set(plan.sources) & set(known):
        return None
    return plan


def _plan(
    run: RunFolder[Path],
    campaign: Campaign,
    derived: Derived,
    before: DatasetFacts | None,
    inventory: Inventory,
    sources: tuple[Source, ...],
) -> PackingPlan:
    known = set(before.lineage) if before else set()
    dealt = tuple(source for source in sources if source not in known)
    uncarried, anew = 0.0, ""
    if before:
        if gone := known - set(sources):
            anew = f"{min(one.shard for one in gone)} is no longer the one that was packed"
        else:
            uncarried, anew = _judged(run, campaign, before, dealt)
    if anew:
        dealt = sources
    records = sum(source.records for source in dealt)
    if anew:
        log.warning(
            "packing anew: %s; %d records are read and written again, about %.1f GB each way",
            anew,
            records,
            records * record_bytes(campaign) / 1e9,
        )
    finds = before is None or bool(anew)
    return PackingPlan(
        generation=before.generation + 1 if before else 1,
        seed=campaign.design.seed,
        rounds=inventory.rounds,
        sources=dealt,
        missing=inventory.missing,
        targets=(*campaign.targets, *derived.names),
        coordinates=campaign.family.names,
        buckets=_files(campaign, records),
        test_buckets=0 if before else _files(campaign, campaign.design.test_records),
        every=max(1, records // census.SPECTRUM_RECORDS) if finds else 0,
        uncarried=uncarried,
        anew=anew,
    )


def _judged(
    run: RunFolder[Path], campaign: Campaign, before: DatasetFacts, new: tuple[Source, ...]
) -> tuple[float, str]:
    """Say what the components leave of some new records, and why that is too much, if it is."""
    strains = probe(run, new, campaign, PROBE_RECORDS).strains
    if not len(strains):
        return 0.0, ""
    spectrum = read_spectra(run.dataset / before.spectrum_file).strains
    found = float(spectrum.uncarried(strains).mean())
    limit = max(campaign.packing.new_components_above, WORSE * before.uncarried)
    if found <= limit:
        return found, ""
    return found, (
        f"the components of generation {before.parts[0].generation if before.parts else 1} leave "
        f"{found:.3g} of the new records' variance (noise: 1 in each direction), more than "
        f"{limit:.3g}"
    )


def _files(campaign: Campaign, records: int) -> int:
    return max(1, -(-records * record_bytes(campaign) // FILE_BYTES))
