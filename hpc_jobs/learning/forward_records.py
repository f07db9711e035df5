"""Noise-free simulations of a run, as a forward surrogate learns from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.records import read_manifest
from hpc_jobs.contract.workspace import RunFolder
from hpc_jobs.learning.facts import DatasetFacts, PackedFields, dataset_facts
from hpc_jobs.learning.packed import map_columns

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
    """Verify the run's dataset and read the first training records: the files are permuted.

    Raises CorruptFile.
    """
    facts = dataset_facts(read_manifest(run.dataset_manifest, "dataset"))
    files = [run.dataset / name for name in facts.train_files]
    return facts, ForwardRecords(
        parameters=_head(files, PackedFields.PARAMETERS, largest),
        strains=_head(files, PackedFields.STRAINS, largest),
        forces=_head(files, PackedFields.FORCES, largest),
    )


def _head(files: Sequence[Path], name: str, largest: int) -> NDArray[np.float32]:
    parts, wanted = [], largest
    for file in files:
        parts.append(np.array(map_columns(file)[name][:wanted]))
        wanted -= len(parts[-1])
        if wanted <= 0:
            break
    return np.concatenate(parts)
