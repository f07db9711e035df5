"""Principal components of the records in units of their noise, once for a dataset generation.

In units of the noise every direction has noise of variance one, and the signal's variance in the
k-th principal direction, lambda_k, says what that direction is worth. For strains the noise is
absolute; that of forces is relative, so that their logarithms are what has constant noise.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import UNREADABLE_ARRAYS, CorruptFile
from hpc_jobs.contract.records import publish

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Principal components of noise-free records of one quantity, in units of its noise."""

    mean: Float  # (values,) of the quantity: strain, or logarithm of a force in N
    noise: float  # of the quantity, one standard deviation
    vectors: Float  # (values, k), orthonormal columns, strongest first
    variances: Float  # (k,) of the signal; the noise has variance 1

    def components(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Project records (n, values) of the quantity: (n, k), centred, in units of the noise."""
        units = (values.astype(np.float64) - self.mean) / self.noise
        return (units @ self.vectors).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Spectra:
    """What a generation's stored components mean."""

    strains: Spectrum
    forces: Spectrum  # of their logarithms


class Moments:
    """Mean and covariance of values (n, values) that come in blocks."""

    def __init__(self) -> None:
        self.count = 0
        self._shift = self._total = np.zeros(0)
        self._square = np.zeros((0, 0))

    @property
    def mean(self) -> Float:
        """(values,)."""
        return np.asarray(self._shift + self._total / max(self.count, 1))

    def add(self, block: NDArray[np.floating[Any]]) -> None:
        """Take in some records."""
        if not len(block):
            return
        values = block.astype(np.float64)
        if self.count == 0:
            self._shift = values.mean(0)  # near the mean, so that no digits cancel
            self._total = np.zeros_like(self._shift)
            self._square = np.zeros((self._shift.size, self._shift.size))
        values -= self._shift
        self.count += len(values)
        self._total += values.sum(0)
        self._square += values.T @ values

    def spectrum(self, noise: float, components: int) -> Spectrum:
        """Find the strongest components, in units of the noise."""
        centre = self._total / self.count
        covariance = (self._square / self.count - np.outer(centre, centre)) / noise**2
        variances, vectors = np.linalg.eigh(covariance)
        strongest = np.argsort(variances)[::-1][:components]
        return Spectrum(
            mean=self._shift + centre,
            noise=noise,
            vectors=vectors[:, strongest],
            variances=np.maximum(variances[strongest], 0),
        )


def spectrum_of(
    blocks: Iterable[NDArray[np.floating[Any]]], noise: float, components: int
) -> Spectrum:
    """Principal components of records that come in blocks (n, values)."""
    moments = Moments()
    for block in blocks:
        moments.add(block)
    return moments.spectrum(noise, components)


def publish_spectra(path: Path, spectra: Spectra) -> None:
    """Write a generation's spectra as .npz, without pickled objects."""
    named = {"strains": spectra.strains, "forces": spectra.forces}
    with publish(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            **{
                f"{quantity}_{name}": getattr(spectrum, name)
                for quantity, spectrum in named.items()
                for name in Spectrum.__slots__
            },
        )


def read_spectra(path: Path) -> Spectra:
    """Read what `publish_spectra` wrote; raises CorruptFile."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            strains, forces = (_spectrum(stored, name) for name in ("strains", "forces"))
    except UNREADABLE_ARRAYS as error:
        raise CorruptFile(
            f"{path}: not the spectra of a dataset ({error}); publish the dataset again"
        ) from None
    return Spectra(strains=strains, forces=forces)


def _spectrum(stored: Any, quantity: str) -> Spectrum:
    return Spectrum(
        mean=stored[f"{quantity}_mean"],
        noise=float(stored[f"{quantity}_noise"]),
        vectors=stored[f"{quantity}_vectors"],
        variances=stored[f"{quantity}_variances"],
    )
