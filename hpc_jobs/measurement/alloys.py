"""Sheets that virtual experiments are made of: published ones, and ones typical of their grade.

Yld2000-2d parameters; stress ratios relative to the rolling direction. The deck is the public
user-material collection of dual-phase steels that gives alpha, stress ratios and r-values. Young's
modulus and hardening are the sheet's own in campaigns of families; where no curve was published
with the anisotropy, `curve` says that it is one typical of the grade.
"""

from dataclasses import dataclass

from hpc_jobs.contract.material import Hardening, HockettSherby, Swift, Voce
from hpc_jobs.contract.measurement import Quantity

TYPICAL = "typical of the grade"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAlloy:
    """alpha1..alpha8 at the exponent they were published for, and the tests behind them.

    A sheet of which mechanical values alone are known has no alpha: they are solved for it.
    """

    title: str
    source: str
    exponent: int
    alpha: tuple[float, ...] | None
    tests: dict[Quantity, float]
    youngs_modulus_mpa: float
    hardening: Hardening
    curve: str  # where the hardening comes from


ALLOYS: dict[str, PublishedAlloy] = {
    "dp780": PublishedAlloy(
        title="DP780 dual-phase steel",
        source="public Yld2000-2d user-material deck",
        exponent=6,
        alpha=(0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556),
        tests={
            "stress_ratio_45": 0.991,
            "stress_ratio_90": 1.022,
            "stress_ratio_biaxial": 1.010,
            "r_value_0": 0.776,
            "r_value_45": 1.103,
            "r_value_90": 0.913,
            "r_value_biaxial": 0.887,
        },
        youngs_modulus_mpa=200_000,
        hardening=HockettSherby(
            saturation_stress_mpa=1125.76, yield_stress_mpa=317.907, rate=4.9711, exponent=0.45262
        ),
        curve="the same deck",
    ),
    "tr1180": PublishedAlloy(
        title="TR1180 TRIP steel",
        source="public Yld2000-2d user-material deck",
        exponent=6,
        alpha=(1.02736, 0.939644, 0.962783, 0.983882, 0.986196, 0.939192, 0.98523, 1.01359),
        tests={
            "stress_ratio_45": 1.011,
            "stress_ratio_90": 1.020,
            "stress_ratio_biaxial": 1.027,
            "r_value_0": 0.983,
            "r_value_45": 0.990,
            "r_value_90": 0.953,
            "r_value_biaxial": 1.005,
        },
        youngs_modulus_mpa=205_000,
        hardening=Swift(strength_mpa=1690.0, prestrain=0.0008, exponent=0.095),
        curve=TYPICAL,
    ),
    "aa2090": PublishedAlloy(
        title="AA2090-T3 aluminium-lithium",
        source="Barlat et al. 2003, Int. J. Plasticity 19, measured r_b",
        exponent=8,
        alpha=(0.4865, 1.3783, 0.7536, 1.0246, 1.0363, 0.9036, 1.2321, 1.4858),
        tests={
            "stress_ratio_45": 0.811,
            "stress_ratio_90": 0.910,
            "stress_ratio_biaxial": 1.035,
            "r_value_0": 0.211,
            "r_value_45": 1.580,
            "r_value_90": 0.692,
            "r_value_biaxial": 0.670,
        },
        youngs_modulus_mpa=70_000,
        hardening=Swift(strength_mpa=646.0, prestrain=0.025, exponent=0.227),
        curve="Barlat et al. 2003",
    ),
    "aa6022": PublishedAlloy(
        title="AA6022-T4 aluminium",
        source="Barlat et al. 2003, Int. J. Plasticity 19, L''12 = L''21",
        exponent=8,
        alpha=(0.9355, 1.0350, 0.9337, 1.0539, 1.0102, 0.9337, 0.9594, 1.1828),
        tests={
            "stress_ratio_45": 0.962 / 0.994,
            "stress_ratio_90": 0.948 / 0.994,
            "stress_ratio_biaxial": 1.000 / 0.994,
            "r_value_0": 0.704,
            "r_value_45": 0.482,
            "r_value_90": 0.585,
            "r_value_biaxial": 1.377,
        },
        youngs_modulus_mpa=70_000,
        hardening=Voce(yield_stress_mpa=136.0, saturation_mpa=205.0, rate=10.0),
        curve=TYPICAL,
    ),
    "dp600": PublishedAlloy(
        title="DP600 dual-phase steel",
        source=TYPICAL,
        exponent=6,
        alpha=None,
        tests={
            "stress_ratio_45": 1.01,
            "stress_ratio_90": 1.01,
            "stress_ratio_biaxial": 1.02,
            "r_value_0": 0.85,
            "r_value_45": 0.92,
            "r_value_90": 1.05,
            "r_value_biaxial": 0.92,
        },
        youngs_modulus_mpa=208_000,
        hardening=Swift(strength_mpa=1050.0, prestrain=0.0018, exponent=0.172),
        curve=TYPICAL,
    ),
    "dc04": PublishedAlloy(
        title="DC04 deep-drawing steel",
        source=TYPICAL,
        exponent=6,
        alpha=None,
        tests={
            "stress_ratio_45": 1.03,
            "stress_ratio_90": 0.99,
            "stress_ratio_biaxial": 1.15,
            "r_value_0": 1.75,
            "r_value_45": 1.35,
            "r_value_90": 2.05,
            "r_value_biaxial": 0.88,
        },
        youngs_modulus_mpa=206_000,
        hardening=Swift(strength_mpa=545.0, prestrain=0.0055, exponent=0.225),
        curve=TYPICAL,
    ),
}
