"""Pull the virtual specimens again, made of the material that was identified."""

import numpy as np

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.validation import Estimate
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.identification.anisotropy import by_parameter
from hpc_jobs.identification.field import NOT_ANSWERED, Field
from hpc_jobs.identification.mesh_bias import MeshBias


def resimulate(campaign: Campaign, estimate: Estimate, bias: MeshBias) -> Field:
    """Simulate on the campaign's mesh and take its bias off; an unanswered estimate is skipped."""
    specimens, material = campaign.specimens, campaign.material
    if estimate.parameters is None:
        return Field(
            estimate=estimate,
            status=NOT_ANSWERED,
            reason="; ".join(estimate.outside),
            strains=np.full(specimens.strain_values, np.nan),
            forces=np.full(specimens.force_values, np.nan),
        )
    named = by_parameter(campaign, estimate.parameters)
    _, backend = backend_of(campaign.solver)
    parameters = np.array([named[name] for name in material.parameters])
    record = backend.simulate(parameters, material, specimens)
    return Field(
        estimate=estimate,
        status=record.status,
        reason=record.reason,
        strains=record.strains - bias.strains,
        forces=record.forces / (1 + bias.forces),
    )
