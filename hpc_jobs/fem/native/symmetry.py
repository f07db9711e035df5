"""Which part of a specimen must be solved: all of it, half or a quarter, exactly.

An orthotropic sheet, its strip and its loading are unchanged by half a turn about the sheet's
normal; at 0 and 90 degrees to the rolling direction also by both mirrors. So a node's image moves
as the node does, up to signs, and one half or quarter says everything. What breaks the symmetry
in a real test, asymmetric localisation past the peak of the force, is not found that way.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.geometry import Geometry, Mesh, Patches
from hpc_jobs.fem.specimen.mesh import FloatArray, gradients_and_areas, notched_strip
from hpc_jobs.fem.specimen.patches import patch_weights

Symmetry = Literal["none", "half_turn", "mirrors"]
FIXED, DRAWN, DRAWN_BACK = -1, -2, -3  # as in api.h

_IMAGES: dict[Symmetry, tuple[tuple[bool, bool, tuple[int, ...]], ...]] = {
    "none": ((False, False, (0, 1, 2, 3)),),
    "half_turn": ((False, False, (0, 1, 2, 3)), (True, True, (2, 3, 0, 1))),
    "mirrors": (
        (False, False, (0, 1, 2, 3)),
        (True, False, (1, 0, 3, 2)),
        (False, True, (3, 2, 1, 0)),
        (True, True, (2, 3, 0, 1)),
    ),
}
"""Images of an element: reversed along, reversed across, and where each of its points goes."""


@dataclass(frozen=True, eq=False)
class Part:
    """The part of a specimen that is solved, as api.h describes it."""

    gradients: FloatArray  # (elements, 4 points, 4 nodes, 2), 1/mm
    volumes: FloatArray  # (elements, 4), mm^3
    dofs: NDArray[np.int32]  # (elements, 8)
    signs: FloatArray  # (elements, 4)
    unknowns: int
    half_band: int
    force_factor: float
    patch_weights: FloatArray  # (patches, elements * 4)
    symmetry: Symmetry
    node_dofs: NDArray[np.int64]  # (nodes of the whole mesh, 2): unknowns, or the codes above
    node_signs: FloatArray  # (nodes,)


def symmetry_at(angle_deg: float) -> Symmetry:
    """Return the largest symmetry of a specimen at an angle to the rolling direction."""
    return "mirrors" if angle_deg % 90 == 0 else "half_turn"


@lru_cache(maxsize=16)
def solved_part(geometry: Geometry, grid: Mesh, patches: Patches, symmetry: Symmetry) -> Part:
    """Cut a strip's mesh down to what a symmetry leaves to solve."""
    mesh = notched_strip(geometry, grid)
    along, across = grid.along, grid.across
    gradients, areas = gradients_and_areas(mesh)
    kept = np.zeros((along, across), dtype=np.bool_)
    kept[
        0 if symmetry == "none" else along // 2 :, across // 2 if symmetry == "mirrors" else 0 :
    ] = True
    weights = patch_weights(mesh, patches).reshape(-1, along, across, 4)
    folded = np.zeros_like(weights)
    for back, flipped, points in _IMAGES[symmetry]:
        image = weights[:, :: -1 if back else 1, :: -1 if flipped else 1]
        folded += image[..., list(points)]
    node_dofs, node_signs, unknowns = _number_nodes(along, across, symmetry)
    elements = mesh.elements[kept.ravel()]
    dofs = node_dofs[elements].reshape(-1, 8)
    free = np.where(dofs >= 0, dofs, -1)
    spread = np.where(free >= 0, free, unknowns).min(axis=1)
    return Part(
        gradients=np.ascontiguousarray(gradients[kept.ravel()]),
        volumes=np.ascontiguousarray(areas[kept.ravel()] * geometry.thickness_mm),
        dofs=np.ascontiguousarray(dofs, dtype=np.int32),
        signs=np.ascontiguousarray(node_signs[elements]),
        unknowns=unknowns,
        half_band=int((free.max(axis=1) - spread).max()),
        force_factor=2.0 if symmetry == "mirrors" else 1.0,
        patch_weights=np.ascontiguousarray(folded[:, kept].reshape(len(weights), -1)),
        symmetry=symmetry,
        node_dofs=node_dofs,
        node_signs=node_signs,
    )


def _number_nodes(
    along: int, across: int, symmetry: Symmetry
) -> tuple[NDArray[np.int64], FloatArray, int]:
    """Unknowns (nodes, 2) and signs (nodes,) of all nodes, column by column, and their number.

    Under half a turn the central column folds onto its upper half, which is numbered from the
    centre outwards: that leaves the band no wider.
    """
    dofs = np.full((along + 1, across + 1, 2), FIXED)
    signs = np.ones((along + 1, across + 1))
    unknowns, middle = 0, across // 2
    for column in range(0 if symmetry == "none" else along // 2, along + 1):
        central = symmetry != "none" and column == along // 2
        for row in range(middle if symmetry == "mirrors" else 0, across + 1):
            if column in (0, along):
                dofs[column, row, 0] = DRAWN if column else DRAWN_BACK
                continue
            if central and symmetry == "half_turn" and row <= middle:
                continue
            for component in range(2):
                on_axis = (central and component == 0) or (row == middle and component == 1)
                if symmetry == "mirrors" and on_axis:
                    continue
                dofs[column, row, component] = unknowns
                unknowns += 1
    if symmetry == "half_turn":
        centre = along // 2
        dofs[centre, :middle] = dofs[centre, :middle:-1]
        signs[centre, :middle] = -1
    return dofs.reshape(-1, 2), signs.ravel(), unknowns
