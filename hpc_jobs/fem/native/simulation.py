"""Records from the native kernel: the same statuses and layouts as the numba reference."""

import time
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hpc_jobs.contract.material import Material
from hpc_jobs.contract.records import RecordStatus
from hpc_jobs.contract.specimen import Specimens, TensileTest
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.admissible import defect
from hpc_jobs.fem.materials.hardening import hardening_array
from hpc_jobs.fem.native.library import Library, Loading, Problem, Solver, load
from hpc_jobs.fem.native.symmetry import Part, solved_part, symmetry_at
from hpc_jobs.fem.record import Record, failed, finished, quantities, stopped
from hpc_jobs.fem.specimen.load_steps import load_steps, output_fractions
from hpc_jobs.fem.specimen.mesh import FloatArray
from hpc_jobs.fem.specimen.patches import unfit_specimen


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """How a record is computed; the defaults are those of production."""

    use_symmetry: bool = True
    warm_start: bool = True  # from the trajectory of an isotropic sheet of the same hardening
    cut_back: bool = True  # halve a step that fails
    tolerance: float = 1e-5  # residual over force
    point_tolerance: float = 1e-6  # of the return mapping before its last step, strain
    path: str | None = None  # of library.PATHS; the machine's widest by default


class NativeSimulation:
    """All virtual tests of one material but for its parameters; not for several threads at once.

    A record depends on its own arguments only, not on what was simulated before. `simulate` takes
    another material and other pieces of the same specimens where a record has its own.
    """

    def __init__(
        self,
        material: Material | None,
        specimens: Specimens,
        control: Control | None = None,
        library: Library | None = None,
    ) -> None:
        self.material, self.specimens = material, specimens
        self.control = control or Control()
        self.library = library or load()
        self._solvers = [_Loaded(self, test) for test in specimens.tests]

    def simulate(
        self,
        parameters: FloatArray,
        material: Material | None = None,
        specimens: Specimens | None = None,
    ) -> Record:
        """Run all virtual tests of one parameter point; a failure is a status with its reason."""
        steel, tests = material or self.material, specimens or self.specimens
        assert steel is not None, "no material is known: give the record's own"
        sheet = MATERIALS[steel.yield_function].of(parameters, steel)
        reason = defect(sheet, self.library.derivatives)
        if reason:
            return failed("rejected_material", reason, tests)
        reason = unfit_specimen(tests) if tests.pieces else ""
        if reason:
            return failed("rejected_specimen", reason, tests)
        deadline = time.thread_time() + tests.time_limit_s
        values = np.empty((quantities(tests), *tests.strain_shape[1:]))
        forces = np.empty(tests.force_shape)
        largest, steps, iterations = 0.0, 0, 0
        for i, (test, loaded) in enumerate(zip(tests.tests, self._solvers, strict=True)):
            loaded.take(steel, test, tests)
            outcome = loaded.solver.solve(sheet, deadline - time.thread_time())
            largest = max(largest, outcome.largest_plastic_strain)
            steps += outcome.steps
            iterations += outcome.stiffnesses + outcome.residuals
            if outcome.status:
                status = RecordStatus.NAMES[outcome.status]
                reason = stopped(
                    tests,
                    test,
                    status,
                    steps=outcome.steps,
                    time=outcome.time,
                    force=outcome.force,
                    largest=outcome.largest_plastic_strain,
                )
                return failed(status, reason, tests, largest, steps, iterations)
            values[:, i] = outcome.values
            with np.errstate(over="ignore"):  # what is not finite is a status
                forces[i] = outcome.forces * test.geometry.thickness_mm
        return finished(tests, values, forces, largest=largest, steps=steps, iterations=iterations)

    def force_curves(
        self, parameters: FloatArray, material: Material, specimens: Specimens
    ) -> list[FloatArray]:
        """Force (times,) of each test, N, as far as it goes; NaN beyond."""
        sheet = MATERIALS[material.yield_function].of(parameters, material)
        deadline = time.thread_time() + specimens.time_limit_s
        curves = []
        for test, loaded in zip(specimens.tests, self._solvers, strict=True):
            loaded.take(material, test, specimens)
            outcome = loaded.solver.solve(sheet, deadline - time.thread_time())
            curves.append(outcome.forces * test.geometry.thickness_mm)
        return curves

    def simulate_table(self, table: FloatArray) -> Iterator[Record]:
        """Simulate the rows of a table, one record each, in order; none is ever dropped."""
        for parameters in table:
            yield self.simulate(parameters)


