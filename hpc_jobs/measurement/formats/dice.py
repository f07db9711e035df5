"""DICe: text with commas or blanks, pixels counted downwards, MATCH other than 0 where lost.

The exported strains are Green-Lagrange over windows of hundreds of pixels. A model of the
background lies in the same field; place the patches by the notch, or give a region.
"""

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.measurement.formats.layouts import Columns, TextTool

FLOOR = 0.01  # pixels


def weights(columns: Columns) -> NDArray[np.float64]:
    """Inverse variance of the match; 0 where it failed."""
    size = len(columns["x"])
    found = np.ones(size, dtype=bool)
    if "match" in columns:
        found &= columns["match"] == 0
    if "sigma" in columns:
        found &= columns["sigma"] >= 0
    sigma = np.maximum(columns.get("sigma", np.zeros(size)), 0)
    return np.where(found, FLOOR**2 / (FLOOR**2 + sigma**2), 0.0)


_BESIDE = {
    "exx": ("VSG_STRAIN_XX", "VSG_GREEN_LAGRANGE_XX"),
    "eyy": ("VSG_STRAIN_YY", "VSG_GREEN_LAGRANGE_YY"),
    "exy": ("VSG_STRAIN_XY", "VSG_GREEN_LAGRANGE_XY"),
    "match": ("MATCH",),
    "sigma": ("SIGMA",),
}
DICE = TextTool(
    name="dice",
    columns={
        "x": ("COORDINATE_X",),
        "y": ("COORDINATE_Y",),
        "u": ("DISPLACEMENT_X",),
        "v": ("DISPLACEMENT_Y",),
        **_BESIDE,
    },
    signature=("x", "y", "u", "v"),
    unit="pixel",
    y_down=True,
    measure="green_lagrange",
    weights=weights,
)
DICE_STEREO = TextTool(
    name="dice",
    columns={
        "x": ("MODEL_COORDINATES_X",),
        "y": ("MODEL_COORDINATES_Y",),
        "z": ("MODEL_COORDINATES_Z",),
        "u": ("MODEL_DISPLACEMENT_X",),
        "v": ("MODEL_DISPLACEMENT_Y",),
        "w": ("MODEL_DISPLACEMENT_Z",),
        **_BESIDE,
    },
    signature=("x", "y", "z", "u", "v", "w"),
    unit="mm",
    y_down=True,
    measure="green_lagrange",
    weights=weights,
)
