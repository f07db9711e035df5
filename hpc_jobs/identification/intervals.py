"""What an estimate's covariance means for a sheet: draws of it, and intervals of what it shows.

A refinement's covariance is its posterior's; a network's has the widths that its calibration found
(learning/models/calibration.py). Either is taken for that of a normal law.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.contract.validation import INTERVAL_LEVEL, Estimate
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.identification.anisotropy import by_parameter
from hpc_jobs.identification.family_answer import material_of

DRAWS = 100
SEED = 90
HALF_WIDTH = float(ndtri((1 + INTERVAL_LEVEL) / 2))
"""Of a normal law's interval, in standard deviations."""

FloatArray = NDArray[np.float64]


def draw_sheets(campaign: Campaign, estimate: Estimate) -> tuple[Sheet, ...]:
    """Sheets drawn from the estimate's normal law, the same every time; none without covariance.

    Draws that are no material are left out: the law's tails may reach them.
    """
    if estimate.parameters is None or estimate.covariance is None:
        return ()
    values, vectors = np.linalg.eigh(np.array(estimate.covariance))
    unit = np.random.default_rng(SEED).standard_normal((DRAWS, len(values)))
    offsets = (unit * np.sqrt(np.maximum(values, 0))) @ vectors.T
    sheets, material = [], material_of(campaign, estimate)
    for row in np.array(list(estimate.parameters.values())) + offsets:
        named = dict(zip(estimate.parameters, row.tolist(), strict=True))
        sheet = Sheet.of(by_parameter(campaign, named), material)
        if not sheet.defect:
            sheets.append(sheet)
    return tuple(sheets)


def band(values: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Lower and upper end, value by value, of the interval that holds a level of the draws."""
    outside = 1 - INTERVAL_LEVEL
    low, high = np.quantile(np.stack(values), [outside / 2, 1 - outside / 2], axis=0)
    return low, high


def quantity_intervals(sheets: Sequence[Sheet]) -> dict[Quantity, tuple[float, float]]:
    """Interval of each mechanical value; empty without draws."""
    if not sheets:
        return {}
    drawn = [sheet.quantities() for sheet in sheets]
    names = tuple(drawn[0])
    low, high = band([np.array([one[name] for name in names]) for one in drawn])
    return dict(zip(names, zip(low.tolist(), high.tolist(), strict=True), strict=True))
