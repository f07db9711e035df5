"""Uniaxial tension at finite strain: T = q k(q e_p), q = sigma_theta / sigma_bar."""

import numpy as np
import pytest
from scipy.optimize import brentq

from hpc_jobs.contract.material import Hardening, HockettSherby, Material, Mixed, Swift, Voce
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.flow_stress import flow_stress
from hpc_jobs.fem.materials.hardening import hardening_array
from hpc_jobs.fem.materials.yield_function import YieldFunction
from hpc_jobs.fem.materials.yield_locus import yield_stress
from hpc_jobs.fem.reference.point import STATE, update

STRETCH = 1.1
WITHIN = 1e-4  # 0.01 %
YOUNG, POISSON = 7e4, 0.33
SWIFT = Swift(strength_mpa=646.0, prestrain=0.025, exponent=0.227)
VOCE = Voce(yield_stress_mpa=200.0, saturation_mpa=250.0, rate=12.0)
MIXED = Mixed(swift_share=0.4, swift=SWIFT, voce=VOCE)
DP780 = HockettSherby(
    saturation_stress_mpa=1125.76, yield_stress_mpa=317.907, rate=4.9711, exponent=0.45262
)
Sheet = tuple[np.ndarray, Material]


def tension(sheet: YieldFunction, hardening: Hardening, angle_deg: float, steps: int) -> float:
    """T (MPa) at STRETCH of one element's point, free to contract and to shear."""
    twice = 2 * np.deg2rad(angle_deg)
    elastic = np.array([YOUNG, POISSON, np.cos(twice), np.sin(twice)])
    law = hardening_array(hardening)

    def respond(logarithms: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """T in specimen axes and the new state, at ln U (xx, yy, xy)."""
        e = np.array([[logarithms[0], logarithms[2]], [logarithms[2], logarithms[1]]])
        values, vectors = np.linalg.eigh(e)
        u = vectors @ np.diag(np.exp(values)) @ vectors.T
        solution = update(sheet.coefficients, law, elastic, *u.ravel(), state)
        assert solution[0] == 0
        new = np.array(solution[-1])
        mean, difference, shear = (new[4] + new[5]) / 2, (new[4] - new[5]) / 2, new[6]
        cos2, sin2 = elastic[2], elastic[3]
        turned = difference * cos2 + shear * sin2
        t = np.array([mean + turned, mean - turned, shear * cos2 - difference * sin2])
        return t, new

    state, lateral = np.zeros(STATE), np.zeros(2)
    for step in range(1, steps + 1):
        axial = np.log(STRETCH) * step / steps
        lateral = lateral if step > 1 else np.array([-0.4 * axial, 0.0])
        for _ in range(30):  # Newton on T_yy = T_xy = 0
            t, new = respond(np.array([axial, *lateral]), state)
            if np.abs(t[1:]).max() < 1e-4:
                break
            columns = [
                (respond(np.array([axial, *(lateral + d)]), state)[0] - t)[1:] / 1e-6
                for d in 1e-6 * np.eye(2)
            ]
            lateral = lateral - np.linalg.solve(np.array(columns).T, t[1:])
        assert np.abs(t[1:]).max() < 1e-4  # MPa
        state = new
    return float(t[0])


@pytest.mark.parametrize(("angle_deg", "expected"), [(0, 395.097), (45, 309.72), (90, 354.051)])
@pytest.mark.parametrize("steps", [1, 20])
def test_stress_of_aa2090(aa2090: Sheet, angle_deg: float, expected: float, steps: int) -> None:
    sheet = MATERIALS["yld2000_2d"](aa2090[0], 8)
    found = tension(sheet, aa2090[1].hardening, angle_deg, steps)
    assert found == pytest.approx(expected, rel=WITHIN)


@pytest.mark.parametrize("hardening", [SWIFT, VOCE, MIXED, DP780], ids=lambda law: law.law)
@pytest.mark.parametrize(
    ("family", "parameters", "exponent"),
    [
        ("von_mises", (), 2.0),
        ("hill48", (1.8, 1.3, 2.1), 2.0),
        ("barlat89", (1.8, 1.3, 2.1), 6.5),
        ("yld2000_2d", (1.05, 0.95, 1.0, 0.98, 1.02, 0.96, 1.1, 0.93), 5.3),
    ],
)
def test_stress_of_every_family(
    family: str, parameters: tuple[float, ...], exponent: float, hardening: Hardening
) -> None:
    """The plastic work of tension is k dp: dp = q de_p, and T = q k."""
    sheet, law = MATERIALS[family](np.array(parameters), exponent), hardening_array(hardening)
    for angle in (0.0, 30.0, 90.0):
        q = float(yield_stress(sheet, [angle])[0])

        def excess(t: float, q: float = q) -> float:
            plastic = np.log(STRETCH) - t / YOUNG
            return t - q * float(flow_stress(law, q * plastic)[0])

        expected = brentq(excess, 1.0, 2000.0)
        assert tension(sheet, hardening, angle, 10) == pytest.approx(expected, rel=WITHIN)
