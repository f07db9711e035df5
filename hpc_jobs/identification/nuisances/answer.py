"""A refinement's answer after its examination: as wide as it has to be, or withheld."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.answers import STRESS
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.examination import Examination
from hpc_jobs.contract.validation import Estimate, Found
from hpc_jobs.identification.family_answer import material_of
from hpc_jobs.identification.intervals import HALF_WIDTH
from hpc_jobs.identification.mesh_bias import MeshBias, on_mesh
from hpc_jobs.identification.nuisances.bench import Unsimulated
from hpc_jobs.identification.nuisances.examine import Examined, examine
from hpc_jobs.identification.nuisances.own_mesh import Freed, examine_freed
from hpc_jobs.identification.validity import unphysical
from hpc_jobs.measurement.file import Measurement

OF_FAMILY = {
    "hardening_level": 0.02,
    "hardening_exponent": 0.01,
    "hardening_bend": 0.003,
    "youngs_modulus": 0.02,
    "force_gain": 0.01,
}
"""One standard deviation of what is identified, not given, of a family's sheet."""


def with_examination(
    campaign: Campaign,
    measurement: Measurement,
    estimate: Estimate,
    bias: MeshBias | None = None,
) -> Estimate:
    """Examine an answer of the refinement; one that it withheld for its residual may be given.

    The curve, modulus and exponent that were identified of a family's sheet are as unsure as
    OF_FAMILY says; where nothing was identified of it there is nothing to start from. An answer
    near which nothing can be simulated, nor near the box's middle, stays as it is and says that it
    was not examined, and why.

    bias: by which the measurement is carried over to the campaign's mesh. Of a single sheet it is
    the campaign's, and gives way to that of the sheet that is found.
    """
    single = campaign.family.is_single_sheet
    if not single and estimate.parameters is None:
        return estimate
    start = None
    if estimate.parameters is not None:
        start = np.array([estimate.parameters[target] for target in campaign.targets])
    asked, told = campaign, measurement
    if not single:
        header = told.header.model_copy(update={"material": material_of(campaign, estimate)})
        told = replace(told, header=header)
        priors = campaign.validation.priors.model_copy(update=OF_FAMILY)
        validation = campaign.validation.model_copy(update={"priors": priors})
        asked = campaign.model_copy(update={"validation": validation})
    reason = ""
    for begin in (start, None) if start is not None else (None,):
        try:
            if single and bias is not None:
                return _freed(campaign, estimate, examine_freed(asked, told, bias, begin))
            carried = told if bias is None else on_mesh(told, bias)
            return _answer(campaign, estimate, examine(asked, carried, begin))
        except (Unsimulated, np.linalg.LinAlgError) as error:
            reason = reason or str(error)
    if estimate.outside:
        return estimate.model_copy(update={"outside": (*estimate.outside, reason)})
    return estimate.model_copy(update={"unexamined": reason})


def _freed(campaign: Campaign, estimate: Estimate, found: Freed) -> Estimate:
    """Answer by an examination, and say of which mesh bias it was freed."""
    left = f"the campaign's mesh still moves it: {found.failure}" if found.failure else ""
    answer = _answer(campaign, estimate, found.examined)
    return answer.model_copy(update={"freed": found.own, "unsharpened": left})


def _answer(campaign: Campaign, estimate: Estimate, examined: Examined) -> Estimate:
    examination = examined.examination
    names = tuple(campaign.targets)
    targets = dict(zip(names, examined.parameters.tolist(), strict=True))
    limit = campaign.validation.strain_rms_tolerance
    material = material_of(campaign, estimate)
    reasons = unphysical(campaign, targets, "the examined answer", material)
    if not examination.rms <= limit:
        looks = [f"it looks {one.words}" for one in examination.suspects[:1]]
        reasons = [
            f"the nearest sheet misses the measurement by {examination.rms:.3g} noise, more than "
            f"{limit:g}, whatever else is fitted beside it",
            *looks,
            *reasons,
        ]
    return estimate.model_copy(
        update={
            "parameters": None if reasons else targets,
            "outside": tuple(reasons),
            "novelty": examination.rms,
            "covariance": None if reasons else _rows(examined.covariance),
            "found": {} if reasons else _found(estimate, examination),
            "examination": examination,
            "simulations": estimate.simulations + examined.simulations,
        }
    )


def _found(estimate: Estimate, examination: Examination) -> dict[str, Found]:
    """Say what was found of a family's sheet again, examined: nowhere surer than before.

    Mechanical values are those of the examination; a curve moves and widens with its level.
    """
    found = dict(estimate.found)
    level, level_sd = examination.nuisances.get("hardening_level", (0.0, 0.0))
    for name, one in estimate.found.items():
        low, high = one.value - one.low, one.high - one.value
        if name in examination.quantities:
            value, deviation = examination.quantities[name]
            half = HALF_WIDTH * deviation
        elif name.startswith(STRESS):
            value, half = one.value * (1 + level), HALF_WIDTH * level_sd * one.value
        else:
            continue
        found[name] = one.model_copy(
            update={"value": value, "low": value - max(low, half), "high": value + max(high, half)}
        )
    return found


def _rows(covariance: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in covariance.tolist())
