"""From the mechanical box to yield-function parameters: not every point of it is a material."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.design import MechanicalBox
from hpc_jobs.design.errors import EmptyBox
from hpc_jobs.design.sobol import sobol_points
from hpc_jobs.fem.admissible import defect
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.yield_locus import alpha_from_tests

AXES = tuple(MechanicalBox.model_fields)
"""Stress ratios at 45, 90 degrees and equibiaxial; r-values at 0, 45, 90 and equibiaxial."""
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


def in_box(box: MechanicalBox, unit: FloatArray) -> FloatArray:
    """Map unit points (n, 7) into the box."""
    low, high = np.array([getattr(box, axis) for axis in AXES]).T
    return np.asarray(low + unit * (high - low))


def parameters_of(campaign: Campaign, tests: FloatArray) -> tuple[FloatArray, list[str]]:
    """Parameters (n, targets) of mechanical values (n, 7), and why not, empty where accepted."""
    stresses = np.hstack((np.ones((len(tests), 1)), tests[:, :3]))
    alpha, solved = alpha_from_tests(stresses, tests[:, 3:], campaign.material.exponent)
    reasons = [
        _reject(row, campaign) if good else "no_solution"
        for row, good in zip(alpha, solved, strict=True)
    ]
    parameters = np.empty_like(alpha)
    parameters[:, campaign.columns] = alpha
    return parameters, reasons


def draw(campaign: Campaign, stream: int, start: int, count: int) -> Draw:
    """Walk a stream from index `start` until `count` points are accepted; raises EmptyBox."""
    design = campaign.design
    accepted: list[FloatArray] = []
    rejected: Counter[str] = Counter()
    position, found = start, 0
    while found < count:
        block = min(max(SMALLEST_BLOCK, 2 * (count - found)), LARGEST_BLOCK)
        unit = sobol_points(design.seed, stream, len(AXES), position, block)
        parameters, reasons = parameters_of(campaign, in_box(design.box, unit))
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
                f"({dict(rejected)}); bring the r-values and stress ratios nearer to one"
            )
    table = np.array(accepted).reshape(count, len(campaign.targets))
    return Draw(parameters=table, start=start, stop=position, rejected=rejected)


def _reject(alpha: FloatArray, campaign: Campaign) -> str:
    material = campaign.material
    return "unphysical" if defect(MATERIALS[material.yield_function].of(alpha, material)) else ""
