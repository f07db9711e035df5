"""Records from the native kernel: the same statuses and layouts as the numba reference."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.material import Material
from hpc_jobs.contract.records import RecordStatus
from hpc_jobs.contract.specimen import Specimens, TensileTest
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.admissible import defect
from hpc_jobs.fem.materials.hardening import hardening_array
from hpc_jobs.fem.materials.yield_function import YieldFunction
from hpc_jobs.fem.native.library import Library, Problem, Solver, load
from hpc_jobs.fem.native.symmetry import solved_part, symmetry_at
from hpc_jobs.fem.record import Record, failed, finished, quantities, stopped
from hpc_jobs.fem.specimen.mesh import FloatArray

FIRST_STEP = 0.01  # of the end displacement; a larger one yields everywhere at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """How a record is computed; the defaults are those of production."""

    use_symmetry: bool = True
    warm_start: bool = True  # from the trajectory of an isotropic sheet of the same hardening
    cut_back: bool = True  # halve a step that fails
    tolerance: float = 1e-5  # residual over force
    point_tolerance: float = 1e-6  # of the return mapping before its last step, strain
    path: str | None = None  # of library.PATHS; the machine's widest by default


def load_steps(specimens: Specimens) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the ends of the load steps (steps,), as fractions, and which are output times.

    The same for all records, so that strains vary smoothly with the parameters; the sequence that
    the reference takes where it never has to cut back.
    """
    outputs = specimens.output_times
    nominal = 1 / (outputs * specimens.steps_per_output)
    step, now, times, is_output = min(FIRST_STEP, nominal), 0.0, list[float](), list[bool]()
    while sum(is_output) < outputs:
        target = (sum(is_output) + 1) / outputs
        pieces = max(1.0, np.ceil((target - now) / step - 1e-6))
        length = target - now if pieces == 1 else (target - now) / pieces
        now = target if pieces == 1 else now + length
        step = min(nominal, 2 * max(length, step))
        times.append(now)
        is_output.append(pieces == 1)
    return np.array(times), np.array(is_output)


class NativeSimulation:
    """All virtual tests of one material but for its parameters; not for several threads at once.

    A record depends on its own parameters only, not on what was simulated before.
    """

    def __init__(
        self,
        material: Material,
        specimens: Specimens,
        control: Control | None = None,
        library: Library | None = None,
    ) -> None:
        self.material, self.specimens = material, specimens
        self.control = control or Control()
        self.library = library or load()
        times, is_output = load_steps(specimens)
        self._solvers = [
            Solver(self.library, self._problem(test, times, is_output), self.control.path)
            for test in specimens.tests
        ]

    def simulate(self, parameters: FloatArray) -> Record:
        """Run all virtual tests of one parameter point; a failure is a status with its reason."""
        sheet = self._sheet(parameters)
        reason = defect(sheet, self.library.derivatives)
        if reason:
            return failed("rejected_material", reason, self.specimens)
        deadline = time.thread_time() + self.specimens.time_limit_s
        values = np.empty((quantities(self.specimens), *self.specimens.strain_shape[1:]))
        forces = np.empty(self.specimens.force_shape)
        largest, steps, iterations = 0.0, 0, 0
        for i, (test, solver) in enumerate(zip(self.specimens.tests, self._solvers, strict=True)):
            outcome = solver.solve(sheet, deadline - time.thread_time())
            largest = max(largest, outcome.largest_plastic_strain)
            steps += outcome.steps
            iterations += outcome.stiffnesses + outcome.residuals
            if outcome.status:
                status = RecordStatus.NAMES[outcome.status]
                reason = stopped(
                    self.specimens,
                    test,
                    status,
                    steps=outcome.steps,
                    time=outcome.time,
                    force=outcome.force,
                    largest=outcome.largest_plastic_strain,
                )
                return failed(status, reason, self.specimens, largest, steps, iterations)
            values[:, i], forces[i] = outcome.values, outcome.forces
        return finished(
            self.specimens, values, forces, largest=largest, steps=steps, iterations=iterations
        )

    def simulate_table(self, table: FloatArray) -> Iterator[Record]:
        """Simulate the rows of a table, one record each, in order; none is ever dropped."""
        for parameters in table:
            yield self.simulate(parameters)

    def _sheet(self, parameters: FloatArray) -> YieldFunction:
        return MATERIALS[self.material.yield_function].of(parameters, self.material)

    def _problem(
        self, test: TensileTest, times: FloatArray, is_output: NDArray[np.bool_]
    ) -> Problem:
        symmetry = symmetry_at(test.angle_deg) if self.control.use_symmetry else "none"
        return Problem(
            part=solved_part(test.geometry, self.specimens.mesh, self.specimens.patches, symmetry),
            youngs_modulus_mpa=self.material.youngs_modulus_mpa,
            poisson_ratio=self.material.poisson_ratio,
            angle_deg=test.angle_deg,
            isotropic=self._sheet(np.ones(len(self.material.parameters))).coefficients,
            hardening=hardening_array(self.material.hardening),
            quantities=quantities(self.specimens),
            end_displacement_mm=self.specimens.end_displacement_mm,
            times=times,
            is_output=is_output,
            tolerance=self.control.tolerance,
            point_tolerance=self.control.point_tolerance,
            cut_back=self.control.cut_back,
            warm=self.control.warm_start,
        )


@lru_cache(maxsize=8)  # a shard may mix meshes
def _prepared(material: Material, specimens: Specimens) -> NativeSimulation:
    return NativeSimulation(material, specimens)


def simulate(parameters: FloatArray, material: Material, specimens: Specimens) -> Record:
    """Simulate one parameter point with the native kernel; raises NotBuilt where there is none."""
    return _prepared(material, specimens).simulate(parameters)