class _Loaded:
    """The solver of one specimen, meshed and loaded anew only where a record asks for it."""

    def __init__(self, simulation: NativeSimulation, test: TensileTest) -> None:
        self._control, self._library = simulation.control, simulation.library
        self._meshed: Hashable = None
        self._sheet: Hashable = None
        self.solver: Solver

    def take(self, material: Material, test: TensileTest, specimens: Specimens) -> None:
        """Prepare for a test of a sheet."""
        symmetry = symmetry_at(test.angle_deg) if self._control.use_symmetry else "none"
        # Thickness scales forces and nothing else: it needs no other mesh
        shape = test.geometry.model_copy(update={"thickness_mm": 1.0, "end_displacement_mm": None})
        patches = test.patches(specimens.patches)
        mesh = (shape, specimens.mesh, patches, symmetry, material.poisson_ratio)
        if mesh != self._meshed:
            self._meshed = self._sheet = None
            self.solver = self._open(
                solved_part(shape, specimens.mesh, patches, symmetry), material, specimens
            )
            self._meshed = mesh
        warm = self._control.warm_start and specimens.warm_start
        times = test.drawn_mm, specimens.steps_per_output
        sheet = (material, test.angle_deg, times, warm)
        if sheet != self._sheet:
            self._sheet = None
            self.solver.load(_loading(material, test, specimens, warm=warm))
            self._sheet = sheet

    def _open(self, part: Part, material: Material, specimens: Specimens) -> Solver:
        problem = Problem(
            part=part,
            poisson_ratio=material.poisson_ratio,
            quantities=quantities(specimens),
            tolerance=self._control.tolerance,
            point_tolerance=self._control.point_tolerance,
            cut_back=self._control.cut_back,
        )
        return Solver(self._library, problem, self._control.path)


def _loading(material: Material, test: TensileTest, specimens: Specimens, *, warm: bool) -> Loading:
    times, is_output = load_steps(output_fractions(test), specimens.steps_per_output)
    isotropic = MATERIALS[material.yield_function].of(np.ones(len(material.parameters)), material)
    return Loading(
        youngs_modulus_mpa=material.youngs_modulus_mpa,
        angle_deg=test.angle_deg,
        hardening=hardening_array(material.hardening),
        isotropic=isotropic.coefficients if warm else None,
        end_displacement_mm=test.drawn_mm[-1],
        times=times,
        is_output=is_output,
    )


@lru_cache(maxsize=8)  # a shard may mix meshes
def _prepared(material: Material | None, specimens: Specimens) -> NativeSimulation:
    return NativeSimulation(material, specimens)


def simulate(parameters: FloatArray, material: Material, specimens: Specimens) -> Record:
    """Simulate one parameter point with the native kernel; raises NotBuilt where there is none."""
    if specimens.warm_start:
        return _prepared(material, specimens).simulate(parameters)
    drawn = specimens.model_copy(update={"pieces": ()})
    return _prepared(None, drawn).simulate(parameters, material, specimens)


def force_curves(
    parameters: FloatArray, material: Material, specimens: Specimens
) -> list[FloatArray]:
    """Force (times,) of each test, N, as far as it goes; NaN beyond. Raises NotBuilt."""
    drawn = specimens.model_copy(update={"pieces": ()})
    return _prepared(None, drawn).force_curves(parameters, material, specimens)
