"""The packed dataset in memory's reach: what is trained on, chosen by and judged by."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import read_manifest, sha256_of
from hpc_jobs.dataset.facts import (
    DatasetFacts,
    PackedFields,
    TargetScaler,
    dataset_facts,
)
from hpc_jobs.dataset.spectrum import Spectra, read_spectra
from hpc_jobs.dataset.split import Split

Strains = NDArray[np.float32]
Forces = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A verified dataset: what is trained on, chosen by, calibrated on and judged by."""

    facts: DatasetFacts
    sha256: str
    train: Split
    test: Split
    fit_rows: NDArray[np.int64]  # of train
    validation_rows: NDArray[np.int64]  # of train; choose the epoch and the network
    calibration_rows: NDArray[np.int64]  # of train; say how sure it is. All three are disjoint
    spectra: Spectra


def open_dataset(run: RunFolder[Path], validation_fraction: float) -> Dataset:
    """Verify and map the dataset of a run; the last training records are held out.

    They are a random sample, for the files are permuted: one half chooses, the other calibrates.
    Raises CorruptFile.
    """
    facts = dataset_facts(read_manifest(run.dataset_manifest, "dataset"))
    train = Split([run.dataset / name for name in facts.train_files])
    test = Split([run.dataset / name for name in facts.test_files])
    held_out = min(max(1, round(validation_fraction * len(train))), len(train) - 1)
    rows = np.arange(len(train))
    fit, chosen_by = len(train) - held_out, -(-held_out // 2)
    return Dataset(
        facts=facts,
        sha256=sha256_of(run.dataset_manifest),
        train=train,
        test=test,
        fit_rows=rows[:fit],
        validation_rows=rows[fit : fit + chosen_by],
        calibration_rows=rows[fit + chosen_by :],
        spectra=read_spectra(run.dataset / facts.spectrum_file),
    )


def scale(parameters: NDArray[np.floating], scaler: TargetScaler) -> NDArray[np.float32]:
    """Physical targets (n, targets) in min-max units."""
    low, high = np.array(scaler.low), np.array(scaler.high)
    return np.asarray((parameters - low) / (high - low), dtype=np.float32)


def with_noise(strains: Strains, noise: float, seeds: Sequence[int]) -> Strains:
    """Add independent normal noise, the same for the same seeds."""
    generator = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seeds)))
    return strains + np.float32(noise) * generator.standard_normal(strains.shape, np.float32)


def with_relative_noise(forces: Forces, noise: float, seeds: Sequence[int]) -> Forces:
    """Multiply by one plus independent normal noise, the same for the same seeds."""
    return forces * with_noise(np.ones_like(forces), noise, seeds)


@dataclass(frozen=True, slots=True)
class Examples:
    """Noisy records that stay the same from epoch to epoch and from network to network.

    Given values are known exactly, as from tests of their own; see `with_nothing_known`.
    """

    strains: Strains  # (n, strain_values)
    forces: Forces  # (n, force_values), N
    scaled: NDArray[np.float32]  # (n, targets), min-max units
    physical: NDArray[np.float64]  # (n, targets)
    known: NDArray[np.float32] | None = None  # (n, 2 g) given values, then their deviations


VALIDATION_REPEATS = 4
_VALIDATION, _TEST, _CALIBRATION = 1, 2, 6  # tags that keep their noise apart
_FORCES = 5  # follows them, for the noise on the forces


def validation_examples(dataset: Dataset) -> Examples:
    """Held-out records, each with several draws of noise: few records, but a steadier mean."""
    rows = np.tile(dataset.validation_rows, VALIDATION_REPEATS)
    return _examples(dataset, dataset.train, rows, _VALIDATION)


def calibration_examples(dataset: Dataset) -> Examples:
    """Held-out records that chose nothing, each with one draw of noise: a score each."""
    return _examples(dataset, dataset.train, dataset.calibration_rows, _CALIBRATION)


def test_examples(dataset: Dataset) -> Examples:
    """The off-grid test set with its frozen noise; never tuned on."""
    return _examples(dataset, dataset.test, np.arange(len(dataset.test)), _TEST)


def _examples(dataset: Dataset, split: Split, rows: NDArray[np.int64], tag: int) -> Examples:
    names = (PackedFields.STRAINS, PackedFields.FORCES, PackedFields.PARAMETERS)
    strains, forces, parameters = split.gather(names, rows)
    facts, seeds = dataset.facts, [dataset.facts.noise_seed, tag]
    known = None
    if columns := list(facts.given.columns):
        [sheet] = split.gather((PackedFields.SHEET,), rows)
        known = np.hstack([sheet[:, columns], np.zeros((len(rows), len(columns)), np.float32)])
    return Examples(
        strains=with_noise(strains, facts.noise_strain, seeds),
        forces=with_relative_noise(forces, facts.noise_force_relative, [*seeds, _FORCES]),
        scaled=scale(parameters, facts.scaler),
        physical=parameters.astype(np.float64),
        known=known,
    )


def with_nothing_known(examples: Examples) -> Examples:
    """Return the same records, measured by somebody who knows none of their given values."""
    if examples.known is None:
        return examples
    known = examples.known.copy()
    given = known.shape[1] // 2
    known[:, :given], known[:, given:] = known[:, :given].mean(0), np.inf
    return replace(examples, known=known)
