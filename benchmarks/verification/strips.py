"""Whole specimens: forces against CalculiX, convergence, the degeneracy, and our two solvers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.verification.check import Check
from benchmarks.verification.sheets import (
    AA2090,
    AA2090_ALPHA,
    DP780,
    DP780_ALPHA,
    VON_MISES,
)
from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.material import Material, Swift
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.backends import load
from hpc_jobs.fem.native.simulation import Control, NativeSimulation
from hpc_jobs.fem.record import Record
from hpc_jobs.fem.reference import simulation

FloatArray = NDArray[np.float64]
NOTHING = np.empty(0)  # von Mises has no targets
MOMENTS = {0.3: 2, 0.6: 5, 1.0: 9}  # mm -> output
OURS_N = (6404.0, 7090.7, 7462.4)  # 96 x 48, independent prototype
CPS8R_N = (6412.7, 7102.9, 7479.0)  # CalculiX 2.20
MESHES = ((12, 6), (24, 12), (48, 24), (96, 48))
STEPS = (1, 2, 4, 8, 32)
TIGHT = Control(tolerance=1e-11, point_tolerance=1e-9, warm_start=False)


@dataclass(frozen=True, slots=True)
class Convergence:
    """What the figures show: forces of each mesh, strain errors of each number of steps."""

    forces_n: dict[int, FloatArray]  # elements -> (10,)
    step_errors: dict[int, float]  # steps per output -> largest strain error


def strip(along: int, across: int, steps_per_output: int = 4) -> Specimens:
    """Return the benchmark's strip: one direction, an even mesh."""
    mesh = Mesh(along=along, across=across, grading=1.0)
    return Specimens(angles_deg=(0.0,), mesh=mesh, steps_per_output=steps_per_output)


def converge() -> Convergence:
    """Solve the benchmark on all meshes, and DP780 on one in ever more steps."""
    records = {a * b: _native(VON_MISES, NOTHING, strip(a, b)) for a, b in MESHES}
    strains = {n: _native(DP780, DP780_ALPHA, strip(24, 12, n)).strains for n in STEPS}
    finest = strains.pop(STEPS[-1])
    return Convergence(
        forces_n={elements: record.forces for elements, record in records.items()},
        step_errors={n: float(np.abs(s - finest).max()) for n, s in strains.items()},
    )


def checks(found: Convergence) -> Iterator[Check]:
    """Compare forces, orders of convergence, the degeneracy and the solvers."""
    yield from _forces(found)
    yield from _orders(found)
    yield from _degeneracy()
    yield from _agreement()


def _native(material: Material, parameters: FloatArray, specimens: Specimens) -> Record:
    record = NativeSimulation(material, specimens, TIGHT).simulate(parameters)
    if record.status != "ok":
        raise RuntimeError(f"a reference strip ended as {record.status}: {record.reason}")
    return record


def _reference(material: Material, parameters: FloatArray, specimens: Specimens) -> Record:
    return simulation.simulate(parameters, material, specimens, tolerance=1e-11, quick=99)


def _forces(found: Convergence) -> Iterator[Check]:
    native = found.forces_n[96 * 48]
    for (moment, output), ours, theirs in zip(MOMENTS.items(), OURS_N, CPS8R_N, strict=True):
        for source, expected, tolerance in (
            ("CalculiX 2.20, CPS8R", theirs, 3e-3),
            ("independent prototype", ours, 2e-5),
        ):
            yield Check(
                group="Notched strip, von Mises, large strain, 96 x 48 elements: force, N",
                name=f"u = {moment:g} mm, against {source.split(',')[0]}", source=source,
                expected=expected, found=float(native[output]), tolerance=tolerance,
                relative=True, digits=1,
            )  # fmt: skip


