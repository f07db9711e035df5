"""One record: parameters in, what all virtual tests of it measure out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.material import Material
from hpc_jobs.contract.records import RecordStatus
from hpc_jobs.contract.specimen import Specimens, TensileTest
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.admissible import defect
from hpc_jobs.fem.materials.hardening import hardening_array
from hpc_jobs.fem.materials.yield_function import YieldFunction
from hpc_jobs.fem.record import Record, failed, finished, quantities, stopped
from hpc_jobs.fem.reference.solver import QUICK, TOLERANCE, cpu_seconds, pull
from hpc_jobs.fem.specimen.discretised import discretise
from hpc_jobs.fem.specimen.load_steps import output_fractions
from hpc_jobs.fem.specimen.mesh import FloatArray
from hpc_jobs.fem.specimen.patches import unfit_specimen

__all__ = ["Record", "simulate", "simulate_table"]


def simulate(
    parameters: NDArray[np.float64],
    material: Material,
    specimens: Specimens,
    *,
    tolerance: float = TOLERANCE,
    quick: int = QUICK,
) -> Record:
    """Run all virtual tests of one parameter point, in the order of material.parameters.

    Never raises for what a material does: a failure is a status with its reason. tolerance is the
    residual over the reaction; a load step may grow after `quick` iterations: if that is more
    than any step takes, all records take the same steps.
    """
    yield_function = MATERIALS[material.yield_function].of(
        np.asarray(parameters, dtype=np.float64), material
    )
    reason = defect(yield_function)
    if reason:
        return failed("rejected_material", reason, specimens)
    reason = unfit_specimen(specimens)
    if reason:
        return failed("rejected_specimen", reason, specimens)
    return _run_all(yield_function, material, specimens, tolerance, quick)


def simulate_table(
    table: NDArray[np.float64], material: Material, specimens: Specimens
) -> Iterator[Record]:
    """Simulate the rows of a table, one record each, in order; none is ever dropped."""
    for parameters in table:
        yield simulate(parameters, material, specimens)


def force_curves(
    parameters: FloatArray, material: Material, specimens: Specimens
) -> list[FloatArray]:
    """Force (times,) of each test, N, as far as it goes; NaN beyond."""
    sheet = MATERIALS[material.yield_function].of(parameters, material)
    deadline = cpu_seconds() + specimens.time_limit_s
    return [
        _pulled(sheet, material, specimens, test, deadline, TOLERANCE, QUICK).forces
        for test in specimens.tests
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Pulled:
    """How one test ended."""

    values: FloatArray  # (quantities, patches, times)
    forces: FloatArray  # (times,), N; NaN beyond its end
    status: int
    time: float
    force: float
    plastic_strain: float
    steps: int
    iterations: int


def _run_all(
    yield_function: YieldFunction,
    material: Material,
    specimens: Specimens,
    tolerance: float,
    quick: int,
) -> Record:
    deadline = cpu_seconds() + specimens.time_limit_s
    values = np.empty((quantities(specimens), *specimens.strain_shape[1:]))
    forces = np.empty(specimens.force_shape)
    largest, steps, iterations = 0.0, 0, 0
    for i, test in enumerate(specimens.tests):
        ended = _pulled(yield_function, material, specimens, test, deadline, tolerance, quick)
        largest = max(largest, ended.plastic_strain)
        steps, iterations = steps + ended.steps, iterations + ended.iterations
        if ended.status:
            name = RecordStatus.NAMES[ended.status]
            reason = stopped(
                specimens,
                test,
                name,
                steps=ended.steps,
                time=ended.time,
                force=ended.force,
                largest=ended.plastic_strain,
            )
            return failed(name, reason, specimens, largest, steps, iterations)
        values[:, i], forces[i] = ended.values, ended.forces
    return finished(specimens, values, forces, largest=largest, steps=steps, iterations=iterations)


def _pulled(
    yield_function: YieldFunction,
    material: Material,
    specimens: Specimens,
    test: TensileTest,
    deadline: float,
    tolerance: float,
    quick: int,
) -> _Pulled:
    model = discretise(test.geometry, specimens.mesh, test.patches(specimens.patches))
    values = np.full((quantities(specimens), *specimens.strain_shape[2:]), np.nan)
    forces = np.full(specimens.output_times, np.nan)
    status, *facts = pull(
        yield_function.coefficients,
        hardening_array(material.hardening),
        _elastic(material, test.angle_deg),
        model.gradients,
        model.volumes,
        model.dofs,
        model.ends,
        model.first,
        model.free,
        model.band_width,
        specimens.steps_per_output,
        output_fractions(test),
        test.drawn_mm[-1],
        model.patch_weights,
        values,
        forces,
        tolerance,
        quick,
        deadline,
    )
    return _Pulled(values, forces, status, *facts)


def _elastic(material: Material, angle_deg: float) -> FloatArray:
    twice = 2 * np.deg2rad(angle_deg)
    return np.array(
        [material.youngs_modulus_mpa, material.poisson_ratio, np.cos(twice), np.sin(twice)]
    )
