"""Noise-free simulations of a run, as a forward surrogate learns from them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import read_manifest, verify_file
from hpc_jobs.dataset.facts import DatasetFacts, PackedFields, dataset_facts
from hpc_jobs.dataset.packed import map_columns

COLUMNS = (PackedFields.STRAINS, PackedFields.FORCES, PackedFields.PARAMETERS)
LARGEST_FIT = 10_000  # records; more no longer move a polynomial of some hundred terms


@dataclass(frozen=True, slots=True, eq=False)
class ForwardRecords:
    """Records without noise; strains and forces laid out as contract.specimen says."""

    parameters: NDArray[np.floating]  # (n, targets), physical
    strains: NDArray[np.floating]  # (n, strain_values)
    forces: NDArray[np.floating] | None  # (n, force_values), N

    def __len__(self) -> int:
        return len(self.parameters)


def training_records(
    run: RunFolder[Path], largest: int = LARGEST_FIT
) -> tuple[DatasetFacts, ForwardRecords]:
    """Read the first training records of the run's dataset: the files are permuted.

    Only the files that hold them are verified: a dataset may be larger than memory. Raises
    CorruptFile.
    """
    manifest = read_manifest(run.dataset_manifest, "dataset", verify=False)
    facts = dataset_facts(manifest)
    entries = {entry.path: entry for entry in manifest.files}
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in COLUMNS}
    wanted = largest
    for name in facts.train_files:
        columns = map_columns(verify_file(run.dataset, entries[name]))
        for column, found in parts.items():
            found.append(np.array(columns[column][:wanted]))
        wanted -= len(parts[PackedFields.STRAINS][-1])
        if wanted <= 0:
            break
    strains, forces, parameters = (np.concatenate(parts[name]) for name in COLUMNS)
    return facts, ForwardRecords(parameters, strains, forces)