def _orders(found: Convergence) -> Iterator[Check]:
    coarse, middle, fine = list(found.forces_n.values())[-3:]
    for moment, output in MOMENTS.items():
        ratio = (coarse[output] - middle[output]) / (middle[output] - fine[output])
        yield Check(
            group="Order of convergence", name=f"force at {moment:g} mm in the element's size",
            source="theory", expected=2.0, found=float(np.log2(ratio)), tolerance=0.15, digits=1,
        )  # fmt: skip
    steps = list(found.step_errors.items())
    (few, large), (many, small) = steps[0], steps[-1]
    yield Check(
        group="Order of convergence", name="strains in the step's length (implicit Euler)",
        source="theory", expected=1.0, found=float(np.log(large / small) / np.log(many / few)),
        tolerance=0.25, digits=1,
    )  # fmt: skip


def _degeneracy() -> Iterator[Check]:
    """α → c α with k(p) → c k(c p) is the same sheet; c K (e0 + c p)^n is Swift again."""
    law, c = AA2090.hardening, 1.3
    assert isinstance(law, Swift)
    scaled = AA2090.model_copy(
        update={
            "hardening": Swift(
                strength_mpa=c ** (1 + law.exponent) * law.strength_mpa,
                prestrain=law.prestrain / c,
                exponent=law.exponent,
            )
        }
    )
    specimens = Specimens(mesh=Mesh(along=24, across=12), output_times=5)
    for solver, solve in (("native", _native), ("reference", _reference)):
        one = solve(AA2090, AA2090_ALPHA, specimens)
        other = solve(scaled, c * AA2090_ALPHA, specimens)
        strains = float(np.abs(one.strains - other.strains).max())
        forces = float(np.abs(one.forces / other.forces - 1).max())
        for name, error in (("strain", strains), ("force, relative", forces)):
            yield Check(
                group="Degeneracy: α → c α, k(p) → c k(c p) with c = 1.3, AA2090-T3",
                name=f"largest change of a {name}, {solver}", source="identity", expected=0.0,
                found=error, tolerance=1e-9, digits=0,
            )  # fmt: skip


def _agreement() -> Iterator[Check]:
    """Random sheets around DP780, at equal steps."""
    specimens = Specimens(mesh=Mesh(along=24, across=12), output_times=5, steps_per_output=1)
    native = NativeSimulation(DP780, specimens, TIGHT)
    strains, forces = 0.0, 0.0
    for row in np.random.default_rng(4).uniform(0.94, 1.06, (3, 8)):
        ours = native.simulate(DP780_ALPHA * row)
        readable = _reference(DP780, DP780_ALPHA * row, specimens)
        strains = max(strains, float(np.abs(ours.strains - readable.strains).max()))
        forces = max(forces, float(np.abs(ours.forces / readable.forces - 1).max()))
    for name, error in (("strains", strains), ("forces, relative", forces)):
        yield Check(
            group="Native kernel against the reference at equal steps, three random sheets",
            name=f"largest difference of {name}", source="identity", expected=0.0, found=error,
            tolerance=1e-9 if name == "strains" else 1e-8, digits=0,
        )  # fmt: skip


def crosscheck() -> Iterator[Check]:
    """Solve the same specimen on the same mesh with CalculiX; nothing where it is not installed."""
    for solver, element in (("calculix_cps4r", "CPS4R"), ("calculix", "CPS8R")):
        backend = load(solver)
        if backend.missing():
            return
        specimens = Specimens(angles_deg=(0.0,), mesh=Mesh(along=36, across=16), time_limit_s=600)
        theirs = backend.simulate(NOTHING, VON_MISES, specimens)
        ours = _native(VON_MISES, NOTHING, specimens)
        peak = float(np.abs(ours.strains).max())
        for name, error, tolerance in (
            ("force", float(np.abs(theirs.forces / ours.forces - 1).max()), 5e-3),
            ("patch strain", float(np.abs(theirs.strains - ours.strains).max()) / peak, 1e-2),
        ):
            yield Check(
                group="CalculiX on the same 36 x 16 mesh: largest difference over 10 times",
                name=f"{name}, {element}", source=f"ccx, {element}", expected=0.0, found=error,
                tolerance=tolerance, digits=0,
            )  # fmt: skip
