"""What every yield function of the registry promises."""

import itertools
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

from hpc_jobs.contract.material import YIELD_PARAMETERS, HockettSherby, Material
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.admissible import defect
from hpc_jobs.fem.materials.flow_stress import flow_stress
from hpc_jobs.fem.materials.hardening import hardening_array
from hpc_jobs.fem.materials.linear_forms import evaluate as kernel
from hpc_jobs.fem.materials.powers import powers as _powers
from hpc_jobs.fem.materials.yield_function import YieldFunction
from hpc_jobs.fem.materials.yield_locus import r_value, yield_stress
from hpc_jobs.fem.reference.return_map import OK, elastic_strain, return_map

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
def material(request: pytest.FixtureRequest) -> YieldFunction:
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


def evaluate(material: YieldFunction, stress: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    bar, n_x, n_y, n_t, xx, xy, xt, yy, yt, tt = kernel(material.coefficients, *stress)
    return bar, np.array([n_x, n_y, n_t]), np.array([[xx, xy, xt], [xy, yy, yt], [xt, yt, tt]])


def centred(function: Any, at: np.ndarray, step: float) -> np.ndarray:
    """Derivatives of a function (along the last axis of the result) by centred differences."""
    columns = [(function(at + step * d) - function(at - step * d)) / (2 * step) for d in np.eye(3)]
    return np.stack(columns, axis=-1)


def test_every_yield_function_of_the_contract_is_registered() -> None:
    assert set(MATERIALS) == set(YIELD_PARAMETERS)


def test_examples_are_physical_materials(material: YieldFunction) -> None:
    assert defect(material) == ""


def von_mises(parameters: np.ndarray, exponent: float, s: np.ndarray) -> float:
    x, y, t = s
    return float(np.sqrt(x * x - x * y + y * y + 3 * t * t))


def hill48(parameters: np.ndarray, exponent: float, s: np.ndarray) -> float:
    (r0, r45, r90), (x, y, t) = parameters, s
    g, h = 1 / (1 + r0), r0 / (1 + r0)
    f = r0 / (r90 * (1 + r0))
    n = (r0 + r90) * (1 + 2 * r45) / (2 * r90 * (1 + r0))
    return float(np.sqrt((g + h) * x * x - 2 * h * x * y + (f + h) * y * y + 2 * n * t * t))


def barlat89(parameters: np.ndarray, exponent: float, s: np.ndarray) -> float:
    """Its p from r(45) = R45 with derivatives by differences, independently."""
    r0, r45, r90 = parameters
    big_a, big_b = r0 / (1 + r0), r90 / (1 + r90)
    a, h = 2 - 2 * np.sqrt(big_a * big_b), np.sqrt(big_a / big_b)

    def bar(p: float, x: float, y: float, t: float) -> float:
        k1, k2 = (x + h * y) / 2, np.sqrt(((x - h * y) / 2) ** 2 + p * p * t * t)
        terms = a * abs(k1 + k2) ** exponent + a * abs(k1 - k2) ** exponent
        return float((0.5 * (terms + (2 - a) * abs(2 * k2) ** exponent)) ** (1 / exponent))

    def r_at_45(p: float) -> float:
        d = 1e-4
        thickness = bar(p, 0.5 + d, 0.5 + d, 0.5) - bar(p, 0.5 - d, 0.5 - d, 0.5)
        return bar(p, 0.5, 0.5, 0.5) * 2 * d / thickness - 1

    p = brentq(lambda p: r_at_45(p) - r45, 0.05, 5, xtol=1e-14)
    return bar(p, *s)


def yld2000_2d(parameters: np.ndarray, exponent: float, s: np.ndarray) -> float:
    """By principal values of the two linearly transformed deviators, as printed."""
    a1, a2, a3, a4, a5, a6, a7, a8 = parameters
    first = np.array([[2 * a1, -a1, 0], [-a2, 2 * a2, 0], [0, 0, 3 * a7]]) / 3
    second = np.array([
        [-2 * a3 + 2 * a4 + 8 * a5 - 2 * a6, a3 - 4 * a4 - 4 * a5 + 4 * a6, 0],
        [4 * a3 - 4 * a4 - 4 * a5 + a6, -2 * a3 + 8 * a4 + 2 * a5 - 2 * a6, 0],
        [0, 0, 9 * a8],
    ]) / 9  # fmt: skip
    x1, x2 = np.linalg.eigvalsh(_tensor(first @ s))
    y1, y2 = np.linalg.eigvalsh(_tensor(second @ s))
    terms = (abs(x1 - x2), abs(2 * y2 + y1), abs(2 * y1 + y2))
    return float((0.5 * sum(term**exponent for term in terms)) ** (1 / exponent))


def _tensor(v: np.ndarray) -> np.ndarray:
    return np.array([[v[0], v[2]], [v[2], v[1]]])


CLOSED_FORMS = {f.__name__: f for f in (von_mises, hill48, barlat89, yld2000_2d)}


def test_the_law_as_the_textbook_has_it(material: YieldFunction, stresses: np.ndarray) -> None:
    law = CLOSED_FORMS[material.name]
    tolerance = 1e-8 if material.name == "barlat89" else 1e-12  # whose p is found by differences
    for stress in stresses[:50]:
        expected = law(material.parameters, material.exponent, stress)
        assert evaluate(material, stress)[0] == pytest.approx(expected, rel=tolerance)


def test_tests_are_reproduced(material: YieldFunction) -> None:
    """A family that is given by r-values shows them."""
    if material.name in ("hill48", "barlat89"):
        assert r_value(material, [0, 45, 90]) == pytest.approx(material.parameters, rel=1e-12)
        assert yield_stress(material, [0]) == pytest.approx([1.0], rel=1e-14)


@pytest.mark.parametrize("exponent", [2.0001, 2.5, 3.0, 3.7, 5.0, 7.9, 10.0, 13.3, 20.0])
@pytest.mark.parametrize("name", ["yld2000_2d", "barlat89"])
def test_any_exponent(name: str, exponent: float, stresses: np.ndarray) -> None:
    """As printed, with derivatives by differences, also next to repeated eigenvalues."""
    parameters = np.array(MATERIALS[name].examples[1 if name == "barlat89" else 3][0])
    material = MATERIALS[name](parameters, exponent)
    twice = np.array([1.0, 1.02, 0.0])
    near = [twice + 10.0**-k * stresses[k] for k in range(2, 8)]
    for stress in (*stresses[:30], *near):
        expected = CLOSED_FORMS[name](parameters, exponent, stress)
        bar, gradient, hessian = evaluate(material, stress)
        assert bar == pytest.approx(expected, rel=1e-8 if name == "barlat89" else 1e-11)
        numeric = centred(lambda s: np.array(evaluate(material, s)[0]), stress, 1e-6)
        assert gradient == pytest.approx(numeric, abs=1e-7)
        if exponent >= 4:  # below, third derivatives are infinite where eigenvalues coincide
            numeric = centred(lambda s: evaluate(material, s)[1], stress, 1e-6)
            assert hessian == pytest.approx(numeric, abs=1e-5)


@pytest.mark.parametrize("exponent", [2.0, 4.0, 6.0, 8.0])
def test_even_exponents_continue_the_others(exponent: float, stresses: np.ndarray) -> None:
    """Polynomials and powers are two ways to one function: as near as the exponents are."""
    alpha = np.array(MATERIALS["yld2000_2d"].examples[3][0])
    even = MATERIALS["yld2000_2d"](alpha, exponent)
    other = MATERIALS["yld2000_2d"](alpha, exponent + 1e-9)
    for stress in stresses[:50]:
        for one, two in zip(evaluate(even, stress), evaluate(other, stress), strict=True):
            assert two == pytest.approx(one, abs=1e-6)


@pytest.mark.parametrize("exponent", [2.01, 3.0, 6.0, 7.3, 20.0])
@pytest.mark.parametrize("stress", [(1.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)])
def test_repeated_eigenvalues_of_an_isotropic_sheet(
    exponent: float, stress: tuple[float, float, float]
) -> None:
    """Hosford's law: sigma_bar of a principal stress state, and what symmetry asks of n."""
    bar, normal, hessian = evaluate(MATERIALS["yld2000_2d"](np.ones(8), exponent), np.array(stress))
    principal = np.linalg.eigvalsh(_tensor(np.array(stress)))
    differences = np.abs([principal[0] - principal[1], *principal])
    expected = (0.5 * np.sum(differences**exponent)) ** (1 / exponent)
    assert bar == pytest.approx(expected, rel=1e-14)
    assert np.isfinite(hessian).all()
    assert hessian @ stress == pytest.approx(np.zeros(3), abs=1e-13)
    if stress[0] == stress[1]:
        assert normal[0] == pytest.approx(normal[1], abs=1e-14)


@pytest.mark.parametrize("ratio", [0.9e-3, 1e-3, 1.1e-3])
def test_series_and_powers_meet(ratio: float) -> None:
    """Both sides of the switch, and their derivatives, by the same exact differences."""
    for a in (2.3, 5.5, 11.0, 20.0):
        step = 1e-12
        below, above = (_powers(a, 0.3, 0.8, (1e-3 + sign * step) * 0.64) for sign in (-1, 1))
        assert below == pytest.approx(above, rel=3e-9)
        q = ratio * 0.64
        g, g_m, g_q = (_powers(a, 0.3, 0.8, q)[i] for i in (3, 4, 5))
        exact = abs(0.8 - np.sqrt(q)) ** a + (0.8 + np.sqrt(q)) ** a
        assert g == pytest.approx(exact, rel=1e-14)
        assert a * g == pytest.approx(0.8 * g_m + 2 * q * g_q, rel=1e-13)  # Euler's theorem


def test_gradient_and_hessian(material: YieldFunction, stresses: np.ndarray) -> None:
    for stress in stresses:
        _, gradient, hessian = evaluate(material, stress)
        numeric = centred(lambda s: np.array(evaluate(material, s)[0]), stress, 1e-6)
        assert gradient == pytest.approx(numeric, abs=2e-8)
        numeric = centred(lambda s: evaluate(material, s)[1], stress, 1e-6)
        assert hessian == pytest.approx(numeric, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-12, 3.7, 1e9])
