"""Strains of a displacement field, as the kernels compute them, for fields from elsewhere."""

import numpy as np

from hpc_jobs.fem.specimen.mesh import FloatArray, Quadrilaterals, gradients_and_areas

SERIES_BELOW = 1e-4  # relative difference of the stretches, where atanh(x)/x is 1 + x^2/3


def log_strains(mesh: Quadrilaterals, displacements: FloatArray) -> FloatArray:
    """Logarithmic strains ln U, xx and yy in the axes of the mesh, at all integration points.

    displacements (times, nodes, 2), mm; returns (2, times, elements * 4). NaN where det F is not
    positive. With C = F^T F, of mean m and deviator d, ln U = ln(det C)/4 I + atanh(r/m)/(2 r) d
    where r = |d|.
    """
    gradients, _ = gradients_and_areas(mesh)
    F = np.einsum("teac,eqak->teqck", displacements[:, mesh.elements], gradients) + np.eye(2)
    C = np.einsum("teqki,teqkj->teqij", F, F)
    mean, half = (C[..., 0, 0] + C[..., 1, 1]) / 2, (C[..., 0, 0] - C[..., 1, 1]) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        x = np.hypot(half, C[..., 0, 1]) / mean
        ratio = np.where(x < SERIES_BELOW, 1 + x**2 / 3, np.arctanh(x) / x) / mean
        area = np.linalg.det(F)
        along = np.log(np.where(area > 0, area, np.nan)) / 2
    strains = np.stack((along + ratio * half / 2, along - ratio * half / 2))
    return np.asarray(strains.reshape(2, len(displacements), 4 * len(mesh.elements)))
