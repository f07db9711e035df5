"""Hardening laws: their values, slopes, and the start of a curve with infinite slope."""

import numpy as np
import pytest

from hpc_jobs.contract.material import Hardening, HockettSherby, Swift, Voce
from hpc_jobs.fem.hardening import FLOOR, flow_stress, hardening_array

SWIFT = Swift(law="swift", strength_mpa=646, prestrain=0.025, exponent=0.227)
VOCE = Voce(law="voce", yield_stress_mpa=200, saturation_mpa=150, rate=12)
DP780 = HockettSherby(
    law="hockett_sherby",
    saturation_stress_mpa=1125.76,
    yield_stress_mpa=317.907,
    rate=4.9711,
    exponent=0.45262,
)


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        (SWIFT, 646 * 0.125**0.227),
        (VOCE, 200 + 150 * (1 - np.exp(-1.2))),
        (DP780, 1125.76 - (1125.76 - 317.907) * np.exp(-4.9711 * 0.1**0.45262)),
    ],
)
def test_values_at_a_tenth(law: Hardening, expected: float) -> None:
    assert flow_stress(hardening_array(law), 0.1)[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("law", [SWIFT, VOCE, DP780])
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
