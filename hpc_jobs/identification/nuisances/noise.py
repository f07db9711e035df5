"""The noise of a measurement, with its correlation between patches."""

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.examination import NuisancePriors
from hpc_jobs.measurement.measured import Measurement

LEAST_VARIANCE = 1e-4
"""Of any combination of patches, over a patch's: a correlation is never known better."""

FloatArray = NDArray[np.float64]


def whitening(measurement: Measurement, priors: NuisancePriors) -> FloatArray:
    """Return W (rows, rows) of all that was measured: W times its noise has unit covariance.

    Rows are strains that were seen, then logarithms of forces. Noise is correlated between the
    patches and components of a specimen at one time, if at all. What mesh and model miss counts as
    noise of its own.
    """
    header = measurement.header
    shape = header.specimens.strain_shape
    seen, deviation = measurement.mask, measurement.deviation
    model = priors.model_strain**2
    row = np.cumsum(seen) - 1
    forces = 0 if measurement.forces is None else len(measurement.forces)
    found = np.zeros((int(seen.sum()) + forces,) * 2)
    number = np.arange(seen.size).reshape(shape)
    for specimen, time in np.ndindex(shape[1], shape[3]):
        values = number[:, specimen, :, time].ravel()
        kept = seen[values]
        values = values[kept]
        rows = row[values]
        if measurement.noise_correlation is None:
            found[rows, rows] = 1 / np.sqrt(deviation[values] ** 2 + model)
            continue
        shared = measurement.noise_correlation[np.ix_(kept, kept)]
        shared = (shared + LEAST_VARIANCE * np.eye(len(values))) * np.outer(
            deviation[values], deviation[values]
        )
        root = np.linalg.cholesky(shared + model * np.eye(len(values)))
        found[np.ix_(rows, rows)] = np.linalg.inv(root)
    at = np.arange(len(found) - forces, len(found))
    found[at, at] = 1 / np.hypot(header.noise.force_relative, priors.model_force)
    return found
