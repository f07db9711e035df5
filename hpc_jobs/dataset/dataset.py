"""The packed dataset in memory's reach: what is trained on, chosen by and judged by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import read_manifest, sha256_of
from hpc_jobs.dataset.facts import (
    DatasetFacts,
    PackedFields,
    TargetScaler,
    dataset_facts,
)
from hpc_jobs.dataset.spectrum import Spectra, blocks, read_spectra
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
    fit_rows: range  # of train; up to millions
    validation_rows: NDArray[np.int64]  # of train; choose the epoch and the network
    calibration_rows: NDArray[np.int64]  # of train; say how sure it is. All three are disjoint
    spectra: Spectra
    fit_parts: tuple[int, ...]  # of fit_rows, neighbours that were permuted together

    def fit_sample(self, records: int) -> NDArray[np.int64]:
        """Return that many of `fit_rows`, or all: the first ones of each part, by its share."""
        if records >= len(self.fit_rows):
            return np.arange(len(self.fit_rows))
        starts = np.cumsum([0, *self.fit_parts[:-1]])
        return np.concatenate(
            [
                np.arange(start, start + count)
                for start, count in zip(starts, _shares(records, self.fit_parts), strict=True)
            ]
        )


HELD_OUT = 40_000
"""Training records that are not fitted to, at most: more choose and calibrate no better."""


def open_dataset(run: RunFolder[Path], validation_fraction: float) -> Dataset:
    """Verify and map the dataset of a run; the last records of each part of it are held out.

    They are a random sample, for each part was permuted: one half chooses, the other calibrates.
    Of a large dataset HELD_OUT records are. Raises CorruptFile.
    """
    facts = dataset_facts(read_manifest(run.dataset_manifest, "dataset"))
    names = [name for part in facts.parted_files for name in part]
    train = Split([run.dataset / name for name in names])
    test = Split([run.dataset / name for name in facts.test_files])
    held_out = min(max(1, round(validation_fraction * len(train))), len(train) - 1, HELD_OUT)
    chosen_by = -(-held_out // 2)
    train, fit_parts = _held_out_last(train, facts, held_out, chosen_by)
    fit = len(train) - held_out
    held = np.arange(fit, len(train))
    return Dataset(
        facts=facts,
        sha256=sha256_of(run.dataset_manifest),
        train=train,
        test=test,
        fit_rows=range(fit),
        validation_rows=held[:chosen_by],
        calibration_rows=held[chosen_by:],
        spectra=read_spectra(run.dataset / facts.spectrum_file),
        fit_parts=fit_parts,
    )


def _held_out_last(
    train: Split, facts: DatasetFacts, held_out: int, chosen_by: int
) -> tuple[Split, tuple[int, ...]]:
    """Move what is held out of each part to the end: what chooses, then what calibrates."""
    sizes = [part.train for part in facts.parts] or [len(train)]
    if sum(sizes) != len(train):
        raise CorruptFile(
            f"the packed files hold {len(train)} training records, dataset/manifest.json says "
            f"{sum(sizes)}; publish the dataset again"
        )
    if len(sizes) == 1:
        return train, (len(train) - held_out,)
    kept, choosing, calibrating = [], [], []
    each = zip(np.cumsum([0, *sizes[:-1]]).tolist(), sizes, _shares(held_out, sizes), strict=True)
    spare = _shares(chosen_by, _shares(held_out, sizes))
    for (start, size, out), chosen in zip(each, spare, strict=True):
        stop = start + size
        kept.append(range(start, stop - out))
        choosing.append(range(stop - out, stop - out + chosen))
        calibrating.append(range(stop - out + chosen, stop))
    return train.rearranged([*kept, *choosing, *calibrating]), tuple(map(len, kept))


def _shares(total: int, sizes: Sequence[int]) -> list[int]:
    """Deal `total` out by size, to within one each, and never more than there is."""
    ends = np.cumsum([0, *sizes])
    dealt = [int(total) * int(end) // max(1, int(ends[-1])) for end in ends]
    return np.diff(dealt).tolist()


def scale(parameters: NDArray[np.floating], scaler: TargetScaler) -> NDArray[np.float32]:
    """Physical targets (n, targets) in min-max units."""
    low, high = np.array(scaler.low), np.array(scaler.high)
    return np.asarray((parameters - low) / (high - low), dtype=np.float32)


def with_noise(strains: Strains, noise: float, seeds: Sequence[int]) -> Strains:
    """Add independent normal noise, the same for the same seeds."""
    noisy = np.array(strains, np.float32)
    for rows, drawn in _draws(noisy.shape, seeds):
        noisy[rows] += np.float32(noise) * drawn
    return noisy


def with_relative_noise(forces: Forces, noise: float, seeds: Sequence[int]) -> Forces:
    """Multiply by one plus independent normal noise, the same for the same seeds."""
    noisy = np.array(forces, np.float32)
    for rows, drawn in _draws(noisy.shape, seeds):
        noisy[rows] *= np.float32(1) + np.float32(noise) * drawn
    return noisy


def _draws(
    shape: tuple[int, ...], seeds: Sequence[int]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Draw standard normal numbers (n, width), block by block, as if all were drawn at once."""
    generator = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seeds)))
    for rows in blocks(shape[0]):
        yield rows, generator.standard_normal((rows.stop - rows.start, *shape[1:]), np.float32)


