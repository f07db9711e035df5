"""Published sheets that virtual experiments are made of.

Yld2000-2d parameters; stress ratios relative to the rolling direction. The deck is the public
user-material collection of dual-phase steels that gives alpha, stress ratios and r-values.
"""

from dataclasses import dataclass

from hpc_jobs.contract.measurement import Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAlloy:
    """alpha1..alpha8 at the exponent they were published for, and the tests behind them."""

    title: str
    source: str
    exponent: int
    alpha: tuple[float, ...]
    tests: dict[Quantity, float]


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
    ),
}
