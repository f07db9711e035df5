"""Yld2000-2d of Barlat et al., Int. J. Plasticity 19 (2003) 1297-1319, for even exponents.

    Phi = |X1 - X2|^a + |2 Y2 + Y1|^a + |2 Y1 + Y2|^a = 2 sigma_bar^a,  X = L' s,  Y = L'' s

With d = (Xxx - Xyy)^2 + 4 Xxy^2, M = 1.5 (Yxx + Yyy), q = (Yxx - Yyy)^2/4 + Yxy^2 and an even a,
Phi = d^(a/2) + (M + sqrt q)^a + (M - sqrt q)^a is a polynomial in d, M and q: no eigenvectors,
and smooth where eigenvalues coincide. d = u^2 + v^2 and q = w^2 + z^2, where u, w and M are
linear in (s_xx, s_yy), and v and z in s_xy; these eight numbers are the coefficients.
"""

from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import Any, ClassVar, Self

import numpy as np
from numba import float64, types
from numpy.typing import NDArray

from hpc_jobs.contract.material import Material
from hpc_jobs.fem.errors import UnsupportedMaterial
from hpc_jobs.fem.kernel import EVALUATION, VECTOR, kernel

EXPONENTS = (2, 4, 6, 8)
COEFFICIENTS = 9


@kernel(types.void(VECTOR, float64, VECTOR))
def linear_forms(alpha, exponent, c):
    """Write the exponent and the eight linear forms of alpha (8,) into c (9,)."""
    a1, a2, a3, a4, a5, a6, a7, a8 = alpha
    c[0] = exponent
    c[1] = (2 * a1 + a2) / 3  # u = c1 sx + c2 sy
    c[2] = -(a1 + 2 * a2) / 3
    c[3] = 2 * a7  # v = c3 t
    xx_x = (-2 * a3 + 2 * a4 + 8 * a5 - 2 * a6) / 9
    xx_y = (a3 - 4 * a4 - 4 * a5 + 4 * a6) / 9
    yy_x = (4 * a3 - 4 * a4 - 4 * a5 + a6) / 9
    yy_y = (-2 * a3 + 8 * a4 + 2 * a5 - 2 * a6) / 9
    c[4] = 1.5 * (xx_x + yy_x)  # M = c4 sx + c5 sy
    c[5] = 1.5 * (xx_y + yy_y)
    c[6] = 0.5 * (xx_x - yy_x)  # w = c6 sx + c7 sy
    c[7] = 0.5 * (xx_y - yy_y)
    c[8] = a8  # z = c8 t


@kernel(types.UniTuple(float64, 9)(float64, float64, float64, float64))
def _polynomials(a, d, m, q):
    """D = d^(a/2) and G = (m + sqrt q)^a + (m - sqrt q)^a with their derivatives.

    Returns D, D_d, D_dd, G, G_m, G_q, G_mm, G_mq, G_qq.
    """
    mm = m * m
    if a == 2:
        return d, 1.0, 0.0, 2 * (mm + q), 4 * m, 2.0, 4.0, 0.0, 0.0
    if a == 4:
        g = 2 * (mm * mm + 6 * mm * q + q * q)
        g_m = 8 * m * (mm + 3 * q)
        g_q = 4 * (3 * mm + q)
        return d * d, 2 * d, 2.0, g, g_m, g_q, 24 * (mm + q), 24 * m, 4.0
    if a == 6:
        g = 2 * (mm * mm * mm + 15 * q * mm * (mm + q) + q * q * q)
        g_m = 12 * m * (mm * mm + 10 * mm * q + 5 * q * q)
        g_q = 6 * (5 * mm * mm + 10 * mm * q + q * q)
        g_mm = 60 * (mm * mm + 6 * mm * q + q * q)
        g_mq = 120 * m * (mm + q)
        return d * d * d, 3 * d * d, 6 * d, g, g_m, g_q, g_mm, g_mq, 12 * (5 * mm + q)
    m4, qq = mm * mm, q * q
    g = 2 * (m4 * m4 + 28 * m4 * mm * q + 70 * m4 * qq + 28 * mm * q * qq + qq * qq)
    g_m = 16 * m * (m4 * mm + 21 * m4 * q + 35 * mm * qq + 7 * q * qq)
    g_q = 8 * (7 * m4 * mm + 35 * m4 * q + 21 * mm * qq + q * qq)
    g_mm = 112 * (m4 * mm + 15 * m4 * q + 15 * mm * qq + q * qq)
    g_mq = 112 * m * (3 * m4 + 10 * mm * q + 3 * qq)
    g_qq = 8 * (35 * m4 + 42 * mm * q + 3 * qq)
    return d * d * d * d, 4 * d * d * d, 12 * d * d, g, g_m, g_q, g_mm, g_mq, g_qq


@kernel(float64(float64, float64))
def _root(a, x):
    """x^(1/a) by nested roots, which cost a tenth of a power."""
    if a == 2:
        return sqrt(x)
    if a == 4:
        return sqrt(sqrt(x))
    if a == 6:
        return sqrt(np.cbrt(x))
    return sqrt(sqrt(sqrt(x)))


