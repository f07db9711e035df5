"""The noise of a measurement, with its correlation between patches."""

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.examination import NuisancePriors
from hpc_jobs.measurement.measured import Measurement

LEAST_VARIANCE = 1e-4
"""Of any combination of patches, over a patch's: a correlation is never known better."""

FloatArray = NDArray[np.float64]


def whitening(
    measurement: Measurement, priors: NuisancePriors, model_share: float = 1.0
) -> FloatArray:
    """Return W (rows, rows) of all that was measured: W times its noise has unit covariance.

    Rows are strains that were seen, then logarithms of forces. Noise is correlated between the
    patches and components of a specimen, and in part shared by all its times. What mesh and model
    miss of the strains, model_share of the prior's, counts as noise of its own, half of it growing
    with the strain from time to time.
    """
    model = model_share * priors.model_strain
    header = measurement.header
    shape = header.specimens.strain_shape
    seen = measurement.mask
    row = np.cumsum(seen) - 1
    pulled = measurement.forces
    forces = 0 if pulled is None else int(np.isfinite(pulled).sum())
    found = np.zeros((int(seen.sum()) + forces,) * 2)
    number = np.arange(seen.size).reshape(shape)
    for specimen in range(shape[1]):
        values = number[:, specimen].ravel()
        kept = seen[values]
        rows = row[values[kept]]
        deviation = measurement.deviation[values]
        if measurement.noise_correlation is None and not header.noise_shared:
            found[rows, rows] = 1 / np.hypot(deviation[kept], model)
            continue
        covariance = _covariance(measurement, deviation, model)
        root = np.linalg.cholesky(covariance[np.ix_(kept, kept)])
        found[np.ix_(rows, rows)] = np.linalg.inv(root)
    at = np.arange(len(found) - forces, len(found))
    found[at, at] = 1 / np.hypot(header.noise.force_relative, priors.model_force)
    return found


def _covariance(measurement: Measurement, deviation: FloatArray, model: float) -> FloatArray:
    """Of one specimen's strains [component, patch, time], (values, values)."""
    header = measurement.header
    patches, times = header.specimens.patches.count, header.specimens.output_times
    between = measurement.noise_correlation
    between = np.eye(2 * patches) if between is None else between
    between = between + LEAST_VARIANCE * np.eye(2 * patches)
    shared = header.noise_shared
    in_time = shared + (1 - shared) * np.eye(times)
    found = np.kron(between, in_time) * np.outer(deviation, deviation)
    ramp = np.arange(1, times + 1) / times
    of_model = (np.outer(ramp, ramp) + np.eye(times)) / 2
    return np.asarray(found + model**2 * np.kron(np.eye(2 * patches), of_model))
