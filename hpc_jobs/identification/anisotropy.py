"""What identified parameters mean to a materials engineer, and how far two materials differ."""

from collections.abc import Mapping

import numpy as np

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.measurement import Truth
from hpc_jobs.fem.materials.sheet import Sheet


def by_parameter(campaign: Campaign, targets: Mapping[str, float]) -> dict[str, float]:
    """Parameters by their name in the yield function, from those by target name."""
    return {campaign.targets[target]: value for target, value in targets.items()}


def material_errors(identified: Sheet, truth: Truth, material: Material) -> dict[str, float]:
    """Largest errors of r_curve and stress_curve, and relative error of yield_locus; as known."""
    errors = {}
    if truth.curves:
        angles = np.array(truth.curves.angles_deg)
        r, stress = np.array(truth.curves.r_value), np.array(truth.curves.stress_ratio)
        errors["r_curve"] = float(np.abs(identified.r_value(angles) - r).max())
        errors["stress_curve"] = float(np.abs(identified.stress_ratio(angles) - stress).max())
    if truth.parameters:
        true = Sheet.of(truth.parameters, material).locus_radius()
        errors["yield_locus"] = float(np.abs(identified.locus_radius() / true - 1).max())
    return errors
