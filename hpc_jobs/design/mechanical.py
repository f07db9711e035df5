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
from hpc_jobs.contract.family import Family
from hpc_jobs.contract.material import Material, YieldFunctionName
from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.contract.sheet import Ranged
from hpc_jobs.design.errors import EmptyBox
from hpc_jobs.design.family import defects, places_of_sheets, sheets_in_box
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
    sheet: FloatArray  # (n, coordinates), in the order of Campaign.family
    start: int
    stop: int  # one past the last index of the sequence that was looked at
    rejected: Counter[str]


def axes(campaign: Campaign) -> tuple[str, ...]:
    """Return what the sequence runs over: fields of the box, then the family's coordinates."""
    return (*mechanical_axes(campaign), *campaign.family.names)


def mechanical_axes(campaign: Campaign) -> tuple[Quantity, ...]:
    """Return the box's fields that determine the yield function."""
    return MATERIALS[campaign.sheet.yield_function].tests


def in_box(campaign: Campaign, unit: FloatArray) -> FloatArray:
    """Map unit points (n, axes) into the campaign's box: mechanical values, then coordinates."""
    mechanical, low, high = _box(campaign)
    tests = low + unit[:, :mechanical] * (high - low)
    return np.hstack((tests, sheets_in_box(campaign.family, unit[:, mechanical:])))


def places_of(
    campaign: Campaign, parameters: FloatArray, sheet: FloatArray | None = None
) -> FloatArray:
    """Places (n, axes) in the campaign's box, as of 0 to 1, of records.

    parameters (n, targets) and sheet (n, coordinates), which only families have.
    """
    mechanical, low, high = _box(campaign)
    values = _sheets(campaign, len(parameters), sheet)
    function, family = MATERIALS[campaign.sheet.yield_function], campaign.family
    exponents = _exponents(family, values)
    tests = np.empty((len(parameters), mechanical))
    rows = zip(tests, parameters[:, list(campaign.columns)], exponents, strict=True)
    for place, row, exponent in rows:
        found = mechanical_values(function(row, exponent))
        place[:] = [found[axis] for axis in function.tests]
    return np.hstack(((tests - low) / (high - low), places_of_sheets(family, values)))


def parameters_of(campaign: Campaign, values: FloatArray) -> tuple[FloatArray, list[str]]:
    """Parameters (n, targets) of points (n, axes) of the box, and why not, empty if accepted."""
    mechanical, family = len(mechanical_axes(campaign)), campaign.family
    tests, sheet = values[:, :mechanical], values[:, mechanical:]
    exponents, wrong = _exponents(family, sheet), defects(family, sheet)
    # Beyond the box a sheet's exponent may be one that no yield function has
    rows = np.array([i for i, bad in enumerate(wrong) if not bad], dtype=np.intp)
    found = np.ones((len(values), len(campaign.targets)))
    solved = np.zeros(len(values), dtype=np.bool_)
    asked = [exponents[i] for i in rows]
    found[rows], solved[rows] = _solve(campaign.sheet.yield_function, tests[rows], asked)
    reasons = [
        bad or (_reject(row, exponent, campaign) if good else "no_solution")
        for row, exponent, good, bad in zip(found, exponents, solved, wrong, strict=True)
    ]
    parameters = np.empty_like(found)
    parameters[:, campaign.columns] = found
    return parameters, reasons


def draw(campaign: Campaign, stream: int, start: int, count: int) -> Draw:
    """Walk a stream from index `start` until `count` points are accepted; raises EmptyBox."""
    design, mechanical = campaign.design, len(mechanical_axes(campaign))
    accepted: list[FloatArray] = []
    sheets: list[FloatArray] = []
    rejected: Counter[str] = Counter()
    position, found = start, 0
    while found < count:
        block = min(max(SMALLEST_BLOCK, 2 * (count - found)), LARGEST_BLOCK)
        unit = sobol_points(design.seed, stream, len(axes(campaign)), position, block)
        values = in_box(campaign, unit)
        parameters, reasons = parameters_of(campaign, values)
        for row, sheet, reason in zip(parameters, values[:, mechanical:], reasons, strict=True):
            position += 1
            if reason:
                rejected[reason] += 1
                continue
            accepted.append(row)
            sheets.append(sheet)
            found += 1
            if found == count:
                break
        if found < FEWEST_OF_BLOCK * (position - start):
            raise EmptyBox(
                f"design.box: {found} of {position - start} points are materials "
                f"({dict(rejected)}); bring the r-values and stress ratios nearer to one, widen "
                "the ranges of those that follow from others, or let the local exponents of a "
                "family's curves jump more (material.hardening.largest_jump)"
            )
    return Draw(
        parameters=np.array(accepted).reshape(count, len(campaign.targets)),
        sheet=np.array(sheets).reshape(count, len(campaign.family.coordinates)),
        start=start,
        stop=position,
        rejected=rejected,
    )


def _box(campaign: Campaign) -> tuple[int, FloatArray, FloatArray]:
    """How many mechanical values are drawn, and their lowest and highest."""
    names = mechanical_axes(campaign)
    ranges = np.array([getattr(campaign.design.box, name) for name in names]).reshape(-1, 2)
    return len(names), ranges[:, 0], ranges[:, 1]


def _sheets(campaign: Campaign, records: int, sheet: FloatArray | None) -> FloatArray:
    coordinates = campaign.family.names
    if sheet is None and coordinates:
        raise ValueError(
            f"the campaign {campaign.name} is of a family: give the records' values of "
            f"{', '.join(coordinates)}"
        )
    return np.empty((records, 0)) if sheet is None else sheet


def _exponents(family: Family, sheet: FloatArray) -> list[float]:
    fixed = family.sheet.exponent
    if isinstance(fixed, Ranged):
        return [float(value) for value in sheet[:, family.names.index("exponent")]]
    return [fixed] * len(sheet)


def solve_tests(material: Material, tests: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Parameters (n, parameters), in the material's order, of mechanical values (n, axes).

    Also where there are any (n,); axes as MATERIALS[...].tests names them.
    """
    return _solve(material.yield_function, tests, [material.exponent] * len(tests))


def _solve(
    name: YieldFunctionName, tests: FloatArray, exponents: list[float]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    if name != "yld2000_2d":
        return tests, np.ones(len(tests), dtype=np.bool_)  # the r-values are the parameters
    stresses = np.hstack((np.ones((len(tests), 1)), tests[:, :3]))
    if len(set(exponents)) == 1:
        return alpha_from_tests(stresses, tests[:, 3:], exponents[0])
    alpha, solved = np.empty((len(tests), 8)), np.zeros(len(tests), dtype=np.bool_)
    for i, exponent in enumerate(exponents):
        row = slice(i, i + 1)
        alpha[row], solved[row] = alpha_from_tests(stresses[row], tests[row, 3:], exponent)
    return alpha, solved


def _reject(values: FloatArray, exponent: float, campaign: Campaign) -> str:
    function = MATERIALS[campaign.sheet.yield_function](values, exponent)
    if defect(function):
        return "unphysical"
    return "" if _follows(function, campaign.design.box) else "outside_box"


def _follows(function: YieldFunction, box: MechanicalBox) -> bool:
    """Whether the mechanical values that were not drawn lie in the box."""
    others = [quantity for quantity in QUANTITIES if quantity not in function.tests]
    values = mechanical_values(function) if others else {}
    return all(low <= values[q] <= high for q in others for low, high in (getattr(box, q),))