def test_homogeneous_of_degree_one(
    material: YieldFunction, stresses: np.ndarray, scale: float
) -> None:
    for stress in stresses[:20]:
        bar, gradient, hessian = evaluate(material, stress)
        scaled, same, smaller = evaluate(material, scale * stress)
        assert scaled == pytest.approx(scale * bar, rel=1e-12)
        assert same == pytest.approx(gradient, abs=1e-12)
        assert scale * smaller == pytest.approx(hessian, abs=1e-9)
        assert gradient @ stress == pytest.approx(bar)
        assert hessian @ stress == pytest.approx(np.zeros(3), abs=1e-9)


def test_convex(material: YieldFunction, stresses: np.ndarray) -> None:
    for one, other in itertools.pairwise(stresses):
        middle = evaluate(material, (one + other) / 2)[0]
        assert middle <= (evaluate(material, one)[0] + evaluate(material, other)[0]) / 2 + 1e-12
        assert np.linalg.eigvalsh(evaluate(material, one)[2]).min() > -1e-9


def test_smooth_where_eigenvalues_coincide(material: YieldFunction) -> None:
    for stress in ([1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1e-9]):
        assert all(np.isfinite(part).all() for part in evaluate(material, np.array(stress)))
    assert evaluate(material, np.zeros(3))[0] == 0


