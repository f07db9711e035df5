"""What every yield function of the registry promises."""

import itertools
from typing import Any

import numpy as np
import pytest

from hpc_jobs.contract.material import YIELD_PARAMETERS, HockettSherby, Material
from hpc_jobs.fem.admissible import defect
from hpc_jobs.fem.hardening import flow_stress, hardening_array
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.return_map import OK, elastic_strain, return_map

YOUNG, POISSON = 2e5, 0.33
HARDENING = HockettSherby(
    law="hockett_sherby",
    saturation_stress_mpa=1125.76,
    yield_stress_mpa=317.907,
    rate=4.9711,
    exponent=0.45262,
)
LAW = hardening_array(HARDENING)
EXAMPLES = [(name, i) for name, kind in MATERIALS.items() for i in range(len(kind.examples))]


@pytest.fixture(params=EXAMPLES, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def material(request: pytest.FixtureRequest) -> Any:
    name, index = request.param
    parameters, exponent = MATERIALS[name].examples[index]
    known = Material(
        yield_function=name,
        exponent=exponent,
        youngs_modulus_mpa=YOUNG,
        poisson_ratio=POISSON,
        hardening=HARDENING,
    )
    return MATERIALS[name].of(np.array(parameters), known)


@pytest.fixture
def stresses() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(200, 3))


def evaluate(material: Any, stress: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    bar, n_x, n_y, n_t, xx, xy, xt, yy, yt, tt = material.evaluate(material.coefficients, *stress)
    return bar, np.array([n_x, n_y, n_t]), np.array([[xx, xy, xt], [xy, yy, yt], [xt, yt, tt]])


def centred(function: Any, at: np.ndarray, step: float) -> np.ndarray:
    """Derivatives of a function (along the last axis of the result) by centred differences."""
    columns = [(function(at + step * d) - function(at - step * d)) / (2 * step) for d in np.eye(3)]
    return np.stack(columns, axis=-1)


def test_every_yield_function_of_the_contract_is_registered() -> None:
    assert set(MATERIALS) == set(YIELD_PARAMETERS)


def test_examples_have_the_contract_s_parameters(material: Any) -> None:
    for name, kind in MATERIALS.items():
        for parameters, _ in kind.examples:
            assert len(parameters) == len(YIELD_PARAMETERS[name])
    assert defect(material) == ""


def test_gradient_and_hessian(material: Any, stresses: np.ndarray) -> None:
    for stress in stresses:
        _, gradient, hessian = evaluate(material, stress)
        numeric = centred(lambda s: np.array(evaluate(material, s)[0]), stress, 1e-6)
        assert gradient == pytest.approx(numeric, abs=2e-8)
        numeric = centred(lambda s: evaluate(material, s)[1], stress, 1e-6)
        assert hessian == pytest.approx(numeric, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-12, 3.7, 1e9])
def test_homogeneous_of_degree_one(material: Any, stresses: np.ndarray, scale: float) -> None:
    for stress in stresses[:20]:
        bar, gradient, hessian = evaluate(material, stress)
        scaled, same, smaller = evaluate(material, scale * stress)
        assert scaled == pytest.approx(scale * bar, rel=1e-12)
        assert same == pytest.approx(gradient, abs=1e-12)
        assert scale * smaller == pytest.approx(hessian, abs=1e-9)
        assert gradient @ stress == pytest.approx(bar)
        assert hessian @ stress == pytest.approx(np.zeros(3), abs=1e-9)


def test_convex(material: Any, stresses: np.ndarray) -> None:
    for one, other in itertools.pairwise(stresses):
        middle = evaluate(material, (one + other) / 2)[0]
        assert middle <= (evaluate(material, one)[0] + evaluate(material, other)[0]) / 2 + 1e-12
        assert np.linalg.eigvalsh(evaluate(material, one)[2]).min() > -1e-9


def test_smooth_where_eigenvalues_coincide(material: Any) -> None:
    for stress in ([1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1e-9]):
        assert all(np.isfinite(part).all() for part in evaluate(material, np.array(stress)))
    assert evaluate(material, np.zeros(3))[0] == 0


@pytest.mark.parametrize("p", [0.0, 1e-3, 0.2])
def test_a_step_ends_consistent(material: Any, stresses: np.ndarray, p: float) -> None:
    """On the yield surface, with the plastic strain along its normal, from any start."""
    generator = np.random.default_rng(1)
    for direction in stresses[:60]:
        strain = 10 ** generator.uniform(-3, -0.7) * direction
        last = generator.choice([0.0, 300.0]) * generator.normal(size=3)
        status, sx, sy, t, after, *_ = return_map(
            material.evaluate, material.coefficients, LAW, YOUNG, POISSON, tuple(strain), p,
            tuple(last),
        )  # fmt: skip
        assert status == OK
        bar, normal, _ = evaluate(material, np.array([sx, sy, t]))
        plastic = strain - np.array(elastic_strain(YOUNG, POISSON, sx, sy, t))
        if after > p:
            assert bar == pytest.approx(flow_stress(LAW, after)[0], rel=1e-6)
        assert plastic == pytest.approx((after - p) * normal, abs=1e-9)


def test_point_tangent(material: Any, stresses: np.ndarray) -> None:
    for direction in stresses[:60]:
        strain, last = 0.01 * direction, tuple(300.0 * direction)

        def solve(e: np.ndarray, last: tuple[float, ...] = last) -> np.ndarray:
            fixed = (material.evaluate, material.coefficients, LAW, YOUNG, POISSON)
            return np.array(return_map(*fixed, tuple(e), 0.02, last))

        xx, xy, xt, yy, yt, tt = solve(strain)[5:]
        tangent = np.array([[xx, xy, xt], [xy, yy, yt], [xt, yt, tt]])
        numeric = centred(lambda e: solve(e)[1:4], strain, 1e-6)
        assert tangent / YOUNG == pytest.approx(numeric / YOUNG, abs=1e-4)
        assert np.median(np.abs(tangent - numeric)) / YOUNG < 1e-7


def test_elastic_below_yield(material: Any) -> None:
    status, *_, p, xx, _, _, _, _, _ = return_map(
        material.evaluate, material.coefficients, LAW, YOUNG, POISSON, (1e-4, 0.0, 0.0), 0.0,
        (0.0, 0.0, 0.0),
    )  # fmt: skip
    assert (status, p) == (OK, 0.0)
    assert xx == pytest.approx(YOUNG / (1 - POISSON**2))
