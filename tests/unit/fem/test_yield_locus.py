"""Yield functions against published and analytic values, to the printed digits."""

import numpy as np
import pytest

from hpc_jobs.contract.material import QUADRATIC, YIELD_PARAMETERS, YieldFunctionName
from hpc_jobs.fem.errors import UnsupportedMaterial
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.admissible import defect
from hpc_jobs.fem.materials.barlat89 import Barlat89
from hpc_jobs.fem.materials.hill48 import Hill48
from hpc_jobs.fem.materials.yield_locus import (
    alpha_from_tests,
    biaxial,
    contour,
    derivatives,
    plane_strain,
    pure_shear,
    r_value,
    yield_stress,
)
from hpc_jobs.fem.materials.yld2000_2d import Yld2000

# name: exponent, alpha, (sigma0, sigma45, sigma90, sigma_b) over k, (r0, r45, r90, r_b), digits
PUBLISHED = {
    "AA2090-T3": (
        8,
        (0.4865, 1.3783, 0.7536, 1.0246, 1.0363, 0.9036, 1.2321, 1.4858),
        (1.0, 0.811, 0.910, 1.035),
        (0.211, 1.580, 0.692, 0.670),
    ),
    "AA2090-T3, L''12 = L''21": (
        8,
        (0.3788, 1.4712, 0.8452, 1.0289, 1.0243, 0.8452, 1.2314, 1.4747),
        (1.0, 0.811, 0.910, 1.035),
        (0.211, 1.580, 0.692, 1.040),
    ),
    "AA6022-T4": (
        8,
        (0.9355, 1.0350, 0.9337, 1.0539, 1.0102, 0.9337, 0.9594, 1.1828),
        (0.994, 0.962, 0.948, 1.000),
        (0.704, 0.482, 0.585, 1.377),
    ),
    "DP780": (
        6,
        (0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556),
        (1.0, 0.991, 1.022, 1.010),
        (0.776, 1.103, 0.913, 0.887),
    ),
    "TR1180": (
        6,
        (1.02736, 0.939644, 0.962783, 0.983882, 0.986196, 0.939192, 0.98523, 1.01359),
        (1.0, 1.011, 1.020, 1.027),
        (0.983, 0.990, 0.953, 1.005),
    ),
}
HALF_A_DIGIT = 5e-4
R_VALUES = (1.8, 1.3, 2.1)  # of the Barlat-Lian and Hill references


def sheet(name: str) -> Yld2000:
    exponent, alpha, _, _ = PUBLISHED[name]
    return Yld2000(np.array(alpha), exponent)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_stresses_and_r_values(name: str) -> None:
    _, _, stresses, r_values = PUBLISHED[name]
    sigma_b, r_b = biaxial(sheet(name))
    found = (*yield_stress(sheet(name), [0, 45, 90]), sigma_b)
    assert found == pytest.approx(stresses, abs=HALF_A_DIGIT)
    assert (*r_value(sheet(name), [0, 45, 90]), r_b) == pytest.approx(r_values, abs=HALF_A_DIGIT)


def test_curve_of_aa2090() -> None:
    angles = np.arange(0, 91, 15)
    stress = (1, 0.9568, 0.8671, 0.8110, 0.8206, 0.8753, 0.9100)
    r = (0.211, 0.406, 1.065, 1.580, 1.350, 0.888, 0.692)
    assert yield_stress(sheet("AA2090-T3"), angles) == pytest.approx(stress, abs=5e-5)
    assert r_value(sheet("AA2090-T3"), angles) == pytest.approx(r, abs=HALF_A_DIGIT)


@pytest.mark.parametrize(
    ("exponent", "expected", "shear"),
    [(2, 1.1547, 0.5774), (6, 1.1167, 0.5584), (8, 1.0894, 0.5447)],
)
@pytest.mark.parametrize("name", MATERIALS)
def test_isotropic_plane_strain_and_shear(
    name: YieldFunctionName, exponent: int, expected: float, shear: float
) -> None:
    """Every family's isotropic sheet; von Mises and Hill have but the first exponent."""
    if name in QUADRATIC and exponent != 2:
        with pytest.raises(UnsupportedMaterial, match="is quadratic; give 2"):
            MATERIALS[name](np.ones(len(YIELD_PARAMETERS[name])), exponent)
        return
    material = MATERIALS[name](np.ones(len(YIELD_PARAMETERS[name])), exponent)
    s_xx, s_yy = plane_strain(material)
    assert s_xx == pytest.approx(expected, abs=5e-5)
    assert s_yy == pytest.approx(s_xx / 2, rel=1e-12)  # by symmetry of every isotropic law
    assert pure_shear(material) == pytest.approx(shear, abs=5e-5)
    assert biaxial(material) == pytest.approx((1.0, 1.0), abs=1e-12)


