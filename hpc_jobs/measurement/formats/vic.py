"""VIC-3D and VIC-2D of Correlated Solutions: a CSV a frame, `sigma` -1 where a point is lost.

Names in quotes, with blanks before them; new versions add unit and measure: `exx [1] - Lagrange`.
Old headers do not name the measure, which is Green-Lagrange unless somebody chose another.
Upper case is metric, lower case pixels of the reference picture.
"""

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.measurement.formats.layouts import Columns, TextTool

FLOOR = 0.01  # pixels; a point is not trusted more than that
STRAINS = {"exx": ("exx",), "eyy": ("eyy",), "exy": ("exy",), "sigma": ("sigma",)}


def weights(columns: Columns) -> NDArray[np.float64]:
    """Inverse variance of the match; 0 where sigma is negative: lost."""
    sigma = columns.get("sigma")
    if sigma is None:
        return np.ones(len(columns["x"]))
    return np.where(sigma >= 0, FLOOR**2 / (FLOOR**2 + np.maximum(sigma, 0) ** 2), 0.0)


VIC_3D = TextTool(
    name="vic_3d",
    columns={
        "x": ("X",),
        "y": ("Y",),
        "z": ("Z",),
        "u": ("U",),
        "v": ("V",),
        "w": ("W",),
        **STRAINS,
    },
    signature=("x", "y", "z", "u", "v", "w", "sigma"),
    unit="mm",
    weights=weights,
    exact=True,
    required=("x", "y", "z", "u", "v", "w"),
)
VIC_2D_METRIC = TextTool(
    name="vic_2d",
    columns={
        "x": ("x_c", "X"),
        "y": ("y_c", "Y"),
        "u": ("u_c", "U"),
        "v": ("v_c", "V"),
        **STRAINS,
    },
    signature=("x", "y", "u", "v", "sigma"),
    unit="mm",
    weights=weights,
    exact=True,
)
VIC_2D = TextTool(
    name="vic_2d",
    columns={"x": ("x",), "y": ("y",), "u": ("u",), "v": ("v",), **STRAINS},
    signature=("x", "y", "u", "v", "sigma"),
    unit="pixel",
    y_down=True,
    weights=weights,
    exact=True,
)
