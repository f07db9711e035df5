"""What a family's own mesh does to a sheet, by the surrogate that fine records have corrected."""

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.forward.fidelity import corrected
from hpc_jobs.forward.meshes import OtherMeshes
from hpc_jobs.forward.natural import QUANTITIES, Natural
from hpc_jobs.forward.records import FamilyRecords, ForwardRecords
from hpc_jobs.forward.surrogate import Surrogate

FloatArray = NDArray[np.float64]


def fine_family(campaign: Campaign, other: OtherMeshes) -> FamilyRecords | None:
    """Return a run's fine records in natural coordinates; none where there are none."""
    fine, family = other.fine, campaign.family
    if fine is None or fine.forces is None:
        return None
    from hpc_jobs.identification.quantities import quantities_of  # numba, for most jobs in vain

    found = [
        quantities_of(row[list(campaign.columns)], family.material_of(sheet.tolist()))
        for row, sheet in zip(fine.parameters, other.sheets, strict=True)
    ]
    tests = np.array([[one[name] for name in QUANTITIES] for one in found])
    values = np.hstack([tests, other.sheets])
    return FamilyRecords.of(Natural.of(campaign), values, fine.strains, fine.forces)


def finer(whole: Surrogate, fine: FamilyRecords) -> Surrogate:
    """Return the surrogate of the finer mesh over the whole box."""
    return corrected(whole, ForwardRecords(fine.u, fine.strains, fine.forces))


def carried(
    own: Surrogate,
    better: Surrogate,
    u: FloatArray,
    strains: FloatArray,
    forces: FloatArray | None,
) -> tuple[FloatArray, FloatArray | None]:
    """Carry a measurement over to the campaign's own mesh: take off the finer one's difference.

    u (1, coordinates): the sheet that the finer mesh finds behind it. Values that were not measured
    stay NaN.
    """
    seen = own.observables
    off = _values(own, u) - _values(better, u)
    moved = strains + seen.noise_strain * off[: seen.strain_values]
    if forces is None:
        return moved, None
    return moved, np.asarray(forces * np.exp(seen.noise_force * off[seen.strain_values :]))


def _values(surrogate: Surrogate, u: FloatArray) -> FloatArray:
    """Observables (values,) of one sheet."""
    seen = surrogate.observables
    return np.asarray(seen.mean + surrogate.components_at(u)[0] @ seen.vectors.T)
