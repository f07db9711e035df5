"""Yield functions against published, analytic and independently computed values."""

from collections.abc import Iterator

import numpy as np

from benchmarks.verification.check import Check
from hpc_jobs.fem.materials.barlat89 import Barlat89
from hpc_jobs.fem.materials.hill48 import Hill48
from hpc_jobs.fem.materials.yield_function import YieldFunction
from hpc_jobs.fem.materials.yield_locus import (
    alpha_from_tests,
    biaxial,
    plane_strain,
    pure_shear,
    r_value,
    yield_stress,
)
from hpc_jobs.fem.materials.yld2000_2d import Yld2000

BARLAT_2003 = "Barlat et al. 2003, Table 3"
UMAT = "public UMAT deck"
PROTOTYPE = "independent prototype"

# name: source, exponent, alpha, (sigma0, sigma45, sigma90, sigma_b) over k, (r0, r45, r90, r_b)
SHEETS: dict[str, tuple[str, float, tuple[float, ...], tuple[float, ...], tuple[float, ...]]] = {
    "AA2090-T3": (
        BARLAT_2003, 8,
        (0.4865, 1.3783, 0.7536, 1.0246, 1.0363, 0.9036, 1.2321, 1.4858),
        (1.0, 0.811, 0.910, 1.035), (0.211, 1.580, 0.692, 0.670),
    ),
    "AA2090-T3, L''12 = L''21": (
        BARLAT_2003, 8,
        (0.3788, 1.4712, 0.8452, 1.0289, 1.0243, 0.8452, 1.2314, 1.4747),
        (1.0, 0.811, 0.910, 1.035), (0.211, 1.580, 0.692, 1.040),
    ),
    "AA6022-T4, L''12 = L''21": (
        BARLAT_2003, 8,
        (0.9355, 1.0350, 0.9337, 1.0539, 1.0102, 0.9337, 0.9594, 1.1828),
        (0.994, 0.962, 0.948, 1.000), (0.704, 0.482, 0.585, 1.377),
    ),
    "DP780": (
        UMAT, 6,
        (0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556),
        (1.0, 0.991, 1.022, 1.010), (0.776, 1.103, 0.913, 0.887),
    ),
    "TR1180": (
        UMAT, 6,
        (1.02736, 0.939644, 0.962783, 0.983882, 0.986196, 0.939192, 0.98523, 1.01359),
        (1.0, 1.011, 1.020, 1.027), (0.983, 0.990, 0.953, 1.005),
    ),
}  # fmt: skip
CURVE_DEG = np.arange(0, 91, 15)
CURVE_STRESS = (1, 0.9568, 0.8671, 0.8110, 0.8206, 0.8753, 0.9100)
CURVE_R = (0.211, 0.406, 1.065, 1.580, 1.350, 0.888, 0.692)
ISOTROPIC = {2: (1.1547, 0.5774), 6: (1.1167, 0.5584), 8: (1.0894, 0.5447)}
R_VALUES = (1.8, 1.3, 2.1)


def sheet(name: str) -> Yld2000:
    """One of SHEETS."""
    _, exponent, alpha, _, _ = SHEETS[name]
    return Yld2000(np.array(alpha), exponent)


def checks() -> Iterator[Check]:
    """Compare every published and computed value of a yield function."""
    for name in SHEETS:
        yield from _published(name)
    yield from _curve()
    yield from _isotropic()
    yield from _barlat89()
    yield from _hill48()
    yield from _recovered()


def _published(name: str) -> Iterator[Check]:
    source, exponent, _, stresses, r_values = SHEETS[name]
    sigma_b, r_b = biaxial(sheet(name))
    found = [*yield_stress(sheet(name), [0, 45, 90]), sigma_b]
    found += [*r_value(sheet(name), [0, 45, 90]), r_b]
    labels = ("σ0", "σ45", "σ90", "σb", "r0", "r45", "r90", "rb")
    for label, value, ours in zip(labels, (*stresses, *r_values), found, strict=True):
        yield Check(
            group=f"Yld2000-2d, {name}, a = {exponent:g}", name=label, source=source,
            expected=value, found=float(ours), tolerance=5e-4, digits=3,
        )  # fmt: skip


def _curve() -> Iterator[Check]:
    group, aa2090 = "Yld2000-2d, AA2090-T3 over the angle", sheet("AA2090-T3")
    for angle, value in zip(CURVE_DEG, CURVE_STRESS, strict=True):
        yield Check(
            group=group, name=f"σ({angle}°)", source=PROTOTYPE, expected=value,
            found=float(yield_stress(aa2090, [angle])[0]), tolerance=5e-5,
        )  # fmt: skip
    for angle, value in zip(CURVE_DEG, CURVE_R, strict=True):
        yield Check(
            group=group, name=f"r({angle}°)", source=PROTOTYPE, expected=value,
            found=float(r_value(aa2090, [angle])[0]), tolerance=5e-4, digits=3,
        )  # fmt: skip


def _isotropic() -> Iterator[Check]:
    for exponent, (strain, shear) in ISOTROPIC.items():
        material = Yld2000(np.ones(8), exponent)
        for label, value, ours in (
            ("plane strain", strain, plane_strain(material)[0]),
            ("shear", shear, pure_shear(material)),
        ):
            yield Check(
                group="Yld2000-2d, all α = 1", name=f"{label}, a = {exponent}", source="analytic",
                expected=value, found=float(ours), tolerance=5e-5,
            )  # fmt: skip


def _barlat89() -> Iterator[Check]:
    material = Barlat89(np.array(R_VALUES), 6)
    constants = zip("achp", (0.68018, 1.31982, 0.97416, 0.89146), material.achp, strict=True)
    values = {name: (value, ours) for name, value, ours in constants}
    values |= _strengths(material, (1.09982, 1.02653, 1.07984))
    yield from _computed("Barlat-Lian 1989, R 1.8, 1.3, 2.1, m = 6", values)


def _hill48() -> Iterator[Check]:
    material = Hill48(np.array(R_VALUES), 2)
    yield from _computed(
        "Hill 1948, R 1.8, 1.3, 2.1", _strengths(material, (1.14501, 1.02653, 1.22788))
    )


def _strengths(
    material: YieldFunction, expected: tuple[float, float, float]
) -> dict[str, tuple[float, float]]:
    found = (*yield_stress(material, [45, 90]), biaxial(material)[0])
    labels = ("σ45", "σ90", "σb")
    return {k: (v, float(ours)) for k, v, ours in zip(labels, expected, found, strict=True)}


def _computed(group: str, values: dict[str, tuple[float, float]]) -> Iterator[Check]:
    for label, (value, ours) in values.items():
        yield Check(
            group=group, name=label, source=PROTOTYPE, expected=value, found=ours,
            tolerance=5e-6, digits=5,
        )  # fmt: skip


def _recovered() -> Iterator[Check]:
    for name, (_, exponent, alpha, _, _) in SHEETS.items():
        sigma_b, r_b = biaxial(sheet(name))
        stresses = [*yield_stress(sheet(name), [0, 45, 90]), sigma_b]
        r_values = [*r_value(sheet(name), [0, 45, 90]), r_b]
        found, _ = alpha_from_tests(stresses, r_values, exponent)
        yield Check(
            group="α from the mechanical tests that it predicts", name=f"largest error, {name}",
            source="identity", expected=0.0, found=float(np.abs(found[0] - alpha).max()),
            tolerance=1e-9, digits=0,
        )  # fmt: skip