@dataclass(frozen=True, slots=True)
class Examples:
    """Records that stay the same from epoch to epoch and from network to network; noisy mostly.

    Given values are known exactly, as from tests of their own; see `with_nothing_known`.
    """

    strains: Strains  # (n, strain_values)
    forces: Forces  # (n, force_values), N
    scaled: NDArray[np.float32]  # (n, targets), min-max units
    physical: NDArray[np.float64]  # (n, targets)
    known: NDArray[np.float32] | None = None  # (n, 2 g + d): given values, their deviations, and
    told: int = 0  # d displacements of output times, mm
    weight: NDArray[np.float64] | None = None  # (n,) importance weights; none: all are one


VALIDATION_REPEATS = 4
EXAMPLES = 20_000
"""Noisy records that choose a network or calibrate it, at most."""
TEST_EXAMPLES = 50_000
"""Test records that judge, at most: the first ones of a permuted test set."""
_VALIDATION, _TEST, _CALIBRATION = 1, 2, 6  # tags that keep their noise apart
_FORCES = 5  # follows them, for the noise on the forces
_DRAW = 7  # follows them, and then the number of a further draw


def validation_examples(dataset: Dataset) -> Examples:
    """Held-out records; where they are few, with several draws of noise each: a steadier mean."""
    repeats = min(VALIDATION_REPEATS, max(1, EXAMPLES // len(dataset.validation_rows)))
    rows = np.tile(dataset.validation_rows, repeats)
    return _examples(dataset, dataset.train, rows, _VALIDATION)


def calibration_examples(dataset: Dataset) -> Examples:
    """Held-out records that chose nothing, each with one draw of noise: a score each.

    Their weights say what rounds that aim somewhere have shifted.
    """
    rows = dataset.calibration_rows
    [weight] = dataset.train.gather((PackedFields.WEIGHT,), rows)
    found = _examples(dataset, dataset.train, rows, _CALIBRATION)
    return replace(found, weight=weight[:, 0].astype(np.float64))


def test_examples(dataset: Dataset) -> Examples:
    """The off-grid test set with its frozen noise; never tuned on."""
    facts = dataset.facts
    noise = facts.noise_strain, facts.noise_force_relative
    return with_test_noise(clean_test_examples(dataset), noise, facts.noise_seed, 0)


def clean_test_examples(dataset: Dataset) -> Examples:
    """Return the off-grid test set as it was simulated."""
    rows = np.arange(min(len(dataset.test), TEST_EXAMPLES))
    return _clean(dataset, dataset.test, rows)


def with_test_noise(clean: Examples, noise: tuple[float, float], seed: int, draw: int) -> Examples:
    """Add a draw of noise, of strains and relative of forces; draw 0 is the test set's own."""
    return _with_noise(clean, noise, [seed, _TEST, *([_DRAW, draw] if draw else [])])


def _examples(dataset: Dataset, split: Split, rows: NDArray[np.int64], tag: int) -> Examples:
    facts = dataset.facts
    noise = facts.noise_strain, facts.noise_force_relative
    return _with_noise(_clean(dataset, split, rows), noise, [facts.noise_seed, tag])


def _with_noise(clean: Examples, noise: tuple[float, float], seeds: list[int]) -> Examples:
    return replace(
        clean,
        strains=with_noise(clean.strains, noise[0], seeds),
        forces=with_relative_noise(clean.forces, noise[1], [*seeds, _FORCES]),
    )


def _clean(dataset: Dataset, split: Split, rows: NDArray[np.int64]) -> Examples:
    names = (PackedFields.STRAINS, PackedFields.FORCES, PackedFields.PARAMETERS)
    strains, forces, parameters = split.gather(names, rows)
    known, given = [], dataset.facts.given
    if columns := list(given.columns):
        [sheet] = split.gather((PackedFields.SHEET,), rows)
        known = [sheet[:, columns], np.zeros((len(rows), len(columns)), np.float32)]
    if given.displacements:
        known += split.gather((PackedFields.DISPLACEMENTS,), rows)
    return Examples(
        strains=strains,
        forces=forces,
        scaled=scale(parameters, dataset.facts.scaler),
        physical=parameters.astype(np.float64),
        known=np.hstack(known) if known else None,
        told=len(given.displacements),
    )


def with_nothing_known(examples: Examples) -> Examples:
    """Return the same records, measured by somebody who knows none of their given values."""
    if examples.known is None:
        return examples
    known = examples.known.copy()
    given = (known.shape[1] - examples.told) // 2
    known[:, :given], known[:, given : 2 * given] = known[:, :given].mean(0), np.inf
    return replace(examples, known=known)