def test_plane_strain_has_no_strain_across_and_the_largest_stress_along() -> None:
    for name in PUBLISHED:
        s_xx, s_yy = plane_strain(sheet(name))
        bar, _, n_y, _ = derivatives(sheet(name), [(s_xx, s_yy, 0.0)])[0, :4]
        assert bar == pytest.approx(1.0, abs=1e-12)
        assert n_y == pytest.approx(0.0, abs=1e-9)
        assert contour(sheet(name), 0.0, 3601)[:, 0].max() <= s_xx + 1e-12


def test_barlat_lian_1989() -> None:
    material = Barlat89(np.array(R_VALUES), 6)
    assert material.achp == pytest.approx((0.68018, 1.31982, 0.97416, 0.89146), abs=5e-6)
    assert yield_stress(material, [45, 90]) == pytest.approx((1.09982, 1.02653), abs=5e-6)
    assert biaxial(material)[0] == pytest.approx(1.07984, abs=5e-6)


def test_hill_1948() -> None:
    material = Hill48(np.array(R_VALUES))
    assert yield_stress(material, [45, 90]) == pytest.approx((1.14501, 1.02653), abs=5e-6)
    assert biaxial(material)[0] == pytest.approx(1.22788, abs=5e-6)
    assert biaxial(material)[1] == pytest.approx(1.8 / 2.1, rel=1e-12)


@pytest.mark.parametrize("name", PUBLISHED)
def test_alpha_is_recovered_from_the_tests_it_predicts(name: str) -> None:
    exponent, alpha, _, _ = PUBLISHED[name]
    sigma_b, r_b = biaxial(sheet(name))
    stresses = [*yield_stress(sheet(name), [0, 45, 90]), sigma_b]
    found, solved = alpha_from_tests(stresses, [*r_value(sheet(name), [0, 45, 90]), r_b], exponent)
    assert solved.all()
    assert found[0] == pytest.approx(alpha, abs=1e-9)


@pytest.mark.parametrize("exponent", [3.0, 5.3, 7.5, 12.0])
def test_alpha_for_an_exponent_without_polynomials(exponent: float) -> None:
    sigma_b, r_b = biaxial(sheet("DP780"))
    stresses = [*yield_stress(sheet("DP780"), [0, 45, 90]), sigma_b]
    r_values = [*r_value(sheet("DP780"), [0, 45, 90]), r_b]
    alpha, solved = alpha_from_tests(stresses, r_values, exponent)
    assert solved.all()
    found = Yld2000(alpha[0], exponent)
    assert yield_stress(found, [0, 45, 90]) == pytest.approx(stresses[:3], rel=1e-10)
    assert r_value(found, [0, 45, 90]) == pytest.approx(r_values[:3], rel=1e-9)
    assert biaxial(found) == pytest.approx((sigma_b, r_b), rel=1e-9)


def test_tests_that_no_sheet_shows_have_no_alpha() -> None:
    alpha, solved = alpha_from_tests([[1, 1, 1, 1]] * 2, [[1, 1, 1, 1], [1e-3, 9, 1e-3, 30]], 6)
    assert solved.tolist() == [True, False]
    assert np.isnan(alpha[1]).all()
    assert alpha[0] == pytest.approx(np.ones(8), abs=1e-9)


def test_contour_lies_on_the_locus_and_vanishes_beyond_the_shear_strength() -> None:
    points = contour(sheet("DP780"), shear=0.3)
    stresses = np.column_stack((points, np.full(len(points), 0.3)))
    assert derivatives(sheet("DP780"), stresses)[:, 0] == pytest.approx(1.0, abs=1e-9)
    assert len(contour(sheet("DP780"), shear=0.7)) == 0


@pytest.mark.parametrize(
    ("alpha", "said"),
    [
        ((0.0,) * 8, "no finite, positive value"),
        ((np.nan, *(1.0,) * 7), "not a finite number"),
        ((*(1.0,) * 6, 0.0, 0.0), "degenerate"),
        ((2.0, 0.5, 1.5, 1.0, 1.0, 0.5, 1.0, 1.0), "not positive"),
    ],
)
def test_unphysical_sheets_are_said_to_be(alpha: tuple[float, ...], said: str) -> None:
    assert said in defect(Yld2000(np.array(alpha), 6))


@pytest.mark.parametrize("r_values", [(0.0, 1.0, 1.0), (-1.0, 1.0, 1.0), (1e-300, 1.0, 1e300)])
@pytest.mark.parametrize("name", ["hill48", "barlat89"])
def test_r_values_of_no_sheet_are_said_to_be(
    name: YieldFunctionName, r_values: tuple[float, ...]
) -> None:
    assert defect(MATERIALS[name](np.array(r_values), 2)) != ""


def test_published_sheets_are_physical() -> None:
    assert [defect(sheet(name)) for name in PUBLISHED] == [""] * len(PUBLISHED)


@pytest.mark.parametrize(("shape", "exponent"), [((7,), 6), ((8,), 1.5)])
def test_what_cannot_be_evaluated_is_refused(shape: tuple[int], exponent: int) -> None:
    with pytest.raises(UnsupportedMaterial, match=r"shape|exponent"):
        Yld2000(np.ones(shape), exponent)
