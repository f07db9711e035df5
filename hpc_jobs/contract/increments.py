"""What a campaign's simulations cost in common coin: elements of a mesh times load increments.

Records of the design, and what a validation asks the engine for, measurement by measurement.
"""

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.execution import Job
from hpc_jobs.contract.geometry import Mesh

FAMILY_FACTOR = 1.5
"""A family's record over one sheet's on the same mesh: own output times, and no warm start."""
MOST_STEPS = 16
"""Load steps of a refined simulation for one of the campaign's, at most: the error of so many is
nothing beside the noise."""
SHARPENING = 60
"""Simulations from a surrogate's answer, or another start, to the engine's own; mostly 30 to 60."""
EXAMINING = 200
"""Of one specimen each, that an examination of an answer takes."""
EXAMINED_AGAIN = 2
"""Examinations of a single sheet's answer after the first, freed of its own mesh bias each time."""
UPDATING = 80
"""By which one measurement is identified without any learning, to compare its cost."""


def increments(campaign: Campaign) -> float:
    """Elements of the mesh times load increments of one record.

    Over the mesh levels by their shares; a family's count FAMILY_FACTOR times.
    """
    shares = campaign.design.mesh_shares
    weights = (1 - sum(shares.values()), *shares.values())
    levels = zip(weights, campaign.levels, strict=True)
    return sum(weight * _of(campaign, level.mesh) for weight, level in levels)


def validation_increments(campaign: Campaign, job: Job) -> float:
    """Elements times load increments that one element of a validation's job simulates; 0: none.

    On specimens.mesh, and with validation.mesh_refinement on a finer one, which is dear: twice as
    fine, a simulation costs sixteen. What nobody knows beforehand is taken as it mostly is, and
    every measurement as one that the refinement withholds.
    """
    asked, single = campaign.validation, campaign.family.is_single_sheet
    factor = asked.mesh_refinement
    fine = float(factor**2 * min(factor**2, MOST_STEPS)) if factor > 1 else 0.0
    simulated = 0.0
    if job == "identify":
        each = 0.0 if single or not asked.refine else SHARPENING + fine
        if asked.refine and asked.examine:
            examining = EXAMINING / len(campaign.specimens.tests)
            again = EXAMINED_AGAIN if single and fine else 0
            each += examining + again * (1 + fine + examining)
        simulated = len(asked.measurements) * each + (1 + fine if single and fine else 0.0)
    elif job == "identify_outside":
        simulated = SHARPENING + fine
    elif job == "resimulate":
        own = fine if not single or asked.examine or asked.outside else 0.0
        simulated = 1.0 + asked.refine * (1 + own)
    elif job == "score" and asked.updating:
        simulated = UPDATING + (0.0 if single else fine)
    return simulated * _of(campaign, campaign.specimens.mesh)


def _of(campaign: Campaign, mesh: Mesh) -> float:
    """Return those of one record on a mesh."""
    specimens = campaign.specimens
    steps = specimens.output_times * specimens.steps_per_output * len(specimens.tests)
    return mesh.elements * steps * (1.0 if campaign.family.is_single_sheet else FAMILY_FACTOR)
