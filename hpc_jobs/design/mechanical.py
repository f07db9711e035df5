"""From the mechanical box to yield-function parameters: not every point of it is a material.

The sequence runs over the mechanical values that determine the yield function. Those that follow
from them (the stress ratios of a Barlat-Lian sheet, say) must lie in the box as well.
"""

from collections import Counter
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.design import MechanicalBox
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.design.errors import EmptyBox
from hpc_jobs.design.sobol import sobol_points
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.admissible import defect
from hpc_jobs.fem.materials.yield_function import YieldFunction
from hpc_jobs.fem.materials.yield_locus import alpha_from_tests, mechanical_values

QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
SMALLEST_BLOCK, LARGEST_BLOCK = 256, 2**17
FEWEST_OF_BLOCK = 0.01  # accepted share of a stream's first blocks below which we give up

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Draw:
    """Accepted points of a stream, and what was passed over to find them."""

    parameters: FloatArray  # (n, targets), in the order of Campaign.targets
    start: int
    stop: int  # one past the last index of the sequence that was looked at
    rejected: Counter[str]


def axes(campaign: Campaign) -> tuple[str, ...]:
    """Return the box's fields that the sequence runs over."""
    return MATERIALS[campaign.material.yield_function].tests


def in_box(campaign: Campaign, unit: FloatArray) -> FloatArray:
    """Map unit points (n, axes) into the campaign's box."""
    low, high = np.array([getattr(campaign.design.box, axis) for axis in axes(campaign)]).T
    return np.asarray(low + unit * (high - low))


def places_of(campaign: Campaign, parameters: FloatArray) -> FloatArray:
    """Places (n, axes) in the campaign's box, as of 0 to 1, of parameters (n, targets)."""
    low, high = np.array([getattr(campaign.design.box, axis) for axis in axes(campaign)]).T
    family = MATERIALS[campaign.material.yield_function]
    places = np.empty((len(parameters), len(low)))
    for place, row in zip(places, parameters[:, list(campaign.columns)], strict=True):
        found = mechanical_values(family.of(row, campaign.material))
        values: dict[str, float] = {str(name): value for name, value in found.items()}
        place[:] = [values[axis] for axis in axes(campaign)]
    return np.asarray((places - low) / (high - low))


def parameters_of(campaign: Campaign, tests: FloatArray) -> tuple[FloatArray, list[str]]:
    """Parameters (n, targets) of mechanical values (n, axes), and why not, empty if accepted."""
    values, solved = solve_tests(campaign.material, tests)
    reasons = [
        _reject(row, campaign) if good else "no_solution"
        for row, good in zip(values, solved, strict=True)
    ]
    parameters = np.empty_like(values)
    parameters[:, campaign.columns] = values
    return parameters, reasons


def draw(campaign: Campaign, stream: int, start: int, count: int) -> Draw:
    """Walk a stream from index `start` until `count` points are accepted; raises EmptyBox."""
    design = campaign.design
    accepted: list[FloatArray] = []
    rejected: Counter[str] = Counter()
    position, found = start, 0
    while found < count:
        block = min(max(SMALLEST_BLOCK, 2 * (count - found)), LARGEST_BLOCK)
        unit = sobol_points(design.seed, stream, len(axes(campaign)), position, block)
        parameters, reasons = parameters_of(campaign, in_box(campaign, unit))
        for row, reason in zip(parameters, reasons, strict=True):
            position += 1
            if reason:
                rejected[reason] += 1
                continue
            accepted.append(row)
            found += 1
            if found == count:
                break
        if found < FEWEST_OF_BLOCK * (position - start):
            raise EmptyBox(
                f"design.box: {found} of {position - start} points are materials "
                f"({dict(rejected)}); bring the r-values and stress ratios nearer to one, or widen "
                "the ranges of those that follow from others"
            )
    table = np.array(accepted).reshape(count, len(campaign.targets))
    return Draw(parameters=table, start=start, stop=position, rejected=rejected)


def solve_tests(material: Material, tests: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Parameters (n, parameters), in the material's order, of mechanical values (n, axes).

    Also where there are any (n,); axes as MATERIALS[...].tests names them.
    """
    if material.yield_function != "yld2000_2d":
        return tests, np.ones(len(tests), dtype=np.bool_)  # the r-values are the parameters
    stresses = np.hstack((np.ones((len(tests), 1)), tests[:, :3]))
    return alpha_from_tests(stresses, tests[:, 3:], material.exponent)


def _reject(values: FloatArray, campaign: Campaign) -> str:
    material = campaign.material
    function = MATERIALS[material.yield_function].of(values, material)
    if defect(function):
        return "unphysical"
    return "" if _follows(function, campaign.design.box) else "outside_box"


def _follows(function: YieldFunction, box: MechanicalBox) -> bool:
    """Whether the mechanical values that were not drawn lie in the box."""
    others = [quantity for quantity in QUANTITIES if quantity not in function.tests]
    values = mechanical_values(function) if others else {}
    return all(low <= values[q] <= high for q in others for low, high in (getattr(box, q),))
