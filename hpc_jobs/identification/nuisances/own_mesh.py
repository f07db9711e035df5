"""An examination freed of what the campaign's mesh and steps do to the very sheet.

A campaign's bias is that of an isotropic sheet, and a sheet's own may be far less, or of the other
sign: AA6022's biaxial stress ratio came out .006 high for it. So the sheet that a first
examination finds is pulled on a finer mesh in finer steps, its own bias takes the place of the
campaign's, and the measurement is examined again.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.identification.intervals import HALF_WIDTH
from hpc_jobs.identification.mesh_bias import MeshBias, all_refined, on_mesh
from hpc_jobs.identification.nuisances.bench import Unsimulated
from hpc_jobs.identification.nuisances.examine import Examined, examine
from hpc_jobs.identification.nuisances.examiner import Examiner
from hpc_jobs.measurement.file import Measurement

ROUNDS = 2
SETTLED = 0.1
"""Of the half 90 % interval: an answer that moved by more has its bias taken once more."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Freed:
    """An examination, and of which bias its measurement was freed."""

    examined: Examined
    bias: MeshBias
    own: bool  # of the very sheet; otherwise the campaign's
    failure: str = ""  # why it is not the very sheet's, or not quite that


def examine_freed(
    campaign: Campaign, measurement: Measurement, bias: MeshBias, start: FloatArray | None = None
) -> Freed:
    """Examine a measurement freed of a campaign's bias, then of that of the sheet that was found.

    start: parameters (targets,), or the box's middle. Without a mesh_refinement above 1 it is
    examined once. Raises Unsimulated where the first examination does.
    """
    examined = examine(campaign, on_mesh(measurement, bias), start)
    found = Freed(examined=examined, bias=bias, own=False)
    if campaign.validation.mesh_refinement == 1:
        return found
    moved = np.inf
    for _ in range(ROUNDS):
        try:
            again = _again(campaign, measurement, found)
        except (Unsimulated, np.linalg.LinAlgError) as error:
            return replace(found, failure=str(error))
        moved, found = _moved(found.examined, again.examined), again
        if moved <= SETTLED:
            return found
    return replace(found, failure=f"it still moved by {moved:.2g} of its interval")


def own_bias(campaign: Campaign, measurement: Measurement, sheet: FloatArray) -> MeshBias:
    """Pull a sheet on the campaign's mesh and a finer one, drawn as the measurement was.

    sheet: mechanical values (axes,). What was not as drawn with the specimens changes the mesh's
    bias little, and is left out. Raises Unsimulated.
    """
    factor = campaign.validation.mesh_refinement
    response = Examiner.of(campaign, measurement).response
    bench = replace(response.bench, specimens=all_refined(response.specimens, factor))
    finer = replace(response, bench=bench, _kept={})
    coarse = response.as_drawn(sheet)
    try:
        return MeshBias.between(coarse, finer.as_drawn(sheet), factor)
    except Unsimulated as error:
        raise Unsimulated(f"on a mesh {factor} times finer {error}") from error


def _again(campaign: Campaign, measurement: Measurement, found: Freed) -> Freed:
    """Examine once more, freed of the bias of what was found; raises Unsimulated, LinAlgError."""
    quantities, before = found.examined.examination.quantities, found.examined.simulations
    sheet = np.array([quantities[axis][0] for axis in found.examined.floors])
    bias = own_bias(campaign, measurement, sheet)
    examined = examine(campaign, on_mesh(measurement, bias), found.examined.parameters)
    pulled = 2 * len(campaign.specimens.tests)
    total = before + pulled + examined.simulations
    return Freed(examined=replace(examined, simulations=total), bias=bias, own=True)


def _moved(before: Examined, after: Examined) -> float:
    """Return the largest step of a mechanical value, over its half interval."""
    old, new = before.examination.quantities, after.examination.quantities
    return max(abs(new[q][0] - old[q][0]) / (HALF_WIDTH * new[q][1]) for q in after.floors)
