"""What a sheet's answer takes for granted: values that were told, by campaign or measurement."""

from math import exp

from hpc_jobs.contract.answers import stress_name
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.measurement import Known, MeasurementHeader
from hpc_jobs.contract.sheet import LEVEL_STRAIN
from hpc_jobs.identification.quantities import log_stresses

SCALARS = ("exponent", "youngs_modulus_mpa")


def given_values(campaign: Campaign, header: MeasurementHeader) -> dict[str, Known]:
    """Return value and deviation of what was not identified, named as what is identified.

    Of a given curve, k at the strain of its level. What nobody told is left out.
    """
    sheet = campaign.sheet
    told = {name: (float(value), 0.0) for name, value in _fixed(campaign, header).items()}
    told |= {name: known for name, known in header.knowledge.items() if name in SCALARS}
    fixed = sheet.fixed if header.material is None else header.material
    if fixed is not None and campaign.family.is_single_sheet:
        [level] = log_stresses(fixed.hardening, [LEVEL_STRAIN])
        told[stress_name(LEVEL_STRAIN)] = (exp(level), 0.0)
    return told


def _fixed(campaign: Campaign, header: MeasurementHeader) -> dict[str, float]:
    """Return the scalars that do not vary: the measurement's own, where it has a material."""
    if campaign.family.is_single_sheet and header.material is not None:
        return {name: getattr(header.material, name) for name in SCALARS}
    values = {name: getattr(campaign.sheet, name) for name in SCALARS}
    return {name: value for name, value in values.items() if isinstance(value, float | int)}
