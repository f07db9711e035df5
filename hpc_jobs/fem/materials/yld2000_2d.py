"""Yld2000-2d of Barlat et al., Int. J. Plasticity 19 (2003) 1297-1319.

    |X1 - X2|^a + |2 Y2 + Y1|^a + |2 Y1 + Y2|^a = 2 sigma_bar^a,   X = L' s,   Y = L'' s

With d = (Xxx - Xyy)^2 + 4 Xxy^2, M = 1.5 (Yxx + Yyy) and q = (Yxx - Yyy)^2/4 + Yxy^2 the three
terms are d^(a/2), |M - sqrt q|^a and |M + sqrt q|^a: no eigenvectors.
"""

from dataclasses import dataclass
from typing import ClassVar, get_args

from hpc_jobs.contract.material import YieldFunctionName
from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.fem.materials.yield_function import Forms, YieldFunction


def linear_forms(
    a1: float, a2: float, a3: float, a4: float, a5: float, a6: float, a7: float, a8: float
) -> Forms:
    """Return the eight forms of alpha1..alpha8; plain arithmetic, which numba compiles as well."""
    xx_x = (-2 * a3 + 2 * a4 + 8 * a5 - 2 * a6) / 9  # L''
    xx_y = (a3 - 4 * a4 - 4 * a5 + 4 * a6) / 9
    yy_x = (4 * a3 - 4 * a4 - 4 * a5 + a6) / 9
    yy_y = (-2 * a3 + 8 * a4 + 2 * a5 - 2 * a6) / 9
    return (
        (2 * a1 + a2) / 3,
        -(a1 + 2 * a2) / 3,
        2 * a7,
        1.5 * (xx_x + yy_x),
        1.5 * (xx_y + yy_y),
        0.5 * (xx_x - yy_x),
        0.5 * (xx_y - yy_y),
        a8,
    )


@dataclass(frozen=True, eq=False)
class Yld2000(YieldFunction):
    """Yld2000-2d with alpha (8,) and exponent a, 6 for bcc and 8 for fcc metals.

    All alpha one and a = 2 is von Mises.
    """

    name: ClassVar[YieldFunctionName] = "yld2000_2d"
    tests: ClassVar[tuple[Quantity, ...]] = get_args(Quantity)
    examples: ClassVar[tuple[tuple[tuple[float, ...], float], ...]] = (
        ((1.0,) * 8, 2.0),
        ((1.0,) * 8, 4.0),
        ((0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556), 6.0),
        ((0.4865, 1.3783, 0.7536, 1.0246, 1.0363, 0.9036, 1.2321, 1.4858), 8.0),
        ((0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556), 5.3),
    )

    def forms(self) -> Forms:
        """Return the rows of L' and L'' as sums and differences."""
        return linear_forms(*self.parameters.tolist())
