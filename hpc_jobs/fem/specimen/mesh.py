"""The specimen's mesh: structured quadrilaterals mapped onto the strip."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.geometry import Geometry, Mesh

FloatArray = NDArray[np.float64]
CORNERS = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Quadrilaterals:
    """Nodes (n, 2) in mm, numbered across the strip; elements (m, 4), counter-clockwise."""

    nodes: FloatArray
    elements: NDArray[np.int64]
    per_column: int

    @property
    def dofs(self) -> NDArray[np.int64]:
        """Unknowns (u, v of each node) of each element, (m, 8)."""
        pairs = np.stack((2 * self.elements, 2 * self.elements + 1), axis=-1)
        return np.ascontiguousarray(pairs.reshape(-1, 8))


def half_width(geometry: Geometry, x: FloatArray) -> FloatArray:
    """Half of the strip's width at x, mm; see Geometry."""
    depth, length = geometry.notch_depth_mm, geometry.notch_length_mm
    inside = np.clip(x, -length / 2, length / 2)
    match geometry.shape:
        case "cosine":
            cut = depth / 2 * (1 + np.cos(2 * np.pi * inside / length))
        case "arc":
            radius = geometry.notch_radius_mm
            cut = depth - radius + np.sqrt(radius**2 - inside**2)
        case "straight":
            cut = np.zeros_like(inside)
    return np.asarray(geometry.width_mm / 2 - cut)


def notched_strip(geometry: Geometry, mesh: Mesh) -> Quadrilaterals:
    """Map a structured grid onto the strip: x along it from its centre, y across.

    Positions along are L/2 (g s + (1 - g) s^3), s uniform in [-1, 1] and g = mesh.grading: a g
    below one concentrates elements in the notch.
    """
    s = np.linspace(-1, 1, mesh.along + 1)
    x = geometry.length_mm / 2 * (mesh.grading * s + (1 - mesh.grading) * s**3)
    y = half_width(geometry, x)[:, None] * np.linspace(-1, 1, mesh.across + 1)
    nodes = np.stack((np.broadcast_to(x[:, None], y.shape), y), axis=-1).reshape(-1, 2)
    column = mesh.across + 1
    first = (np.arange(mesh.along)[:, None] * column + np.arange(mesh.across)).reshape(-1, 1)
    elements = first + np.array([0, column, column + 1, 1])
    return Quadrilaterals(np.ascontiguousarray(nodes), elements.astype(np.int64), column)


def shape_functions(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bilinear shape functions (k, 4) and their derivatives (k, 4, 2) at parent points (k, 2)."""
    factors = 1 + points[:, None, :] * CORNERS
    values = factors[..., 0] * factors[..., 1] / 4
    derivatives = CORNERS * factors[..., ::-1] / 4
    return values, derivatives


def gauss_points() -> FloatArray:
    """Return the 2 x 2 points in the parent square, (4, 2)."""
    return np.asarray(CORNERS / np.sqrt(3))


def gradients_and_areas(mesh: Quadrilaterals) -> tuple[FloatArray, FloatArray]:
    """Shape function gradients (m, 4, 4, 2) in 1/mm and areas (m, 4) in mm^2 at all points."""
    _, derivatives = shape_functions(gauss_points())
    jacobian = np.einsum("ead,qak->eqdk", mesh.nodes[mesh.elements], derivatives)
    inverse = np.linalg.inv(jacobian)
    gradients = np.einsum("qak,eqkd->eqad", derivatives, inverse)
    return np.ascontiguousarray(gradients), np.linalg.det(jacobian)
