"""What is answered of a family's sheet beside its yield function's parameters, and by which name.

    r_value_45, stress_ratio_biaxial, ...   the mechanical values (contract.measurement.Quantity)
    exponent, youngs_modulus_mpa            where the campaign identifies them
    log_k@0.03                              natural logarithm of k(.03) in MPa, at each node

A campaign of one sheet answers the parameters alone; the rest follows from them.
"""

from typing import get_args

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.measurement import QUANTITY_LABELS, Quantity
from hpc_jobs.contract.sheet import LEVEL_STRAIN

STRESS = "k@"
LOG_STRESS = "log_k@"
"""Begins the name of a target that is a stress; its level is what the forces say."""


def derived_names(campaign: Campaign) -> tuple[str, ...]:
    """Names of what is answered beside Campaign.targets, in order; none for a single sheet."""
    family = campaign.family
    if family.is_single_sheet:
        return ()
    coordinates = family.coordinates
    scalars = [
        one.name
        for one in coordinates
        if one.role == "identified" and one.name in ("exponent", "youngs_modulus_mpa")
    ]
    curve = any(
        one.role == "identified" and one.specimen is None and one.name not in scalars
        for one in coordinates
    )
    strains = sorted({*family.curve_strains, LEVEL_STRAIN})
    nodes = [f"{LOG_STRESS}{strain:g}" for strain in strains if curve]
    return (*get_args(Quantity), *scalars, *nodes)


def is_log_stress(name: str) -> bool:
    """Whether a target is the logarithm of a stress, to be told relative to the forces."""
    return name.startswith(LOG_STRESS)


def strain_of(name: str) -> float:
    """Plastic strain of a node's name."""
    return float(name.removeprefix(LOG_STRESS))


def stress_name(strain: float) -> str:
    """Name under which k(p), in MPa, is reported."""
    return f"{STRESS}{strain:g}"


def label_of(name: str) -> str:
    """As figures and tables write it."""
    if name.startswith((STRESS, LOG_STRESS)):
        return f"k({name.partition('@')[2]})"
    labels: dict[str, str] = {"exponent": "a", "youngs_modulus_mpa": "E"}
    labels |= {str(quantity): label for quantity, label in QUANTITY_LABELS.items()}
    return labels.get(name, name)