@kernel(EVALUATION(VECTOR, float64, float64, float64))
def evaluate(c, sx, sy, t):
    """Equivalent stress, gradient and Hessian; see base.YieldFunction for the order.

    grad = grad Phi / (2 a sigma_bar^(a-1)),
    Hess = Hess Phi / (2 a sigma_bar^(a-1)) - (a-1) grad grad^T / sigma_bar,
    evaluated on the unit stress, where no power over- or underflows.
    """
    size = sqrt(sx * sx + sy * sy + t * t)
    if size == 0:
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    per_size = 1 / size
    x, y, s = sx * per_size, sy * per_size, t * per_size
    a = c[0]
    u, v = c[1] * x + c[2] * y, c[3] * s
    w, z = c[6] * x + c[7] * y, c[8] * s
    d_, d1, d2, g, g_m, g_q, g_mm, g_mq, g_qq = _polynomials(
        a, u * u + v * v, c[4] * x + c[5] * y, w * w + z * z
    )
    phi = 0.5 * (d_ + g)
    bar = _root(a, phi)
    scale = bar / (2 * a * phi)  # 1 / (2 a sigma_bar^(a-1))
    d_x, d_y, d_t = 2 * u * c[1], 2 * u * c[2], 2 * v * c[3]
    q_x, q_y, q_t = 2 * w * c[6], 2 * w * c[7], 2 * z * c[8]
    n_x = scale * (d1 * d_x + g_m * c[4] + g_q * q_x)
    n_y = scale * (d1 * d_y + g_m * c[5] + g_q * q_y)
    n_t = scale * (d1 * d_t + g_q * q_t)
    # The chain rule's inner products: r = g_mm m + g_mq q' and o = g_mq m + g_qq q'
    r_x, r_y, r_t = g_mm * c[4] + g_mq * q_x, g_mm * c[5] + g_mq * q_y, g_mq * q_t
    o_x, o_y, o_t = g_mq * c[4] + g_qq * q_x, g_mq * c[5] + g_qq * q_y, g_qq * q_t
    e, f, b = 2 * d1, 2 * g_q, per_size * (a - 1) / bar
    scale *= per_size
    h_xx = d2 * d_x * d_x + e * c[1] * c[1] + c[4] * r_x + q_x * o_x + f * c[6] * c[6]
    h_xy = d2 * d_x * d_y + e * c[1] * c[2] + c[4] * r_y + q_x * o_y + f * c[6] * c[7]
    h_yy = d2 * d_y * d_y + e * c[2] * c[2] + c[5] * r_y + q_y * o_y + f * c[7] * c[7]
    h_xt = d2 * d_x * d_t + c[4] * r_t + q_x * o_t
    h_yt = d2 * d_y * d_t + c[5] * r_t + q_y * o_t
    h_tt = d2 * d_t * d_t + e * c[3] * c[3] + q_t * o_t + f * c[8] * c[8]
    return (
        bar * size,
        n_x,
        n_y,
        n_t,
        scale * h_xx - b * n_x * n_x,
        scale * h_xy - b * n_x * n_y,
        scale * h_xt - b * n_x * n_t,
        scale * h_yy - b * n_y * n_y,
        scale * h_yt - b * n_y * n_t,
        scale * h_tt - b * n_t * n_t,
    )


@dataclass(frozen=True, eq=False)
class Yld2000:
    """Yld2000-2d with alpha (8,) and exponent a, 6 for bcc and 8 for fcc metals.

    All alpha one and a = 2 is von Mises. Raises UnsupportedMaterial.
    """

    alpha: NDArray[np.float64]
    exponent: int

    evaluate: ClassVar[Any] = staticmethod(evaluate)
    examples: ClassVar[tuple[tuple[tuple[float, ...], int], ...]] = (
        ((1.0,) * 8, 2),
        ((1.0,) * 8, 4),
        ((0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556), 6),
        ((0.4865, 1.3783, 0.7536, 1.0246, 1.0363, 0.9036, 1.2321, 1.4858), 8),
    )

    def __post_init__(self) -> None:
        alpha = np.ascontiguousarray(self.alpha, dtype=np.float64)
        if alpha.shape != (8,):
            raise UnsupportedMaterial(f"alpha has shape {alpha.shape}; Yld2000-2d takes (8,)")
        if self.exponent not in EXPONENTS:
            raise UnsupportedMaterial(
                f"exponent is {self.exponent}; Yld2000-2d here takes one of {EXPONENTS}"
            )
        object.__setattr__(self, "alpha", alpha)

    @cached_property
    def coefficients(self) -> NDArray[np.float64]:
        """Exponent and linear forms."""
        c = np.empty(COEFFICIENTS)
        linear_forms(self.alpha, float(self.exponent), c)
        return c

    @classmethod
    def of(cls, parameters: NDArray[np.float64], material: Material) -> Self:
        """From alpha1..alpha8 and the campaign's exponent."""
        return cls(parameters, material.exponent)
