"""A record on its way from a shard to a packed file: one row of bytes, so that rows are moved."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.dataset.facts import PackedFields
from hpc_jobs.dataset.keys import keys_of
from hpc_jobs.dataset.shards import Shard

KEY, IS_TEST = "key", "is_test"
MOVED = (
    PackedFields.STRAINS,
    PackedFields.FORCES,
    PackedFields.PARAMETERS,
    PackedFields.SHEET,
    PackedFields.DISPLACEMENTS,
    PackedFields.ORIGIN,
    PackedFields.WEIGHT,
)

Rows = NDArray[np.void]
"""(n,) of `row_type`."""


def row_type(
    strains: int, forces: int, parameters: int, sheet: int, displacements: int
) -> np.dtype[Any]:
    """Lay a record out; a campaign of one sheet, or without a timing, has less of it."""
    fields: list[tuple[str, str, tuple[int, ...]]] = [
        (KEY, "<u8", ()),
        (PackedFields.ORIGIN, "<i8", (2,)),
        (PackedFields.STRAINS, "<f4", (strains,)),
        (PackedFields.FORCES, "<f4", (forces,)),
        (PackedFields.PARAMETERS, "<f4", (parameters,)),
        (PackedFields.WEIGHT, "<f4", (1,)),
        (IS_TEST, "<u4", ()),
    ]
    if sheet:
        fields.append((PackedFields.SHEET, "<f4", (sheet,)))
    if displacements:
        fields.append((PackedFields.DISPLACEMENTS, "<f4", (displacements,)))
    return np.dtype(fields, align=True)


def fill(rows: Rows, shard: Shard, seed: int, generation: int) -> None:
    """Write a shard's good records into as many rows."""
    rows[PackedFields.STRAINS], rows[PackedFields.FORCES] = shard.strains, shard.forces
    rows[PackedFields.PARAMETERS], rows[PackedFields.ORIGIN] = shard.parameters, shard.origin
    rows[PackedFields.WEIGHT], rows[IS_TEST] = shard.weight[:, None], shard.is_test
    if shard.sheet.shape[1]:
        rows[PackedFields.SHEET] = shard.sheet
    if shard.displacements.shape[1]:
        rows[PackedFields.DISPLACEMENTS] = shard.displacements
    for test in (False, True):
        here = shard.is_test == test
        rows[KEY][here] = keys_of(shard.origin[here], seed, generation, test=test)


def columns_in(rows: Rows, order: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
    """Columns (n, width) of rows in an order."""
    names = rows.dtype.names or ()
    return {name: rows[name][order] for name in MOVED if name in names}
