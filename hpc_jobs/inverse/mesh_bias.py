"""What the campaign's mesh does to strains and forces, so that it is not taken for anisotropy.

A network trained on a coarse mesh reads the mesh's error in a measurement, which has none, as a
property of the sheet. For sheets within a trained range that error hardly depends on the
anisotropy: nine tenths of it are shown by an isotropic sheet of the same hardening, solved on the
campaign's mesh and on a finer one. So measurements are carried over to the campaign's mesh, and
re-simulated fields back, by that difference: the first-order discrepancy correction of
multi-fidelity models (Kennedy and O'Hagan, Biometrika 87, 2000).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.material import Material
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.record import Record


class NoReference(Exception):
    """The isotropic sheet could not be solved, so the campaign's mesh or hardening is unusable."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeshBias:
    """Coarse minus fine, of an isotropic sheet."""

    strains: NDArray[np.float64]  # (strain_values,)
    forces: NDArray[np.float64]  # (force_values,) relative


def mesh_bias(
    material: Material, specimens: Specimens, refinement: int, solver: str = "auto"
) -> MeshBias:
    """Solve the isotropic sheet on both meshes; a refinement of 1 gives zeros.

    Raises NoReference, SolverMissing.
    """
    coarse = fine = _isotropic(material, specimens, solver)
    if refinement != 1:
        fine = _isotropic(material, refined(specimens, refinement), solver)
    return MeshBias(strains=coarse.strains - fine.strains, forces=coarse.forces / fine.forces - 1)


def refined(specimens: Specimens, factor: int) -> Specimens:
    """Return the same tests on a mesh with so many times more elements per direction."""
    mesh = specimens.mesh
    finer = mesh.model_copy(update={"along": factor * mesh.along, "across": factor * mesh.across})
    return specimens.model_copy(update={"mesh": finer})


def _isotropic(material: Material, specimens: Specimens, solver: str) -> Record:
    _, backend = backend_of(solver)
    record = backend.simulate(np.ones(len(material.parameters)), material, specimens)
    if record.status != "ok":
        raise NoReference(
            f"the isotropic reference on {specimens.mesh.along} x {specimens.mesh.across} elements "
            f"ended with '{record.status}': {record.reason}; choose a smaller end displacement"
        )
    return record
