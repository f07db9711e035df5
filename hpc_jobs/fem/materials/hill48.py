"""Hill 1948, Proc. R. Soc. A 193, 281-297, in plane stress, by its r-values.

    sigma_bar^2 = H (s_xx - s_yy)^2 + G s_xx^2 + F s_yy^2 + 2 N s_xy^2,
    G = 1/(1 + r0), H = r0 G, F = r0 G/r90, N = (r0 + r90)(1 + 2 r45) G/(2 r90).

G + H = 1: sigma_bar is the yield stress in the rolling direction.
"""

from dataclasses import dataclass
from math import nan, sqrt
from typing import ClassVar

from hpc_jobs.contract.material import YieldFunctionName
from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.fem.materials.yield_function import Forms, YieldFunction


@dataclass(frozen=True, eq=False)
class Hill48(YieldFunction):
    """Hill 1948 with the r-values (3,) at 0, 45 and 90 degrees, all positive; exponent 2."""

    exponent: float = 2.0

    name: ClassVar[YieldFunctionName] = "hill48"
    tests: ClassVar[tuple[Quantity, ...]] = ("r_value_0", "r_value_45", "r_value_90")
    examples: ClassVar[tuple[tuple[tuple[float, ...], float], ...]] = (
        ((1.0, 1.0, 1.0), 2.0),
        ((1.8, 1.3, 2.1), 2.0),
        ((0.776, 1.103, 0.913), 2.0),  # DP780's r-values
    )

    def forms(self) -> Forms:
        """Return d/2 = H (s_xx - s_yy)^2 + 2 N s_xy^2, M^2 = G s_xx^2 and q = F s_yy^2."""
        r0, r45, r90 = self.parameters.tolist()
        if not min(r0, r45, r90) > 0:
            return (nan,) * 8
        g = 1 / (1 + r0)
        h, f, n = r0 * g, r0 * g / r90, (r0 + r90) * (1 + 2 * r45) * g / (2 * r90)
        u = sqrt(2 * h)
        return u, -u, 2 * sqrt(n), sqrt(g), 0.0, 0.0, sqrt(f), 0.0
