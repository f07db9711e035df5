"""A specimen ready to be solved: mesh, integration data, supports and patches as flat arrays."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.geometry import Geometry, Mesh, Patches
from hpc_jobs.fem.specimen.mesh import FloatArray, gradients_and_areas, notched_strip
from hpc_jobs.fem.specimen.patches import patch_weights


@dataclass(frozen=True, eq=False)
class Discretisation:
    """What the kernels read of a specimen; the same for all angles and materials."""

    gradients: FloatArray  # (elements, 4 points, 4 nodes, 2), 1/mm
    volumes: FloatArray  # (elements, 4), mm^3
    dofs: NDArray[np.int64]  # (elements, 8)
    ends: FloatArray  # (unknowns,) prescribed displacement per unit of end displacement
    first: int  # free unknowns are [first, first + free)
    free: int
    band_width: int  # diagonal included
    patch_weights: FloatArray  # (patches, elements * 4)


@lru_cache(maxsize=16)
def discretise(geometry: Geometry, grid: Mesh, patches: Patches) -> Discretisation:
    """Discretise a strip; both ends clamped, drawn apart by halves."""
    mesh = notched_strip(geometry, grid)
    gradients, areas = gradients_and_areas(mesh)
    column = 2 * mesh.per_column
    unknowns = 2 * len(mesh.nodes)
    ends = np.zeros(unknowns)
    ends[0:column:2], ends[unknowns - column :: 2] = -0.5, 0.5
    return Discretisation(
        gradients=gradients,
        volumes=areas * geometry.thickness_mm,
        dofs=mesh.dofs,
        ends=ends,
        first=column,
        free=unknowns - 2 * column,
        band_width=column + 4,
        patch_weights=patch_weights(mesh, patches),
    )
