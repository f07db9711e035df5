"""All that one virtual specimen does: displacements of every node at chosen moments.

Records keep patch averages, as a measurement does; a picture of the specimen needs the nodes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.geometry import Mesh, Patches
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.records import RecordStatus
from hpc_jobs.contract.specimen import TensileTest
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.hardening import hardening_array
from hpc_jobs.fem.native.library import Loading, Problem, Solver, load
from hpc_jobs.fem.native.symmetry import DRAWN, DRAWN_BACK, Part, solved_part, symmetry_at
from hpc_jobs.fem.specimen.mesh import FloatArray, Quadrilaterals, notched_strip

NOMINAL_STEP = 1 / 40  # of the largest end displacement; beside the chosen moments
FIRST_STEPS = (0.0025, 0.005, 0.0075)  # through general yield
TOGETHER = 1e-4  # load steps nearer to a chosen moment than this are left out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FullField:
    """One specimen at increasing end displacements, as far as it went before its force fell."""

    mesh: Quadrilaterals
    end_displacements_mm: FloatArray  # (times,)
    displacements: FloatArray  # (times, nodes, 2), mm
    forces: FloatArray  # (times,), N
    strains: FloatArray  # (2, patches, times), ln U as in a record
    status: str  # of contract.records.RecordStatus: ok, or why it did not reach the last moment


def full_field(
    parameters: FloatArray,
    material: Material,
    test: TensileTest,
    mesh: Mesh,
    patches: Patches,
    end_displacements_mm: FloatArray,
    time_limit_s: float = 120.0,
) -> FullField:
    """Draw one specimen through `end_displacements_mm` (times,), positive and increasing.

    parameters in the order of material.parameters; patches lie on the test's geometry. The result
    is cut where the solver stopped, at the peak of the force say. Raises NotBuilt where there is
    no native library, ValueError for moments that do not increase.
    """
    moments = np.asarray(end_displacements_mm, dtype=np.float64)
    if moments.ndim != 1 or not moments.size or not (np.diff(moments, prepend=0.0) > 0).all():
        raise ValueError(
            f"end displacements {moments} must be positive and increasing; sort them, each once"
        )
    yield_function = MATERIALS[material.yield_function]
    times, is_output = _schedule(moments / moments[-1])
    symmetry = symmetry_at(test.angle_deg)
    part = solved_part(test.geometry, mesh, patches, symmetry)
    problem = Problem(
        part=part,
        poisson_ratio=material.poisson_ratio,
        quantities=2,
        tolerance=1e-5,
        point_tolerance=1e-6,
        cut_back=True,
    )
    solver = Solver(load(), problem)
    solver.load(
        Loading(
            youngs_modulus_mpa=material.youngs_modulus_mpa,
            angle_deg=test.angle_deg,
            hardening=hardening_array(material.hardening),
            isotropic=None,
            end_displacement_mm=float(moments[-1]),
            times=times,
            is_output=is_output,
        )
    )
    sheet = yield_function.of(np.asarray(parameters, dtype=np.float64), material)
    outcome = solver.solve(sheet, time_limit_s, displacements=True)
    assert outcome.displacements is not None  # they were asked for
    reached = np.isfinite(outcome.forces)
    if outcome.status:
        reached &= moments <= outcome.time * moments[-1] * (1 + 1e-9)
    moved = _of_all_nodes(outcome.displacements[reached], moments[reached], part, mesh)
    return FullField(
        mesh=notched_strip(test.geometry, mesh),
        end_displacements_mm=moments[reached],
        displacements=moved,
        forces=outcome.forces[reached],
        strains=outcome.values[:, :, reached],
        status=RecordStatus.NAMES[outcome.status],
    )


def _schedule(moments: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Load steps (steps,), fractions of the end, through all moments, and which are these."""
    nominal = np.arange(NOMINAL_STEP, 1, NOMINAL_STEP)
    others = np.concatenate([FIRST_STEPS, nominal])
    apart = np.abs(others[:, None] - moments).min(axis=1) > TOGETHER
    times = np.concatenate([moments, others[apart]])
    is_output = np.arange(len(times)) < len(moments)
    order = np.argsort(times)
    return times[order], is_output[order]


def _of_all_nodes(free: FloatArray, ends_mm: FloatArray, part: Part, mesh: Mesh) -> FloatArray:
    """Displacements (times, nodes, 2) from those of the unknowns (times, unknowns)."""
    grid = (mesh.along + 1, mesh.across + 1)
    dofs = part.node_dofs.reshape(*grid, 2)
    moved = np.where(dofs >= 0, free[:, np.maximum(dofs, 0)], 0.0)
    moved *= part.node_signs.reshape(*grid)[..., None]
    half = ends_mm[:, None] / 2
    moved[:, dofs == DRAWN] = half
    moved[:, dofs == DRAWN_BACK] = -half
    along, across = mesh.along // 2, mesh.across // 2
    if part.symmetry == "mirrors":
        moved[:, :, :across] = moved[:, :, :across:-1] * (1, -1)
        moved[:, :along] = moved[:, :along:-1] * (-1, 1)
    elif part.symmetry == "half_turn":
        moved[:, :along] = -moved[:, :along:-1, ::-1]
    return moved.reshape(len(free), -1, 2)
