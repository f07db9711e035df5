"""A refinement's answer after its examination: as wide as it has to be, or withheld."""

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.validation import Estimate
from hpc_jobs.identification.mesh_bias import MeshBias, on_mesh
from hpc_jobs.identification.nuisances.examine import Examined, examine
from hpc_jobs.identification.nuisances.response import Unsimulated
from hpc_jobs.identification.validity import unphysical
from hpc_jobs.measurement.file import Measurement


def with_examination(
    campaign: Campaign,
    measurement: Measurement,
    estimate: Estimate,
    bias: MeshBias | None = None,
) -> Estimate:
    """Examine an answer of the refinement; one that it withheld for its residual may be given.

    A campaign of a family keeps its answer as it is: what is not known of its sheets is identified
    already. So does an answer near which nothing can be simulated: its re-simulation says why.
    bias: by which the measurement is carried over to the campaign's mesh.
    """
    if campaign.sheet.fixed is None or estimate.method == "fem":
        return estimate
    start = None
    carried = measurement if bias is None else on_mesh(measurement, bias)
    if estimate.parameters is not None:
        start = np.array([estimate.parameters[target] for target in campaign.targets])
    try:
        return _answer(campaign, estimate, examine(campaign, carried, start))
    except Unsimulated as error:
        if estimate.outside:
            return estimate.model_copy(update={"outside": (*estimate.outside, str(error))})
        return estimate


def _answer(campaign: Campaign, estimate: Estimate, examined: Examined) -> Estimate:
    examination = examined.examination
    names = tuple(campaign.targets)
    targets = dict(zip(names, examined.parameters.tolist(), strict=True))
    limit = campaign.validation.strain_rms_tolerance
    reasons = unphysical(campaign, targets, "the examined answer", campaign.material)
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
            "examination": examination,
            "simulations": estimate.simulations + examined.simulations,
        }
    )


def _rows(covariance: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in covariance.tolist())
