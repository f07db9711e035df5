"""Derivatives against centred finite differences, from the yield function to the whole strip."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.verification.check import Check
from benchmarks.verification.sheets import DP780, DP780_ALPHA
from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.hardening import hardening_array
from hpc_jobs.fem.materials.linear_forms import evaluate
from hpc_jobs.fem.materials.yield_function import YieldFunction
from hpc_jobs.fem.materials.yld2000_2d import Yld2000
from hpc_jobs.fem.reference.element import assemble
from hpc_jobs.fem.reference.point import STATE
from hpc_jobs.fem.reference.return_map import return_map
from hpc_jobs.fem.specimen.discretised import discretise
from hpc_jobs.fem.specimen.mesh import notched_strip

FloatArray = NDArray[np.float64]
GROUP = "Derivatives against centred differences, largest error over the largest entry"
YOUNG, POISSON = 2e5, 0.33
SYMMETRIC = [[0, 1, 2], [1, 3, 4], [2, 4, 5]]


def checks() -> Iterator[Check]:
    """Check gradient, Hessian and point tangent of every yield function, and the global tangent."""
    for name, kind in MATERIALS.items():
        materials = [kind(np.array(values), exponent) for values, exponent in kind.examples]
        for label, error, tolerance in (
            ("gradient", _gradient_error, 1e-8),
            ("Hessian", _hessian_error, 1e-7),
            ("point tangent", _point_tangent_error, 1e-5),  # the mapping stops at 1e-10 of strain
        ):
            worst = max(error(material) for material in materials)
            yield _check(f"{label}, {name}, {len(materials)} sheets", worst, tolerance)
    for angle in (0.0, 30.0):
        worst = _global_tangent_error(angle)
        yield _check(f"global tangent, DP780 at {angle:g}°", worst, 1e-6)


def _check(name: str, error: float, tolerance: float) -> Check:
    return Check(
        group=GROUP, name=name, source="identity", expected=0.0, found=error, tolerance=tolerance,
        digits=0,
    )  # fmt: skip


def _centred(function: Callable[[FloatArray], FloatArray], at: FloatArray, h: float) -> FloatArray:
    """Differentiate along the last axis, to fourth order in h."""

    def along(d: FloatArray) -> FloatArray:
        near = function(at + h * d) - function(at - h * d)
        far = function(at + 2 * h * d) - function(at - 2 * h * d)
        return np.asarray((8 * near - far) / (12 * h))

    return np.stack([along(d) for d in np.eye(len(at))], axis=-1)


def _stresses(count: int) -> FloatArray:
    directions = np.random.default_rng(1).normal(size=(count, 3))
    return np.asarray(directions / np.linalg.norm(directions, axis=1, keepdims=True))


def _worst(exact: FloatArray, numeric: FloatArray) -> float:
    return float(np.abs(exact - numeric).max() / np.abs(exact).max())


def _gradient_error(material: YieldFunction) -> float:
    def bar(s: FloatArray) -> FloatArray:
        return np.array(evaluate(material.coefficients, *s)[0])

    def error(s: FloatArray) -> float:
        exact = np.array(evaluate(material.coefficients, *s)[1:4])
        return _worst(exact, _centred(bar, s, 1e-4))

    return max(error(s) for s in _stresses(100))


def _hessian_error(material: YieldFunction) -> float:
    def gradient(s: FloatArray) -> FloatArray:
        return np.array(evaluate(material.coefficients, *s)[1:4])

    def error(s: FloatArray) -> float:
        exact = np.array(evaluate(material.coefficients, *s)[4:])[SYMMETRIC]
        return _worst(exact, _centred(gradient, s, 1e-4))

    return max(error(s) for s in _stresses(100))


def _point_tangent_error(material: YieldFunction) -> float:
    """Of the return mapping, one per cent strain beyond a plastic strain of 0.02."""
    law = hardening_array(DP780.hardening)

    def solve(strain: FloatArray, last: FloatArray) -> FloatArray:
        fixed = (material.coefficients, law, YOUNG, POISSON)
        return np.array(return_map(*fixed, tuple(strain), 0.02, tuple(last)))

    def error(direction: FloatArray) -> float:
        last = 300.0 * direction
        exact = solve(0.01 * direction, last)[5:][SYMMETRIC]
        return _worst(exact, _centred(lambda e: solve(e, last)[1:4], 0.01 * direction, 3e-5))

    return max(error(direction) for direction in _stresses(40))


def _global_tangent_error(angle_deg: float) -> float:
    """Of a strip, stretched, sheared and strained plastically, then stretched further."""
    specimens = Specimens(mesh=Mesh(along=4, across=2))
    model = discretise(specimens.geometries[0], specimens.mesh, specimens.patches)
    twice = 2 * np.deg2rad(angle_deg)
    elastic = np.array([YOUNG, POISSON, np.cos(twice), np.sin(twice)])
    sheet, law = Yld2000(DP780_ALPHA, 6), hardening_array(DP780.hardening)
    shape = (len(model.dofs), 4, STATE)
    state, after, strains = np.zeros(shape), np.zeros(shape), np.zeros((*shape[:2], 2))

    def assembled(displacement: FloatArray) -> tuple[FloatArray, FloatArray]:
        band, forces = np.zeros((model.free, model.band_width)), np.zeros(len(model.ends))
        assemble(
            sheet.coefficients, law, elastic, model.gradients, model.volumes,
            model.dofs, displacement, state, model.first, band, forces, after, strains,
        )  # fmt: skip
        return band, forces[model.first : model.first + model.free]

    nodes = notched_strip(specimens.geometries[0], specimens.mesh).nodes
    stretched = (nodes @ np.array([[0.05, 0.02], [-0.01, -0.02]])).ravel()
    assembled(stretched)
    state[:] = after
    generator = np.random.default_rng(0)
    displacement = 1.4 * stretched + 0.01 * generator.normal(size=len(model.ends))
    band, _ = assembled(displacement)
    exact, numeric = np.zeros((2, model.free, model.free))
    for i in range(model.free):
        last = min(model.band_width, model.free - i)
        exact[i, i : i + last] = exact[i : i + last, i] = band[i, :last]
        moved = np.zeros(len(model.ends))
        moved[model.first + i] = 1e-5
        difference = assembled(displacement + moved)[1] - assembled(displacement - moved)[1]
        numeric[:, i] = difference / 2e-5
    return _worst(exact, numeric)
