"""What may be answered at all: sheets that are materials, within the range that was trained for.

A network must answer within that range and must not beyond it. Between the two lies an edge as
wide as the tolerances, where either is accepted.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.design import MechanicalBox
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.measurement import Quantity, Truth
from hpc_jobs.contract.validation import Limits
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.identification.anisotropy import by_parameter

Position = Literal["inside", "edge", "outside"]


def beyond(
    quantities: Mapping[Quantity, float], box: MechanicalBox, limits: Limits | None = None
) -> list[str]:
    """Name the quantities outside the box, or farther outside than the limits tolerate."""
    named = []
    for quantity, value in quantities.items():
        low, high = getattr(box, quantity)
        margin = limits.tolerance(quantity) if limits else 0.0
        if not low - margin <= value <= high + margin:
            named.append(f"{quantity} {value:.3f} lies outside the trained {low:g} to {high:g}")
    return named


def position(truth: Truth, box: MechanicalBox, limits: Limits) -> Position:
    """Where a known material lies with respect to what was trained."""
    if beyond(truth.quantities, box, limits):
        return "outside"
    return "edge" if beyond(truth.quantities, box) else "inside"


def unphysical(
    campaign: Campaign, targets: dict[str, float], what: str, material: Material
) -> list[str]:
    """Say why an answer must be withheld: no number, no material, or beyond what was trained."""
    if not np.all(np.isfinite(list(targets.values()))):
        return [f"{what} is not finite"]
    sheet = Sheet.of(by_parameter(campaign, targets), material)
    if sheet.defect:
        return [f"{what} is no material: {sheet.defect}"]
    outside = beyond(sheet.quantities(), campaign.design.box, campaign.validation.limits)
    return [f"{what} {reason}" for reason in outside]
