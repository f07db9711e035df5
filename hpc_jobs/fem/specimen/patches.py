"""Measurement patches: what an optical strain measurement would average over.

Between the four integration points of an element a strain is bilinear; a patch value is the
area average of that field over a fixed rectangle of the undeformed sheet. So a patch is one row of
weights over all points, which sum to one, and neither needs to lie on element edges nor to
contain a point.
"""

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.geometry import Geometry, Patches
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.specimen.mesh import FloatArray, Quadrilaterals

EDGE_MARGIN = 1e-9  # mm
SAMPLES = 60  # midpoints per patch and direction, by which the average is taken


def patch_weights(mesh: Quadrilaterals, patches: Patches) -> FloatArray:
    """Weights (patches, elements * 4); patches are numbered across first, then along +x."""
    x = patches.offset_along_mm + _midpoints(patches.region_length_mm, patches.along)
    y = patches.offset_across_mm + _midpoints(patches.region_width_mm, patches.across)
    rows = mesh.per_column - 1
    columns = mesh.nodes[:: mesh.per_column, 0]
    weights = np.empty((patches.along, patches.across, len(columns) - 1, rows, 4))
    for place, samples in enumerate(x):
        column, share, half = _columns(mesh, samples)
        # Shares of a line x = const that lie in each row, at its two points across
        lines = _lines(mesh, half, y)  # (samples, across, rows, 2)
        along = np.stack(_linear(2 * share - 1), axis=-1)  # (samples, 2)
        each = np.einsum("sa,sjrb->sjrab", along, lines).reshape(len(samples), -1)
        whole = np.zeros((len(columns) - 1, each.shape[1]))
        first = np.flatnonzero(np.diff(column, prepend=-1))  # samples are in order
        whole[column[first]] = np.add.reduceat(each, first)
        shaped = whole.reshape(len(columns) - 1, patches.across, rows, 2, 2).swapaxes(0, 1)
        # Points run counter-clockwise from the lower left
        weights[place] = np.stack(
            (shaped[..., 0, 0], shaped[..., 1, 0], shaped[..., 1, 1], shaped[..., 0, 1]), axis=-1
        )
    return weights.reshape(patches.count, -1) / SAMPLES**2


def _linear(parent: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weights of the two points of a line, by the parent coordinate: linear through them."""
    stretched = parent * np.sqrt(3)
    return (1 - stretched) / 2, (1 + stretched) / 2


def _columns(
    mesh: Quadrilaterals, x: FloatArray
) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    """Column of elements at each x, the share of its length, and half of the width there."""
    nodes = mesh.nodes.reshape(-1, mesh.per_column, 2)
    columns = nodes[:, 0, 0]
    i = np.clip(np.searchsorted(columns, x) - 1, 0, len(columns) - 2)
    share = (x - columns[i]) / (columns[i + 1] - columns[i])
    return i, share, (1 - share) * nodes[i, -1, 1] + share * nodes[i + 1, -1, 1]


def _lines(mesh: Quadrilaterals, half: FloatArray, y: FloatArray) -> FloatArray:
    """Weights (lines, patches, rows, 2) of midpoints y (patches, SAMPLES) on lines across.

    The rows are equally wide, from -half to half of each line.
    """
    rows, lines, patches = mesh.per_column - 1, len(half), len(y)
    place = (y / half[:, None, None] + 1) * (rows / 2)
    row = np.clip(np.ceil(place) - 1, 0, rows - 1).astype(np.int64)
    cell = (np.arange(lines)[:, None] * patches + np.arange(patches)).repeat(y.shape[1]) * rows
    cell += row.ravel()
    sums = [
        np.bincount(cell, weights=weight.ravel(), minlength=lines * patches * rows)
        for weight in _linear(2 * (place - row) - 1)
    ]
    return np.asarray(np.stack(sums, axis=-1).reshape(lines, patches, rows, 2), np.float64)


def locate(
    mesh: Quadrilaterals, x: FloatArray, y: FloatArray
) -> tuple[NDArray[np.int64], FloatArray]:
    """Element (n,) that holds each position, and its parent coordinates (n, 2).

    Exact for this mesh: element sides across the strip are straight lines x = const.
    """
    column, share, half = _columns(mesh, x)
    rows = mesh.per_column - 1
    place = (y / half + 1) * (rows / 2)
    row = np.clip(np.ceil(place) - 1, 0, rows - 1).astype(np.int64)
    parent = np.stack((2 * share - 1, 2 * (place - row) - 1), axis=-1)
    return column * rows + row, parent


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


def _midpoints(extent: float, count: int) -> FloatArray:
    """Midpoints (count, SAMPLES) of each of `count` intervals of [-extent/2, extent/2]."""
    share = (np.arange(count * SAMPLES) + 0.5) / (count * SAMPLES) - 0.5
    return np.asarray(extent * share).reshape(count, SAMPLES)
