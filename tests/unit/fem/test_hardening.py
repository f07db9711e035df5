"""Hardening laws: their values, slopes, and the start of a curve with infinite slope."""

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from hpc_jobs.contract.material import (
    Hardening,
    HockettSherby,
    Mixed,
    Nodes,
    Swift,
    Tabulated,
    Voce,
)
from hpc_jobs.fem.materials.flow_stress import FLOOR, flow_stress
from hpc_jobs.fem.materials.hardening import hardening_array, monotone_slopes

SWIFT = Swift(law="swift", strength_mpa=646, prestrain=0.025, exponent=0.227)
VOCE = Voce(law="voce", yield_stress_mpa=200, saturation_mpa=150, rate=12)
DP780 = HockettSherby(
    law="hockett_sherby",
    saturation_stress_mpa=1125.76,
    yield_stress_mpa=317.907,
    rate=4.9711,
    exponent=0.45262,
)


MIXED = Mixed(law="mixed", swift_share=0.3, swift=SWIFT, voce=VOCE)
TABLE = Tabulated(
    law="tabulated",
    plastic_strains=(0.0, 0.01, 0.03, 0.1, 0.2, 0.5),
    stresses_mpa=(300.0, 340.0, 380.0, 450.0, 450.0, 520.0),
)
NODES = Nodes(
    plastic_strains=(0.0, 0.003, 0.01, 0.03, 0.1, 0.16),
    stresses_mpa=(300.0, 340.0, 380.0, 450.0, 530.0, 560.0),
)


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        (SWIFT, 646 * 0.125**0.227),
        (VOCE, 200 + 150 * (1 - np.exp(-1.2))),
        (DP780, 1125.76 - (1125.76 - 317.907) * np.exp(-4.9711 * 0.1**0.45262)),
        (MIXED, 0.3 * 646 * 0.125**0.227 + 0.7 * (200 + 150 * (1 - np.exp(-1.2)))),
        (TABLE, 450.0),
        (NODES, 530.0),
    ],
)
def test_values_at_a_tenth(law: Hardening, expected: float) -> None:
    assert flow_stress(hardening_array(law), 0.1)[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("law", [SWIFT, VOCE, DP780, MIXED, TABLE, NODES])
@pytest.mark.parametrize("p", [1e-9, 1e-4, 0.02, 0.7])
def test_slope_is_the_derivative(law: Hardening, p: float) -> None:
    array, step = hardening_array(law), 1e-4 * p
    difference = flow_stress(array, p + step)[0] - flow_stress(array, p - step)[0]
    assert flow_stress(array, p)[1] == pytest.approx(difference / (2 * step), rel=2e-4)


def test_the_start_of_hockett_sherby_is_finite_and_near_its_yield_stress() -> None:
    stress, slope = flow_stress(hardening_array(DP780), 0.0)
    assert np.isfinite(slope)
    assert stress == pytest.approx(317.907, rel=0.003)
    assert flow_stress(hardening_array(DP780), FLOOR)[0] >= stress


def test_a_table_is_scipys_monotone_cubic_and_goes_on_straight() -> None:
    law, curve = (
        hardening_array(TABLE),
        PchipInterpolator(TABLE.plastic_strains, TABLE.stresses_mpa),
    )
    p = np.linspace(0, 0.5, 301)[1:-1]
    found = np.array([flow_stress(law, x) for x in p])
    assert found[:, 0] == pytest.approx(curve(p), rel=1e-13)
    assert found[:, 1] == pytest.approx(curve.derivative()(p), rel=1e-10, abs=1e-9)
    assert np.all(np.diff(found[:, 0]) >= 0)
    last = float(curve.derivative()(0.5))
    assert flow_stress(law, 0.5) == pytest.approx((520.0, last))
    assert flow_stress(law, 0.9) == pytest.approx((520.0 + 0.4 * last, last))


@pytest.mark.parametrize("seed", range(20))
def test_slopes_of_any_rising_table_are_scipys(seed: int) -> None:
    random = np.random.default_rng(seed)
    count = int(random.integers(2, 9))
    x = np.concatenate(([0.0], np.cumsum(random.uniform(1e-4, 0.1, count - 1))))
    y = 200 + np.cumsum(random.choice([0.0, 1.0, 30.0], count))
    assert monotone_slopes(x, y) == pytest.approx(PchipInterpolator(x, y).derivative()(x), abs=1e-9)


def test_two_points_are_a_straight_line() -> None:
    line = Tabulated(plastic_strains=(0.0, 0.5), stresses_mpa=(200.0, 300.0))
    assert flow_stress(hardening_array(line), 0.1) == pytest.approx((220.0, 200.0))
    assert flow_stress(hardening_array(line), 1.0) == pytest.approx((400.0, 200.0))


def test_nodes_are_scipys_monotone_cubic_of_logarithms_and_go_on_as_a_power_law() -> None:
    x = np.log1p(np.array(NODES.plastic_strains) / NODES.prestrain)
    curve = PchipInterpolator(x, np.log(NODES.stresses_mpa))
    law, p = hardening_array(NODES), np.linspace(0, 0.16, 301)[1:-1]
    found = np.array([flow_stress(law, value) for value in p])
    assert found[:, 0] == pytest.approx(np.exp(curve(np.log1p(p / 0.002))), rel=1e-13)
    assert np.all(np.diff(found[:, 0]) > 0)
    exponent = float(curve.derivative()(x[-1]))
    beyond = 560 * ((0.002 + 0.5) / (0.002 + 0.16)) ** exponent
    assert flow_stress(law, 0.5)[0] == pytest.approx(beyond, rel=1e-12)


@pytest.mark.parametrize(("truth", "share"), [(SWIFT, 1.5e-3), (DP780, 1.5e-3), (VOCE, 3e-3)])
def test_seven_nodes_hold_the_curves_of_other_laws(truth: Hardening, share: float) -> None:
    """Between .01 and .16 to .15 %, and to .3 % where a curve saturates between two nodes."""
    strains = (0.0, 0.003, 0.01, 0.03, 0.05, 0.08, 0.16)
    curve = hardening_array(truth)
    stresses = tuple(flow_stress(curve, p)[0] for p in strains)
    nodes = hardening_array(Nodes(plastic_strains=strains, stresses_mpa=stresses))
    for p in np.linspace(0.01, 0.16, 40):
        assert flow_stress(nodes, p)[0] == pytest.approx(flow_stress(curve, p)[0], rel=share)
