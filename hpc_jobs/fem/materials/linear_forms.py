"""The one kernel of all yield functions: sigma_bar, its gradient and Hessian; see base.py.

    grad = grad Phi / (2 a sigma_bar^(a-1)),
    Hess = Hess Phi / (2 a sigma_bar^(a-1)) - (a-1) grad grad^T / sigma_bar,

evaluated on the unit stress, where no power over- or underflows.
"""

from math import sqrt

from numba import float64, types

from hpc_jobs.fem.kernel import EVALUATION, VECTOR, kernel
from hpc_jobs.fem.materials.powers import powers, root

_TABLE = float64[:, ::1]


@kernel(EVALUATION(VECTOR, float64, float64, float64))
def evaluate(c, sx, sy, t):
    """Equivalent stress, gradient and Hessian from the coefficients (9,) of a yield function.

    Returns sigma_bar, n_x, n_y, n_t, h_xx, h_xy, h_xt, h_yy, h_yt, h_tt: n and h are derivatives
    with respect to the three stresses, the shear counted once (n_t is an engineering shear).
    """
    size = sqrt(sx * sx + sy * sy + t * t)
    if size == 0:
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    per_size = 1 / size
    x, y, s = sx * per_size, sy * per_size, t * per_size
    a = c[0]
    u, v = c[1] * x + c[2] * y, c[3] * s
    w, z = c[6] * x + c[7] * y, c[8] * s
    d_, d1, d2, g, g_m, g_q, g_mm, g_mq, g_qq = powers(
        a, u * u + v * v, c[4] * x + c[5] * y, w * w + z * z
    )
    phi = 0.5 * (d_ + g)
    bar = root(a, phi)
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


@kernel(types.void(VECTOR, _TABLE, _TABLE))
def evaluate_all(c, stresses, results):
    """Evaluate at the rows of stresses (n, 3), into rows (n, 10) of results."""
    for i in range(stresses.shape[0]):
        values = evaluate(c, stresses[i, 0], stresses[i, 1], stresses[i, 2])
        for j in range(10):
            results[i, j] = values[j]
