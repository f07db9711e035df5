"""Columns named by hand: what a person says of a text export that no tool here knows."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hpc_jobs.contract.frozen import Frozen
from hpc_jobs.measurement.formats.layouts import Columns, TextTool


class FieldColumns(Frozen):
    """Names of the columns as the file's header has them, without unit."""

    x: str
    y: str
    u: str
    v: str
    z: str | None = None
    w: str | None = None
    exx: str | None = None
    eyy: str | None = None
    exy: str | None = None
    quality: Annotated[
        str | None, Field(description="a point is lost where this column is not above 0")
    ] = None
    unit: Annotated[
        Literal["mm", "pixel"], Field(description="where the header has none in brackets")
    ] = "mm"
    y_down: Annotated[bool, Field(description="y counts downwards, as in a picture")] = False


def by_hand(columns: FieldColumns) -> TextTool:
    """Return a tool that reads these columns."""
    meanings = ("x", "y", "z", "u", "v", "w", "exx", "eyy", "exy", "quality")
    named = {meaning: getattr(columns, meaning) for meaning in meanings}
    given = {meaning: (name,) for meaning, name in named.items() if name is not None}
    return TextTool(
        name="columns",
        columns=given,
        signature=tuple(given),
        unit=columns.unit,
        y_down=columns.y_down,
        weights=_quality,
        required=tuple(given),
        exact=True,
    )


def _quality(columns: Columns) -> NDArray[np.float64]:
    quality = columns.get("quality")
    return np.ones(len(columns["x"])) if quality is None else np.where(quality > 0, 1.0, 0.0)
