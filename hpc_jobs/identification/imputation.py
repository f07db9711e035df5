"""What a patch that was not seen most probably measured, and how surely.

A network must be given every strain. The simulated records of a campaign say how strains and forces
go together, and the normal law of their mean and covariance gives missing values from those that
were measured. Draws of them, with the noise that a measurement would have had, go through the
network; by how much its answers scatter is added to how sure it is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.measurement.measured import Measurement

RECORDS = 4_000  # of which the law is taken; more tell no more of its leading directions
KEPT = 1e-9  # of the records' variance, below which a direction is none
DRAWS = 32
SEED = 31

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RecordsLaw:
    """Mean and principal directions of simulated strains, and logarithms of forces where known."""

    mean: FloatArray  # (values,)
    directions: FloatArray  # (values, k), each as long as its standard deviation
    left: FloatArray  # (values,) standard deviation that the directions do not have

    @classmethod
    def of(cls, strains: NDArray[np.floating], forces: NDArray[np.floating] | None) -> "RecordsLaw":
        """Take the law of records, strains (n, strain_values) and forces (n, force_values)."""
        values = np.asarray(strains[:RECORDS], np.float64)
        if forces is not None:
            values = np.hstack([values, np.log(np.asarray(forces[:RECORDS], np.float64))])
        mean = values.mean(axis=0)
        centred = (values - mean) / np.sqrt(max(len(values) - 1, 1))
        _, sizes, rows = np.linalg.svd(centred, full_matrices=False)
        kept = sizes**2 > KEPT * (sizes**2).sum()
        directions = (rows[kept].T * sizes[kept]).astype(np.float64)
        left = (centred**2).sum(axis=0) - (directions**2).sum(axis=1)
        return cls(mean, directions, np.sqrt(np.maximum(left, 0.0)))

    def draws(self, measurement: Measurement, count: int = DRAWS) -> FloatArray:
        """Draw complete strains (count, strain_values): as measured, the missing ones imputed.

        Forces help, where the law has them and they were measured.
        """
        values, deviations = measurement.strains, measurement.deviation
        forces = measurement.forces
        strains = len(values)
        if forces is not None and len(self.mean) > strains:
            values = np.concatenate([values, np.log(forces)])
            relative = measurement.header.noise.force_relative
            deviations = np.concatenate([deviations, np.full(len(forces), relative)])
        mean, directions = self.mean[: len(values)], self.directions[: len(values)]
        left = self.left[: len(values)]
        seen = np.isfinite(values)
        noise = np.hypot(deviations, left)
        scaled = directions[seen] / noise[seen, None]
        precision = np.eye(directions.shape[1]) + scaled.T @ scaled
        pull = scaled.T @ ((values - mean)[seen] / noise[seen])
        covariance = np.linalg.inv(precision)
        random = np.random.default_rng(SEED)
        scores = (
            covariance @ pull
            + random.standard_normal((count, len(pull))) @ np.linalg.cholesky(covariance).T
        )
        drawn = mean + scores @ directions.T
        drawn += noise * random.standard_normal(drawn.shape)
        return np.where(seen, np.nan_to_num(values), drawn)[:, :strains]
