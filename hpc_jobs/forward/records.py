"""Noise-free simulations of a run, as a forward surrogate learns from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import read_manifest, verify_file
from hpc_jobs.dataset.facts import DatasetFacts, PackedFields, dataset_facts
from hpc_jobs.dataset.packed import map_columns
from hpc_jobs.forward.natural import QUANTITIES, Natural

WIDENED = 0.15
"""Of the box, added to a posterior's width when its neighbourhood is chosen."""
COLUMNS = (PackedFields.STRAINS, PackedFields.FORCES, PackedFields.PARAMETERS)
LARGEST_FAMILY_FIT = 50_000
LARGEST_FIT = 10_000  # records; more no longer move a polynomial of some hundred terms

FloatArray = NDArray[np.float64]
LeftOut = Callable[[NDArray[np.float32]], NDArray[np.bool_]]
"""Which rows (n,) of packed parameters, the campaign's targets first, are not to be read."""


@dataclass(frozen=True, slots=True, eq=False)
class ForwardRecords:
    """Records without noise; strains and forces laid out as contract.specimen says."""

    parameters: NDArray[np.floating]  # (n, targets), physical
    strains: NDArray[np.floating]  # (n, strain_values)
    forces: NDArray[np.floating] | None  # (n, force_values), N

    def __len__(self) -> int:
        return len(self.parameters)


@dataclass(frozen=True, slots=True, eq=False)
class FamilyRecords:
    """Noise-free records of a family with their natural coordinates, whitened."""

    natural: Natural
    u: FloatArray  # (n, coordinates)
    strains: NDArray[np.floating]  # (n, strain_values)
    forces: NDArray[np.floating]  # (n, force_values), N

    @classmethod
    def of(
        cls,
        natural: Natural,
        values: FloatArray,
        strains: NDArray[np.floating],
        forces: NDArray[np.floating],
    ) -> "FamilyRecords":
        """From physical values (n, coordinates) of natural.names."""
        u = (natural.natural(values) - natural.centre) / natural.spread
        return cls(natural, u, strains, forces)

    def __len__(self) -> int:
        return len(self.u)

    def rows(self, chosen: NDArray[np.integer]) -> "FamilyRecords":
        """Return some of them."""
        return replace(
            self, u=self.u[chosen], strains=self.strains[chosen], forces=self.forces[chosen]
        )

    def nearest(self, u: FloatArray, covariance: FloatArray, count: int) -> "FamilyRecords":
        """Return those nearest to u (coordinates,), in the metric of a widened covariance."""
        metric = np.linalg.inv(covariance + WIDENED * np.eye(len(u)))
        away = self.u - u
        distances = np.einsum("ni,ij,nj->n", away, metric, away)
        return self.rows(np.argsort(distances, kind="stable")[:count])


def training_records(
    run: RunFolder[Path], largest: int = LARGEST_FIT, without: LeftOut | None = None
) -> tuple[DatasetFacts, ForwardRecords]:
    """Read the first training records of each part of the run's dataset: these are permuted.

    Only the files that hold them are verified: a dataset may be larger than memory. Raises
    CorruptFile.
    """
    facts, columns = _columns(run, COLUMNS, largest, without)
    parts = (columns[name] for name in (PackedFields.PARAMETERS, *COLUMNS[:2]))
    return facts, ForwardRecords(*parts)


def _columns(
    run: RunFolder[Path], names: Sequence[str], largest: int, without: LeftOut | None
) -> tuple[DatasetFacts, dict[str, NDArray[np.float32]]]:
    manifest = read_manifest(run.dataset_manifest, "dataset", verify=False)
    facts = dataset_facts(manifest)
    entries = {entry.path: entry for entry in manifest.files}
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for files, wanted in zip(facts.parted_files, _wanted(facts, largest), strict=True):
        for name in files:
            if wanted <= 0:
                break
            columns = map_columns(verify_file(run.dataset, entries[name]))
            for column, found in parts.items():
                found.append(np.array(columns[column][:wanted]))
            wanted -= len(parts[PackedFields.STRAINS][-1])
    whole = {name: np.concatenate(found) for name, found in parts.items()}
    if without is None:
        return facts, whole
    kept = ~without(whole[PackedFields.PARAMETERS])
    return facts, {name: found[kept] for name, found in whole.items()}


def _wanted(facts: DatasetFacts, largest: int) -> list[int]:
    """Deal records out to the parts by their size; at least one each, so that all are heard."""
    sizes = [part.train for part in facts.parts] or [facts.train]
    share = min(1.0, largest / max(1, sum(sizes)))
    return [ceil(share * size) for size in sizes]


def family_records(
    run: RunFolder[Path],
    campaign: Campaign,
    largest: int = LARGEST_FAMILY_FIT,
    without: LeftOut | None = None,
) -> FamilyRecords:
    """Read the first training records of a family's dataset, in natural coordinates.

    Raises CorruptFile, and BadInput for a family that has no natural coordinates.
    """
    facts, columns = _columns(run, (*COLUMNS, PackedFields.SHEET), largest, without)
    names = facts.scaler.targets
    mechanical = [names.index(quantity) for quantity in QUANTITIES]
    parameters, sheets = columns[PackedFields.PARAMETERS], columns[PackedFields.SHEET]
    values = np.hstack([parameters[:, mechanical], sheets]).astype(np.float64)
    strains, forces = columns[PackedFields.STRAINS], columns[PackedFields.FORCES]
    return FamilyRecords.of(Natural.of(campaign), values, strains, forces)
