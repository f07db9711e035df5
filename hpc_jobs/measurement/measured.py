"""A measurement in memory, and the error for one that must not be used."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import ContractError
from hpc_jobs.contract.measurement import MeasurementHeader


class UnusableMeasurement(ContractError):
    """A measurement that must not be used; the message lists everything that is wrong."""

    def __init__(self, source: str, mistakes: list[str]):
        super().__init__("\n".join(f"{source}: {mistake}" for mistake in mistakes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Numbers and header of one measurement; laid out like a record (contract.specimen).

    Where a patch was not seen its strains are NaN, and `missing` is true.
    """

    header: MeasurementHeader
    strains: NDArray[np.float64]  # (strain_values,), ln U in specimen axes
    forces: NDArray[np.float64] | None  # (force_values,) N
    strain_deviation: NDArray[np.float64] | None = None  # (strain_values,); None: header.noise
    noise_correlation: NDArray[np.float64] | None = None  # (2 patches, 2 patches) or None: 1

    @property
    def name(self) -> str:
        """The measurement's name."""
        return self.header.name

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where strains were measured, (strain_values,)."""
        return np.asarray(np.isfinite(self.strains))

    @property
    def complete(self) -> bool:
        """Whether every patch was seen at every time."""
        return bool(self.mask.all())

    @property
    def deviation(self) -> NDArray[np.float64]:
        """One standard deviation of each strain, (strain_values,)."""
        if self.strain_deviation is not None:
            return self.strain_deviation
        return np.full(self.strains.shape, self.header.noise.strain)
