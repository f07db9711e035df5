"""Tables of points: what the text layouts have in common."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def write_table(
    path: Path, header: str, columns: Sequence[FloatArray], digits: str = "%.6g", between: str = ","
) -> None:
    """Write columns (points,) below a header, which ends without a newline."""
    table = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns])
    row = between.join([digits] * table.shape[1]) + "\n"
    path.write_text(header + "\n" + "".join(row % tuple(line) for line in table.tolist()))
