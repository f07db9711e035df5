"""What the campaign's mesh does to strains and forces, so that it is not taken for anisotropy.

A network trained on a coarse mesh reads the mesh's error in a measurement, which has none, as a
property of the sheet. Part of that error does not depend on the anisotropy: an isotropic sheet of
the same hardening shows it, solved on the campaign's mesh and on a finer one. So measurements can
be carried over to the campaign's mesh, and re-simulated fields back, by that difference: the
first-order discrepancy correction of multi-fidelity models (Kennedy and O'Hagan, Biometrika 87,
2000).

It is .1 of the noise that campaigns assume on the production mesh, but of one sign everywhere, and
a camera's noise is a fifth of that: DP780's r-values come out .010 to .012 low without it, .006 to
.009 with a mesh twice as fine in the same load steps, and within .003 with mesh and steps refined
together. It is off unless a campaign asks for it.

That one is a property of the campaign: `publish_mesh_bias` simulates it once and leaves it in the
run folder, where every later step reads it. A sheet that the engine identified or examined has
one of its own (by_fem, nuisances.own_mesh, resimulated): all its error, not the isotropic part.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.increments import MOST_STEPS
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.measurement import MeasurementFields
from hpc_jobs.contract.records import publish, publish_manifest, read_manifest
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.record import Record
from hpc_jobs.measurement.measured import Measurement

KIND = "mesh_bias"


class NoReference(Exception):
    """The isotropic sheet could not be solved, so the campaign's mesh or hardening is unusable."""


class Shown(Protocol):
    """What a sheet shows in all tests, a record for one."""

    @property
    def strains(self) -> NDArray[np.float64]:
        """(strain_values,)."""
        ...

    @property
    def forces(self) -> NDArray[np.float64]:
        """(force_values,) N."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeshBias:
    """The campaign's mesh and steps minus endlessly fine ones, of some sheet."""

    strains: NDArray[np.float64]  # (strain_values,)
    forces: NDArray[np.float64]  # (force_values,) relative

    @classmethod
    def between(cls, coarse: Shown, fine: Shown, refinement: int) -> "MeshBias":
        """Extrapolate (Richardson) from what a sheet shows, the fine one in tests `all_refined`.

        Its error is 1/refinement^2 of the coarse one's: by that share the difference is enlarged.
        """
        whole = refinement**2 / (refinement**2 - 1)
        return cls(
            strains=whole * (coarse.strains - fine.strains),
            forces=whole * (coarse.forces / fine.forces - 1),
        )

    def taken_off(self, record: Record) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Strains (strain_values,) and forces (force_values,) N of a record, freed of the bias."""
        return record.strains - self.strains, record.forces / (1 + self.forces)


def mesh_bias(
    material: Material, specimens: Specimens, refinement: int, solver: str = "auto"
) -> MeshBias:
    """Solve the isotropic sheet as a campaign does and finer; a refinement of 1 gives zeros.

    Raises NoReference, SolverMissing.
    """
    if refinement == 1:
        return MeshBias(
            strains=np.zeros(specimens.strain_values), forces=np.zeros(specimens.force_values)
        )
    coarse = _isotropic(material, specimens, solver)
    fine = _isotropic(material, all_refined(specimens, refinement), solver)
    return MeshBias.between(coarse, fine, refinement)


def mesh_bias_of(campaign: Campaign) -> MeshBias:
    """Simulate a campaign's bias; raises NoReference, SolverMissing.

    A family's sheets each have a bias of their own: none is taken off.
    """
    specimens = campaign.specimens
    if not campaign.family.is_single_sheet:
        nothing = np.zeros(specimens.strain_values), np.zeros(specimens.force_values)
        return MeshBias(strains=nothing[0], forces=nothing[1])
    return mesh_bias(
        campaign.material,
        campaign.specimens,
        campaign.validation.mesh_refinement,
        campaign.solver,
    )


def publish_mesh_bias(run: RunFolder[Path], campaign: Campaign) -> MeshBias:
    """Return the run's bias; simulate and publish it first, unless that was done.

    Raises NoReference, SolverMissing, CorruptFile.
    """
    path = run.mesh_bias
    if manifest_of(path).exists():
        return read_mesh_bias(run, campaign)
    bias = mesh_bias_of(campaign)
    with publish(path) as temporary, h5py.File(temporary, "w") as file:
        file[MeasurementFields.STRAINS] = bias.strains
        file[MeasurementFields.FORCES] = bias.forces
    publish_manifest(manifest_of(path), KIND, [path], campaign_fingerprint=campaign.fingerprint)
    return bias


def read_mesh_bias(run: RunFolder[Path], campaign: Campaign) -> MeshBias:
    """Read the bias that was published; raises CorruptFile, also for another campaign's."""
    path = run.mesh_bias
    facts = read_manifest(manifest_of(path), KIND).facts
    if facts["campaign_fingerprint"] != campaign.fingerprint:
        raise CorruptFile(f"{path}: of another campaign; remove it and run identify again")
    with h5py.File(path) as file:
        return MeshBias(
            strains=np.asarray(file[MeasurementFields.STRAINS], dtype=np.float64),
            forces=np.asarray(file[MeasurementFields.FORCES], dtype=np.float64),
        )


def refined(specimens: Specimens, factor: int) -> Specimens:
    """Return the same tests on a mesh with so many times more elements per direction."""
    mesh = specimens.mesh
    numbers = {"along": factor * mesh.along, "across": factor * mesh.across}
    finer = mesh.model_copy(update={"level": "refined", **numbers})
    return specimens.model_copy(update={"mesh": finer})


def all_refined(specimens: Specimens, factor: int) -> Specimens:
    """Return the same tests on such a mesh, in factor^2 times more steps.

    The error falls with the square of an element's size and with a load step's size: that leaves
    1/factor^2 of both.
    """
    steps = min(factor**2, MOST_STEPS) * specimens.steps_per_output
    return refined(specimens, factor).model_copy(update={"steps_per_output": steps})


def on_mesh(measurement: Measurement, bias: MeshBias) -> Measurement:
    """Carry a measurement over to the campaign's mesh."""
    forces = measurement.forces
    return replace(
        measurement,
        strains=measurement.strains + bias.strains,
        forces=None if forces is None else forces * (1 + bias.forces),
    )


def _isotropic(material: Material, specimens: Specimens, solver: str) -> Record:
    _, backend = backend_of(solver)
    record = backend.simulate(np.ones(len(material.parameters)), material, specimens)
    if record.status != "ok":
        raise NoReference(
            f"the isotropic reference on {specimens.mesh.along} x {specimens.mesh.across} elements "
            f"ended with '{record.status}': {record.reason}; choose a smaller end displacement"
        )
    return record
