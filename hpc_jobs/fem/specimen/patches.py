"""Measurement patches: what an optical strain measurement would average over.

Between the four integration points of an element a strain is bilinear; a patch value is the
area average of that field over a fixed rectangle of the undeformed sheet. So a patch is one row of
weights over all points, which sum to one, and neither needs to lie on element edges nor to
contain a point.
"""

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.specimen import Geometry, Patches, Specimens
from hpc_jobs.fem.specimen.mesh import FloatArray, Quadrilaterals, shape_functions

EDGE_MARGIN = 1e-9  # mm
SAMPLES = 60  # midpoints per patch and direction, by which the average is taken


def patch_weights(mesh: Quadrilaterals, patches: Patches) -> FloatArray:
    """Weights (patches, elements * 4); patches are numbered across first, then along +x."""
    x = patches.offset_along_mm + _midpoints(patches.region_length_mm, patches.along)
    y = patches.offset_across_mm + _midpoints(patches.region_width_mm, patches.across)
    weights = np.zeros((patches.count, len(mesh.elements) * 4))
    for patch in range(patches.count):
        along, across = divmod(patch, patches.across)
        grid = np.meshgrid(x[along], y[across], indexing="ij")
        elements, parent = locate(mesh, grid[0].ravel(), grid[1].ravel())
        # The four points span a square of 1/sqrt(3): bilinear through them
        extrapolation, _ = shape_functions(parent * np.sqrt(3))
        entries = 4 * elements[:, None] + np.arange(4)
        np.add.at(weights[patch], entries.ravel(), extrapolation.ravel() / SAMPLES**2)
    return weights


def unfit_specimen(specimens: Specimens) -> str:
    """Name the first test whose specimen cannot be measured as it is; "" if all can."""
    for test in specimens.tests:
        reason = does_not_fit(test.geometry, test.patches(specimens.patches))
        if reason:
            return f"specimen {test.label}: {reason}"
    return ""


def does_not_fit(geometry: Geometry, patches: Patches) -> str:
    """Say why a specimen as it is cannot be measured with these patches; "" if it can."""
    if not 0 < geometry.notch_width_mm <= geometry.width_mm:
        return (
            f"its notch would be {geometry.notch_width_mm:.4g} mm wide, and its strip is "
            f"{geometry.width_mm:g}; lower the notch width's standard deviation"
        )
    length = patches.region_length_mm / 2 + abs(patches.offset_along_mm)
    if length > geometry.length_mm / 2:
        return f"its patches reach {length:.4g} mm along; the strip's end is nearer"
    width = patches.region_width_mm / 2 + abs(patches.offset_across_mm)
    if width > geometry.notch_width_mm / 2 + EDGE_MARGIN:
        return (
            f"its patches reach {width:.4g} mm across, and its edge is at "
            f"{geometry.notch_width_mm / 2:.4g}; make the region of the patches smaller, or the "
            "standard deviations of their place and of the notch width"
        )
    return ""


def locate(
    mesh: Quadrilaterals, x: FloatArray, y: FloatArray
) -> tuple[NDArray[np.int64], FloatArray]:
    """Element (n,) that holds each position, and its parent coordinates (n, 2).

    Exact for this mesh: element sides across the strip are straight lines x = const.
    """
    nodes = mesh.nodes.reshape(-1, mesh.per_column, 2)
    columns = nodes[:, 0, 0]
    i = np.clip(np.searchsorted(columns, x) - 1, 0, len(columns) - 2)
    share = (x - columns[i]) / (columns[i + 1] - columns[i])
    half = (1 - share) * nodes[i, -1, 1] + share * nodes[i + 1, -1, 1]
    rows = nodes[0, :, 1] / nodes[0, -1, 1]
    eta = y / half
    j = np.clip(np.searchsorted(rows, eta) - 1, 0, len(rows) - 2)
    across = (eta - rows[j]) / (rows[j + 1] - rows[j])
    parent = np.stack((2 * share - 1, 2 * across - 1), axis=-1)
    return i * (mesh.per_column - 1) + j, parent


def _midpoints(extent: float, count: int) -> FloatArray:
    """Midpoints (count, SAMPLES) of each of `count` intervals of [-extent/2, extent/2]."""
    share = (np.arange(count * SAMPLES) + 0.5) / (count * SAMPLES) - 0.5
    return np.asarray(extent * share).reshape(count, SAMPLES)
