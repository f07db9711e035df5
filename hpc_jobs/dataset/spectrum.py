"""Principal components of the records in units of their noise, once for a dataset generation.

In units of the noise every direction has noise of variance one, and the signal's variance in the
k-th principal direction, lambda_k, says what that direction is worth. For strains the noise is
absolute; that of forces is relative, so that their logarithms are what has constant noise.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import UNREADABLE_ARRAYS, CorruptFile
from hpc_jobs.contract.records import publish

Float = NDArray[np.float64]


BLOCK = 2048
"""Records that are worked on at a time: double precision for all of them is too much."""


def blocks(records: int, size: int = BLOCK) -> Iterator[slice]:
    """Cut records into blocks."""
    return (slice(start, min(start + size, records)) for start in range(0, records, size))


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Principal components of noise-free records of one quantity, in units of its noise."""

    mean: Float  # (values,) of the quantity: strain, or logarithm of a force in N
    noise: float  # of the quantity, one standard deviation
    vectors: Float  # (values, k), orthonormal columns, strongest first
    variances: Float  # (k,) of the signal; the noise has variance 1

    def components(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Project records (n, values) of the quantity: (n, k), centred, in units of the noise."""
        answer = np.empty((len(values), self.vectors.shape[1]), np.float32)
        for rows in blocks(len(values)):
            answer[rows] = self._units(values[rows]) @ self.vectors
        return answer

    def uncarried(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Square (n,) of what the components leave of records (n, values), over the noise's."""
        answer = np.empty(len(values))
        for rows in blocks(len(values)):
            units = self._units(values[rows])
            left = units - (units @ self.vectors) @ self.vectors.T
            answer[rows] = np.einsum("nv,nv->n", left, left)
        return answer

    def _units(self, values: NDArray[np.floating[Any]]) -> Float:
        units = values.astype(np.float64)
        units -= self.mean
        units /= self.noise
        return units


@dataclass(frozen=True, slots=True)
class Spectra:
    """What a generation's stored components mean."""

    strains: Spectrum
    forces: Spectrum  # of their logarithms
    displacements: Spectrum | None = None  # likewise, of Specimens.told_displacements


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
        for rows in blocks(len(block)):
            values = block[rows].astype(np.float64)
            if self.count == 0:
                self._begin(values.mean(0))  # near the mean, so that no digits cancel
            values -= self._shift
            self.count += len(values)
            self._total += values.sum(0)
            self._square += values.T @ values

    def merge(self, other: "Moments") -> None:
        """Take in what another has taken in."""
        if not other.count:
            return
        if self.count == 0:
            self._begin(other._shift)
        away = other._shift - self._shift
        cross = np.outer(away, other._total)
        self.count += other.count
        self._total += other._total + other.count * away
        self._square += other._square + cross + cross.T + other.count * np.outer(away, away)

    def arrays(self) -> dict[str, Any]:
        """Plain arrays, from which `from_arrays` makes the same moments."""
        names = ("count", "shift", "total", "square")
        values = (self.count, self._shift, self._total, self._square)
        return dict(zip(names, values, strict=True))

    @classmethod
    def from_arrays(cls, stored: Any, prefix: str) -> "Moments":
        """Make moments from arrays whose names have a prefix."""
        moments = cls()
        moments.count = int(stored[f"{prefix}count"])
        moments._shift, moments._total = stored[f"{prefix}shift"], stored[f"{prefix}total"]
        moments._square = stored[f"{prefix}square"]
        return moments

    def variance(self, noise: float) -> float:
        """Sum over all directions of the variance, in units of the noise's in one."""
        centre = self._total / self.count
        squares = np.diag(self._square) / self.count - centre**2
        return float(squares.sum() / noise**2)

    def _begin(self, shift: Float) -> None:
        self._shift = np.array(shift)
        self._total = np.zeros_like(self._shift)
        self._square = np.zeros((self._shift.size, self._shift.size))

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
    if spectra.displacements:
        named["displacements"] = spectra.displacements
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
            told = "displacements_mean" in stored
            displacements = _spectrum(stored, "displacements") if told else None
    except UNREADABLE_ARRAYS as error:
        raise CorruptFile(
            f"{path}: not the spectra of a dataset ({error}); publish the dataset again"
        ) from None
    return Spectra(strains=strains, forces=forces, displacements=displacements)


def _spectrum(stored: Any, quantity: str) -> Spectrum:
    return Spectrum(
        mean=stored[f"{quantity}_mean"],
        noise=float(stored[f"{quantity}_noise"]),
        vectors=stored[f"{quantity}_vectors"],
        variances=stored[f"{quantity}_variances"],
    )
