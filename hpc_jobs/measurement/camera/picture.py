"""A film in the axes and units of a tool's file: which way x runs, pixels or mm."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.measurement.camera.film import Film
from hpc_jobs.measurement.camera.strains import Measure, exported_strains

TensileAxis = Literal["x", "y"]
CORNER_PX = (160.0, 120.0)  # of the lattice's first point in the picture

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """Frames as a tool exports them: lattices of one unit, x and y as the tool counts them."""

    positions: FloatArray  # (rows, columns, 2)
    displacements: FloatArray  # (frames, rows, columns, 2)
    strains: FloatArray  # (frames, rows, columns, 3) xx, yy and tensor xy
    pixels: FloatArray  # (rows, columns, 2) in the image, y down
    inside: BoolArray  # (rows, columns)
    lost: BoolArray  # (frames, rows, columns)
    times_s: FloatArray  # (frames,)
    forces_n: FloatArray  # (frames,)
    step_px: int


def picture_of(
    film: Film,
    *,
    tensile_axis: TensileAxis = "x",
    y_down_pixels: bool = False,
    y_down: bool = False,
    measure: Measure = "green_lagrange",
    scale: float = 0.0,
) -> Picture:
    """Export a film in mm with y up or down, or in pixels with y down.

    With tensile_axis y the camera stood upright: the specimen's x is the picture's y. scale is
    the relative error of the pixel's size; it makes all millimetres longer.
    """
    positions, moved = film.positions, film.displacements
    inside, lost = film.inside, film.lost
    if tensile_axis == "y":  # a quarter turn: (x, y) -> (-y, x), rows and columns change place
        positions, moved = _turned(positions), _turned(moved)
        inside, lost = inside.T, np.swapaxes(lost, 1, 2)
        positions, moved = positions[:, ::-1], moved[:, :, ::-1]
        inside, lost = inside[:, ::-1], lost[:, :, ::-1]
    optics = film.optics
    down = np.array([1.0, -1.0])
    pixels = positions / optics.pixel_mm * down
    pixels = pixels - pixels.reshape(-1, 2).min(axis=0) + CORNER_PX
    if y_down_pixels:
        positions, moved = pixels[::-1], moved[:, ::-1] / optics.pixel_mm * down
        pixels, inside, lost = pixels[::-1], inside[::-1], lost[:, ::-1]
    else:
        positions, moved = positions * (1 + scale), moved * (1 + scale)
        if y_down:
            positions, moved = positions[::-1] * down, moved[:, ::-1] * down
            pixels, inside, lost = pixels[::-1], inside[::-1], lost[:, ::-1]
    spacing = (
        float(positions[0, 1, 0] - positions[0, 0, 0]),
        float(positions[1, 0, 1] - positions[0, 0, 1]),
    )
    return Picture(
        positions=positions,
        displacements=moved,
        strains=exported_strains(moved, spacing, optics.strain_window, measure),
        pixels=pixels,
        inside=inside,
        lost=lost,
        times_s=film.times_s,
        forces_n=film.forces_n,
        step_px=optics.step_px,
    )


def _turned(vectors: FloatArray) -> FloatArray:
    """Turn lattice (..., rows, columns, 2) and its vectors by 90 degrees."""
    swapped = np.swapaxes(vectors, -3, -2)
    return np.stack([-swapped[..., 1], swapped[..., 0]], axis=-1)
