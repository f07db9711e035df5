"""What a family's sheets show, record by record: mechanical values, exponent, k(p), in one table.

The columns are those of contract.answers; they follow from a record's yield-function parameters
and from its family's coordinates.
"""

from collections.abc import Mapping, Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.answers import derived_names, is_log_stress, strain_of
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.family import Family
from hpc_jobs.contract.material import Hardening, Material
from hpc_jobs.dataset.shards import Derived
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.flow_stress import flow_stress
from hpc_jobs.fem.materials.hardening import hardening_array
from hpc_jobs.fem.materials.yield_locus import mechanical_values

FloatArray = NDArray[np.float64]


def derived_of(campaign: Campaign) -> Derived:
    """Return what a dataset's targets have beside the campaign's, and how to work it out."""
    names = derived_names(campaign)
    if not names:
        return Derived()
    family, columns = campaign.family, list(campaign.columns)

    def table(parameters: FloatArray, sheets: FloatArray) -> FloatArray:
        rows = zip(parameters[:, columns], sheets, strict=True)
        return np.array([_values(names, family, one, sheet) for one, sheet in rows])

    return Derived(names=names, of=table)


def _values(
    names: tuple[str, ...], family: Family, parameters: FloatArray, sheet: FloatArray
) -> list[float]:
    material = family.material_of(sheet.tolist())
    found = quantities_of(parameters, material)
    told = dict(zip(family.names, sheet.tolist(), strict=True))
    strains = [strain_of(name) for name in names if is_log_stress(name)]
    stresses = iter(log_stresses(material.hardening, strains))
    return [
        next(stresses) if is_log_stress(name) else found[name] if name in found else told[name]
        for name in names
    ]


def quantities_of(parameters: FloatArray, material: Material) -> Mapping[str, float]:
    """Return the mechanical values by name of parameters in the order of material.parameters."""
    function = MATERIALS[material.yield_function].of(parameters, material)
    return {str(name): value for name, value in mechanical_values(function).items()}


def log_stresses(hardening: Hardening, strains: Sequence[float]) -> list[float]:
    """Return natural logarithms of k in MPa at plastic strains."""
    law = hardening_array(hardening)
    return [log(flow_stress(law, strain)[0]) for strain in strains]
