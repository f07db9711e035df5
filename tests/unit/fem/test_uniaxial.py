"""Uniaxial tension at finite strain: T = q k(q e_p), q = sigma_theta / sigma_bar."""

import numpy as np
import pytest

from hpc_jobs.contract.material import Material
from hpc_jobs.fem.hardening import hardening_array
from hpc_jobs.fem.materials.yld2000_2d import Yld2000
from hpc_jobs.fem.point import STATE, update

STRETCH = 1.1
WITHIN = 1e-4  # 0.01 %
Sheet = tuple[np.ndarray, Material]


@pytest.mark.parametrize(("angle_deg", "expected"), [(0, 395.097), (45, 309.72), (90, 354.051)])
@pytest.mark.parametrize("steps", [1, 20])
def test_stress_at_a_stretch_of_1_1(
    aa2090: Sheet, angle_deg: float, expected: float, steps: int
) -> None:
    """One element's point, free to contract and to shear, in one step and in twenty."""
    sheet, material = Yld2000(aa2090[0], 8), aa2090[1]
    twice = 2 * np.deg2rad(angle_deg)
    elastic = np.array([7e4, 0.33, np.cos(twice), np.sin(twice)])
    law = hardening_array(material.hardening)

    def respond(logarithms: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """T in specimen axes and the new state, at ln U (xx, yy, xy)."""
        e = np.array([[logarithms[0], logarithms[1 + 1]], [logarithms[2], logarithms[1]]])
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
            if np.abs(t[1:]).max() < 1e-6:
                break
            columns = [
                (respond(np.array([axial, *(lateral + d)]), state)[0] - t)[1:] / 1e-6
                for d in 1e-6 * np.eye(2)
            ]
            lateral = lateral - np.linalg.solve(np.array(columns).T, t[1:])
        assert np.abs(t[1:]).max() < 1e-6
        state = new
    assert t[0] == pytest.approx(expected, rel=WITHIN)