@pytest.mark.parametrize("p", [0.0, 1e-3, 0.2])
def test_a_step_ends_consistent(material: YieldFunction, stresses: np.ndarray, p: float) -> None:
    """On the yield surface, with the plastic strain along its normal, from any start."""
    generator = np.random.default_rng(1)
    for direction in stresses[:60]:
        strain = 10 ** generator.uniform(-3, -0.7) * direction
        last = generator.choice([0.0, 300.0]) * generator.normal(size=3)
        status, sx, sy, t, after, *_ = return_map(
            material.coefficients, LAW, YOUNG, POISSON, tuple(strain), p,
            tuple(last),
        )  # fmt: skip
        assert status == OK
        bar, normal, _ = evaluate(material, np.array([sx, sy, t]))
        plastic = strain - np.array(elastic_strain(YOUNG, POISSON, sx, sy, t))
        if after > p:
            assert bar == pytest.approx(flow_stress(LAW, after)[0], rel=1e-6)
        assert plastic == pytest.approx((after - p) * normal, abs=1e-9)


def test_point_tangent(material: YieldFunction, stresses: np.ndarray) -> None:
    errors = []
    for direction in stresses[:60]:
        strain, last = 0.01 * direction, tuple(300.0 * direction)

        def solve(e: np.ndarray, last: tuple[float, ...] = last) -> np.ndarray:
            fixed = (material.coefficients, LAW, YOUNG, POISSON)
            return np.array(return_map(*fixed, tuple(e), 0.02, last))

        xx, xy, xt, yy, yt, tt = solve(strain)[5:]
        tangent = np.array([[xx, xy, xt], [xy, yy, yt], [xt, yt, tt]])
        numeric = centred(lambda e: solve(e)[1:4], strain, 1e-6)
        assert tangent / YOUNG == pytest.approx(numeric / YOUNG, abs=1e-4)
        errors.append(np.abs(tangent - numeric) / YOUNG)
    assert np.median(errors) < 1e-8


def test_elastic_below_yield(material: YieldFunction) -> None:
    status, *_, p, xx, _, _, _, _, _ = return_map(
        material.coefficients, LAW, YOUNG, POISSON, (1e-4, 0.0, 0.0), 0.0,
        (0.0, 0.0, 0.0),
    )  # fmt: skip
    assert (status, p) == (OK, 0.0)
    assert xx == pytest.approx(YOUNG / (1 - POISSON**2))
