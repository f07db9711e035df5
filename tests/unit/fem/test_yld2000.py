"""Yld2000-2d against published and analytic values."""

import numpy as np
import pytest

from hpc_jobs.fem.admissible import defect
from hpc_jobs.fem.errors import UnsupportedMaterial
from hpc_jobs.fem.materials.yld2000_2d import Yld2000
from hpc_jobs.fem.yield_locus import (
    alpha_from_tests,
    biaxial,
    contour,
    derivatives,
    r_value,
    yield_stress,
)

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
HALF_A_DIGIT = 6e-4


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
    assert yield_stress(sheet("AA2090-T3"), angles) == pytest.approx(stress, abs=1e-4)
    assert r_value(sheet("AA2090-T3"), angles) == pytest.approx(r, abs=HALF_A_DIGIT)


@pytest.mark.parametrize(
    ("exponent", "plane_strain", "shear"),
    [(2, 1.1547, 0.5774), (6, 1.1167, 0.5584), (8, 1.0894, 0.5447)],
)
def test_isotropic_plane_strain_and_shear(exponent: int, plane_strain: float, shear: float) -> None:
    material = Yld2000(np.ones(8), exponent)
    ratio = np.linspace(0.2, 0.8, 20001)
    stresses = np.stack((np.ones_like(ratio), ratio, np.zeros_like(ratio)), axis=-1)
    values = derivatives(material, stresses)
    no_width_strain = np.argmin(np.abs(values[:, 2]))
    assert 1 / values[no_width_strain, 0] == pytest.approx(plane_strain, abs=1e-4)
    assert 1 / derivatives(material, [(0, 0, 1)])[0, 0] == pytest.approx(shear, abs=1e-4)


@pytest.mark.parametrize("name", PUBLISHED)
def test_alpha_is_recovered_from_the_tests_it_predicts(name: str) -> None:
    exponent, alpha, _, _ = PUBLISHED[name]
    sigma_b, r_b = biaxial(sheet(name))
    stresses = [*yield_stress(sheet(name), [0, 45, 90]), sigma_b]
    found, solved = alpha_from_tests(stresses, [*r_value(sheet(name), [0, 45, 90]), r_b], exponent)
    assert solved.all()
    assert found[0] == pytest.approx(alpha, abs=1e-9)


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


def test_published_sheets_are_physical() -> None:
    assert [defect(sheet(name)) for name in PUBLISHED] == [""] * len(PUBLISHED)


@pytest.mark.parametrize(("shape", "exponent"), [((7,), 6), ((8,), 1.5)])
def test_what_cannot_be_evaluated_is_refused(shape: tuple[int], exponent: int) -> None:
    with pytest.raises(UnsupportedMaterial, match=r"shape|exponent"):
        Yld2000(np.ones(shape), exponent)
