"""Barlat and Lian 1989, Int. J. Plasticity 5, 51-66: the "3-parameter Barlat" of crash codes.

    a |K1 + K2|^m + a |K1 - K2|^m + c |2 K2|^m = 2 sigma_bar^m,
    K1 = (s_xx + h s_yy)/2,   K2^2 = ((s_xx - h s_yy)/2)^2 + p^2 s_xy^2

by its r-values: with A = r0/(1 + r0) and B = r90/(1 + r90), a = 2 - 2 sqrt(A B), c = 2 - a and
h = sqrt(A/B); p is the root of r(45 degrees) = r45. sigma_bar is the yield stress in the rolling
direction.
"""

from dataclasses import dataclass
from functools import cached_property
from math import nan, sqrt
from typing import ClassVar

from hpc_jobs.contract.material import YieldFunctionName
from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.fem.materials.yield_function import Forms, YieldFunction

LARGEST_P = 1e6
BISECTIONS = 60


@dataclass(frozen=True, eq=False)
class Barlat89(YieldFunction):
    """Barlat-Lian 1989 with the r-values (3,) at 0, 45 and 90 degrees, all positive."""

    name: ClassVar[YieldFunctionName] = "barlat89"
    tests: ClassVar[tuple[Quantity, ...]] = ("r_value_0", "r_value_45", "r_value_90")
    examples: ClassVar[tuple[tuple[tuple[float, ...], float], ...]] = (
        ((1.0, 1.0, 1.0), 8.0),
        ((1.8, 1.3, 2.1), 6.0),
        ((0.704, 0.482, 0.585), 8.0),  # AA6022-T4's r-values
        ((1.8, 1.3, 2.1), 6.5),
    )

    @cached_property
    def achp(self) -> tuple[float, float, float, float]:
        """The law's a, c, h and p; nan where the r-values give none."""
        r0, r45, r90 = self.parameters.tolist()
        if not 0 < min(r0, r45, r90) <= max(r0, r45, r90) < float("inf"):
            return nan, nan, nan, nan
        along, across = r0 / (1 + r0), r90 / (1 + r90)
        a, h = 2 - 2 * sqrt(along * across), sqrt(along / across)
        try:
            return a, 2 - a, h, _shear_factor(a, h, self.exponent, r45)
        except ArithmeticError:  # r-values so extreme that powers overflow or a slope vanishes
            return nan, nan, nan, nan

    def forms(self) -> Forms:
        """Return d^(m/2) = c |2 K2|^m, M = a^(1/m) K1 and q = a^(2/m) K2^2."""
        a, c, h, p = self.achp
        u, m = c ** (1 / self.exponent), a ** (1 / self.exponent) / 2
        return u, -u * h, 2 * u * p, m, m * h, m, -m * h, 2 * m * p


def _shear_factor(a: float, h: float, m: float, r45: float) -> float:
    """Return the p for which r(45 degrees) = r45, by bisection; nan if there is none.

    With Phi(s) = 2 sigma_bar^m and Phi' its slope along (1, 1, 0), r(45) = m Phi/Phi' - 1 at
    s = (1, 1, 1)/2: below zero for p = 0, and growing with p.
    """
    k1 = (1 + h) / 4

    def excess(p: float) -> float:
        k2 = sqrt(((1 - h) / 4) ** 2 + p * p / 4)
        k2_slope = (1 - h) ** 2 / (8 * k2)
        plus, minus, twice = k1 + k2, abs(k1 - k2), 2 * k2
        phi = a * (plus**m + minus**m) + (2 - a) * twice**m
        signed = minus ** (m - 1) * (1 if k1 >= k2 else -1)
        slope = a * (plus ** (m - 1) * (2 * k1 + k2_slope) + signed * (2 * k1 - k2_slope))
        slope += (2 - a) * twice ** (m - 1) * 2 * k2_slope
        return float(phi / slope - 1 - r45)

    low, high = 0.0, 1.0
    while excess(high) < 0:
        low, high = high, 2 * high
        if high > LARGEST_P:
            return nan
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return 0.5 * (low + high)
