"""The virtual specimens pulled again, made of the material that was identified."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.layout import manifest_of
from hpc_jobs.contract.measurement import MeasurementFields
from hpc_jobs.contract.records import publish, publish_manifest, read_manifest
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.contract.validation import Estimate
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.identification.anisotropy import by_parameter
from hpc_jobs.identification.family_answer import material_of, specimens_of
from hpc_jobs.identification.mesh_bias import MeshBias, all_refined

KIND = "field"
NOT_ANSWERED = "not_answered"
BIAS_STRAINS, BIAS_FORCES = "bias_strains", "bias_forces"
"""Data sets of a field of which the very sheet's mesh bias was taken off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Strains and forces that an estimate's material shows; NaN unless the status is 'ok'."""

    estimate: Estimate
    status: str  # of the record (contract.records.RecordStatus), or NOT_ANSWERED
    reason: str
    strains: NDArray[np.float64]  # (strain_values,)
    forces: NDArray[np.float64]  # (force_values,) N
    own_bias: MeshBias | None = None  # of this very sheet, if that was taken off

    @property
    def failure(self) -> str | None:
        """Why there is nothing to compare; None if there is, or if none was expected."""
        if self.status in ("ok", NOT_ANSWERED):
            return None
        return f"the re-simulation ended with '{self.status}': {self.reason}"


def resimulate(
    campaign: Campaign,
    estimate: Estimate,
    bias: MeshBias,
    measured: Specimens | None = None,
) -> Field:
    """Simulate on the campaign's mesh and take its bias off; an unanswered estimate is skipped.

    An estimate that was freed of this very sheet's bias is compared without that one, for which it
    is simulated on a finer mesh too. measured: the specimens as they were measured, output times
    included; of a family.
    """
    specimens = campaign.specimens
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
    material = material_of(campaign, estimate)
    specimens = specimens_of(campaign, estimate, measured or specimens)
    parameters = np.array([named[name] for name in material.parameters])
    record = worse = backend.simulate(parameters, material, specimens)
    factor, own = campaign.validation.mesh_refinement, None
    if estimate.freed and record.status == "ok":
        worse = backend.simulate(parameters, material, all_refined(specimens, factor))
        own = MeshBias.between(record, worse, factor)
    strains, forces = (own or bias).taken_off(record)
    return Field(
        estimate=estimate,
        status=worse.status,
        reason=worse.reason,
        strains=strains,
        forces=forces,
        own_bias=own,
    )


def write_field(path: Path, field: Field) -> None:
    """Publish a field and the manifest that vouches for it."""
    with publish(path) as temporary, h5py.File(temporary, "w") as file:
        file[MeasurementFields.STRAINS] = field.strains
        file[MeasurementFields.FORCES] = field.forces
        if field.own_bias is not None:
            file[BIAS_STRAINS], file[BIAS_FORCES] = field.own_bias.strains, field.own_bias.forces
    publish_manifest(
        manifest_of(path),
        KIND,
        [path],
        status=field.status,
        reason=field.reason,
        estimate=field.estimate.model_dump(mode="json"),
    )


def read_field(path: Path, estimate: Estimate) -> Field:
    """Read a verified field; raises CorruptFile if it answers to another estimate."""
    facts = read_manifest(manifest_of(path), KIND).facts
    if Estimate.model_validate(facts["estimate"]) != estimate:
        raise CorruptFile(
            f"{path}: simulated for another estimate of '{estimate.measurement}'; run resimulate "
            "again"
        )
    with h5py.File(path) as file:
        values = {name: np.asarray(file[name], dtype=np.float64) for name in file}
    own = None
    if BIAS_STRAINS in values:
        own = MeshBias(strains=values[BIAS_STRAINS], forces=values[BIAS_FORCES])
    return Field(
        estimate=estimate,
        status=facts["status"],
        reason=facts["reason"],
        strains=values[MeasurementFields.STRAINS],
        forces=values[MeasurementFields.FORCES],
        own_bias=own,
    )
