"""What a yield function means to a materials engineer: stresses, r-values, the yield locus.

With s(theta) = (cos^2, sin^2, cos sin) and n the gradient there,

    sigma_theta / k = 1 / sigma_bar(s(theta))
    r_theta = (n_x sin^2 + n_y cos^2 - n_t sin cos) / -(n_x + n_y)
    r_b = n_y / n_x at equibiaxial tension.

All stresses are over the hardening curve's k, so most sheets have 1 in the rolling direction:

    >>> from hpc_jobs.fem.materials import MATERIALS
    >>> steel = MATERIALS["barlat89"]((1.8, 1.3, 2.1), exponent=6)
    >>> r_value(steel, [0, 45, 90]).round(3)
    array([1.8, 1.3, 2.1])
    >>> yield_stress(steel, [0, 45, 90]).round(3)
    array([1.   , 1.1  , 1.027])

docs/notebook-api.md shows more.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.fem.errors import UnsupportedMaterial
from hpc_jobs.fem.materials.yield_function import FloatArray, YieldFunction, check_exponent

BISECTIONS = 60


def derivatives(material: YieldFunction, stresses: ArrayLike) -> FloatArray:
    """Evaluate at stresses (n, 3): rows (n, 10) of sigma_bar, gradient and Hessian.

    In the order of materials.linear_forms.evaluate; stresses xx, yy, xy in any unit.
    """
    from hpc_jobs.fem.materials.linear_forms import evaluate_all

    points = np.ascontiguousarray(stresses, dtype=np.float64).reshape(-1, 3)
    results = np.empty((len(points), 10))
    evaluate_all(material.coefficients, points, results)
    return results


def uniaxial(angles_deg: ArrayLike) -> FloatArray:
    """Stress (n, 3) of unit tension at angles to the rolling direction."""
    angle = np.deg2rad(np.atleast_1d(np.asarray(angles_deg, dtype=np.float64)))
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack((cos**2, sin**2, cos * sin), axis=-1)


def yield_stress(material: YieldFunction, angles_deg: ArrayLike) -> FloatArray:
    """Uniaxial yield stresses (n,) over k at angles to the rolling direction, degrees."""
    return 1 / derivatives(material, uniaxial(angles_deg))[:, 0]


def r_value(material: YieldFunction, angles_deg: ArrayLike) -> FloatArray:
    """Width over thickness strain increment (n,) in uniaxial tension at angles, degrees."""
    s = uniaxial(angles_deg)
    return width_over_thickness(s, derivatives(material, s)[:, 1:4])


def width_over_thickness(tension: FloatArray, gradients: FloatArray) -> FloatArray:
    """r-values (n,) from the gradients (n, 3) at uniaxial stresses (n, 3)."""
    n_x, n_y, n_t = gradients.T
    width = n_x * tension[:, 1] + n_y * tension[:, 0] - n_t * tension[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(width / -(n_x + n_y))


def biaxial(material: YieldFunction) -> tuple[float, float]:
    """Equibiaxial yield stress over k, and r_b."""
    bar, n_x, n_y, _ = derivatives(material, [(1.0, 1.0, 0.0)])[0, :4]
    return float(1 / bar), float(n_y / n_x)


def mechanical_values(material: YieldFunction) -> dict[Quantity, float]:
    """Return the seven values by which a campaign's box describes a sheet, stresses over s(0)."""
    tension, r = yield_stress(material, [0, 45, 90]), r_value(material, [0, 45, 90])
    stress_biaxial, r_biaxial = biaxial(material)
    return {
        "stress_ratio_45": float(tension[1] / tension[0]),
        "stress_ratio_90": float(tension[2] / tension[0]),
        "stress_ratio_biaxial": float(stress_biaxial / tension[0]),
        "r_value_0": float(r[0]),
        "r_value_45": float(r[1]),
        "r_value_90": float(r[2]),
        "r_value_biaxial": r_biaxial,
    }


def plane_strain(material: YieldFunction) -> tuple[float, float]:
    """Yield point (s_xx, s_yy) over k of plane-strain tension along the rolling direction.

    There the sheet does not contract across: n_y = 0, s_xy = 0. An isotropic von Mises sheet
    gives (1.1547, 0.5774).
    """
    low, high = -0.5 * np.pi, 0.5 * np.pi  # n_y grows with the stress's angle: convexity
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        n_y = derivatives(material, [(np.cos(middle), np.sin(middle), 0.0)])[0, 2]
        low, high = (middle, high) if n_y < 0 else (low, middle)
    stress = np.array((np.cos(low), np.sin(low), 0.0))
    s_xx, s_yy, _ = (stress / derivatives(material, stress)[0, 0]).tolist()
    return s_xx, s_yy


def pure_shear(material: YieldFunction) -> float:
    """Yield stress s_xy over k of pure shear in the rolling axes (von Mises: 0.5774)."""
    return float(1 / derivatives(material, [(0.0, 0.0, 1.0)])[0, 0])


def contour(material: YieldFunction, shear: float, points: int = 181) -> FloatArray:
    """Trace the yield locus at fixed s_xy = shear: points (points, 2) of (s_xx, s_yy) over k.

    shear is over k, too. Empty where the shear stress alone exceeds the yield stress.
    """
    if abs(shear) >= pure_shear(material):
        return np.empty((0, 2))
    angle = np.linspace(0, 2 * np.pi, points)
    direction = np.stack((np.cos(angle), np.sin(angle), np.zeros(points)), axis=-1)
    low, high = np.zeros(points), np.full(points, 1e3)
    for _ in range(BISECTIONS):  # sigma_bar is convex and below one inside: it cannot miss
        middle = 0.5 * (low + high)
        inside = derivatives(material, middle[:, None] * direction + (0, 0, shear))[:, 0] < 1
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return np.asarray(low[:, None] * direction[:, :2])


def alpha_from_tests(
    stress_ratios: ArrayLike, r_values: ArrayLike, exponent: float
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Yld2000-2d's alpha from mechanical tests.

    stress_ratios and r_values (n, 4): at 0, 45, 90 degrees and equibiaxial; stresses over the
    hardening curve's k, so the first is usually one. Returns alpha (n, 8), NaN where unsolved,
    with alpha7 and alpha8 positive (their signs do not matter), and solved (n,).
    Raises UnsupportedMaterial.
    """
    from hpc_jobs.fem.materials.newton_on_tests import solve_all_tests

    check_exponent(exponent, "yld2000_2d")
    stresses = np.atleast_2d(np.asarray(stress_ratios, dtype=np.float64))
    ratios = np.atleast_2d(np.asarray(r_values, dtype=np.float64))
    if stresses.shape != ratios.shape or stresses.shape[1] != 4:
        raise UnsupportedMaterial(
            f"stress ratios {stresses.shape} and r-values {ratios.shape}; both must be (n, 4)"
        )
    tests = np.ascontiguousarray(np.hstack((stresses, ratios)))
    alpha, solved = np.empty_like(tests), np.empty(len(tests), dtype=np.bool_)
    solve_all_tests(tests, float(exponent), alpha, solved)
    alpha[~solved] = np.nan
    alpha[:, 6:] = np.abs(alpha[:, 6:])
    return alpha, solved
