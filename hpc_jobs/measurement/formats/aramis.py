"""ARAMIS, ZEISS Inspect and GOM Correlate: `#` head, semicolons, strain in % but shear in 1.

The exported nodemap holds force and travel of the stage in its head; newer versions write one CSV
a stage. Points that were not found are left out of the file.
"""

from collections.abc import Sequence

from hpc_jobs.measurement.formats.layouts import TextTool, signal_in


def signals(head: Sequence[str]) -> tuple[float | None, float | None]:
    """Time in s and force in N of the stage, from its head."""
    time_s = signal_in(head, r"time(?:_s|\s*\[s\])?|zeit|stage[ _]time|relative[ _]time")
    return time_s, signal_in(head, r"force(?:_n|_kn|\s*\[k?N\])?|kraft(?:\s*\[k?N\])?|load")


ARAMIS = TextTool(
    name="aramis",
    columns={
        "x": ("x_undef", "x_undf", "X undef.", "x", "X", "coordinate x", "Reference X"),
        "y": ("y_undef", "y_undf", "Y undef.", "y", "Y", "coordinate y", "Reference Y"),
        "z": ("z_undef", "z_undf", "Z undef.", "z", "Z", "coordinate z", "Reference Z"),
        "u": ("u", "ux", "dX", "dx", "displacement x", "displacement_x"),
        "v": ("v", "uy", "dY", "dy", "displacement y", "displacement_y"),
        "w": ("w", "uz", "dZ", "dz", "displacement z", "displacement_z"),
        "exx": ("epsx", "eps_x", "epsilon x", "epsilon_x"),
        "eyy": ("epsy", "eps_y", "epsilon y", "epsilon_y"),
        "exy": ("epsxy", "eps_xy", "epsilon xy", "epsilon_xy"),
    },
    signature=("x", "y", "u", "v", "exx", "eyy"),
    unit="mm",
    signals=signals,
)
