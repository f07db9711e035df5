"""Plane-stress return mapping, fully implicit, with its consistent tangent.

Unknowns are the stress s and the plastic increment dp, residuals

    R = S (s - s_trial) + dp n(s),    rho = sigma_bar(s) - k(p + dp),

S the elastic compliance. With Xi = (S + dp H)^-1 a Newton step is

    ddp = (rho - n Xi R) / (n Xi n + k'),    ds = -Xi (R + ddp n),

and the tangent Xi - Xi n (Xi n)^T / (n Xi n + k'). Simo and Hughes 1998, ch. 3.
"""

from math import sqrt

from numba import float64, int64, types

from hpc_jobs.fem.kernel import EVALUATION, VECTOR, kernel
from hpc_jobs.fem.materials.flow_stress import flow_stress
from hpc_jobs.fem.materials.linear_forms import evaluate

OK, FAILED = 0, 1
ITERATIONS = 40
HALVINGS = 12
TOLERANCE = 1e-10  # strain; round-off of the residuals lies near 1e-16

_THREE = types.UniTuple(float64, 3)
_SIX = types.UniTuple(float64, 6)
_SOLUTION = types.Tuple((int64, float64, float64, float64, float64, *([float64] * 6)))


@kernel(_SIX(*([float64] * 6)))
def _inverse(xx, xy, xt, yy, yt, tt):
    """Inverse of a symmetric 3 x 3 matrix, six entries in and out."""
    i_xx, i_xy, i_xt = yy * tt - yt * yt, xt * yt - xy * tt, xy * yt - xt * yy
    d = 1 / (xx * i_xx + xy * i_xy + xt * i_xt)
    i_yy, i_yt, i_tt = xx * tt - xt * xt, xy * xt - xx * yt, xx * yy - xy * xy
    return d * i_xx, d * i_xy, d * i_xt, d * i_yy, d * i_yt, d * i_tt


@kernel(types.UniTuple(float64, 3)(float64, float64, float64, float64, float64))
def elastic_stress(young, poisson, e_x, e_y, g):
    """Hooke's law in plane stress; g is the engineering shear."""
    factor = young / (1 - poisson * poisson)
    return (
        factor * (e_x + poisson * e_y),
        factor * (e_y + poisson * e_x),
        young / (2 * (1 + poisson)) * g,
    )


@kernel(types.UniTuple(float64, 3)(float64, float64, float64, float64, float64))
def elastic_strain(young, poisson, sx, sy, t):
    """Inverse of Hooke's law in plane stress."""
    return (
        (sx - poisson * sy) / young,
        (sy - poisson * sx) / young,
        2 * (1 + poisson) / young * t,
    )


@kernel(_SOLUTION(VECTOR, VECTOR, float64, float64, _THREE, float64, _THREE, EVALUATION))
def _project(c, law, young, poisson, trial, p, start, evaluated):
    """Project a trial stress outside the yield surface onto it, from the direction of `start`.

    evaluated is the yield function at `start`; both are scaled, not evaluated again.
    """
    sx_trial, sy_trial, t_trial = trial
    s_xx, s_xy, s_tt = 1 / young, -poisson / young, 2 * (1 + poisson) / young
    bar, n_x, n_y, n_t, h_xx, h_xy, h_xt, h_yy, h_yt, h_tt = evaluated
    # First dp: consistency along a fixed n, a scalar equation, which a steep law makes worthwhile.
    d_x, d_y, d_t = elastic_stress(young, poisson, n_x, n_y, n_t)
    stiffness = n_x * d_x + n_y * d_y + n_t * d_t
    along = n_x * sx_trial + n_y * sy_trial + n_t * t_trial
    dp = 0.0
    k, slope = flow_stress(law, p)
    for _ in range(ITERATIONS):
        dp += (along - stiffness * dp - k) / (stiffness + slope)
        k, slope = flow_stress(law, p + dp)
        if abs(along - stiffness * dp - k) < 1e-3 * k:
            break
    ratio = k / bar
    sx, sy, t = ratio * start[0], ratio * start[1], ratio * start[2]
    h_xx, h_xy, h_xt = h_xx / ratio, h_xy / ratio, h_xt / ratio
    h_yy, h_yt, h_tt = h_yy / ratio, h_yt / ratio, h_tt / ratio
    bar = k
    unit = sqrt(sx * sx + sy * sy + t * t) / (
        k * young
    )  # makes rho a strain, whatever alpha's scale
    merit = 1e300
    step = 0.0
    step_x, step_y, step_t, step_p = 0.0, 0.0, 0.0, 0.0
    for _ in range(ITERATIONS):
        e_x, e_y, e_t = elastic_strain(young, poisson, sx - sx_trial, sy - sy_trial, t - t_trial)
        r_x, r_y, r_t = e_x + dp * n_x, e_y + dp * n_y, e_t + dp * n_t
        rho = bar - k
        found = sqrt(r_x * r_x + r_y * r_y + r_t * r_t + (unit * rho) ** 2)
        if not found < merit and step > 0.5**HALVINGS:
            # Not better: walk back along the last step.
            step = 0.5 * step
            sx, sy, t = sx - step * step_x, sy - step * step_y, t - step * step_t
            dp = dp - step * step_p
        else:
            merit = found
            x_xx, x_xy, x_xt, x_yy, x_yt, x_tt = _inverse(
                s_xx + dp * h_xx,
                s_xy + dp * h_xy,
                dp * h_xt,
                s_xx + dp * h_yy,
                dp * h_yt,
                s_tt + dp * h_tt,
            )
            m_x = x_xx * n_x + x_xy * n_y + x_xt * n_t  # Xi n
            m_y = x_xy * n_x + x_yy * n_y + x_yt * n_t
            m_t = x_xt * n_x + x_yt * n_y + x_tt * n_t
            b = 1 / (n_x * m_x + n_y * m_y + n_t * m_t + slope)
            if merit < TOLERANCE:
                return (
                    OK,
                    sx,
                    sy,
                    t,
                    p + dp,
                    x_xx - b * m_x * m_x,
                    x_xy - b * m_x * m_y,
                    x_xt - b * m_x * m_t,
                    x_yy - b * m_y * m_y,
                    x_yt - b * m_y * m_t,
                    x_tt - b * m_t * m_t,
                )
            step_p = b * (rho - m_x * r_x - m_y * r_y - m_t * r_t)
            r_x, r_y, r_t = r_x + step_p * n_x, r_y + step_p * n_y, r_t + step_p * n_t
            step_x = -(x_xx * r_x + x_xy * r_y + x_xt * r_t)
            step_y = -(x_xy * r_x + x_yy * r_y + x_yt * r_t)
            step_t = -(x_xt * r_x + x_yt * r_y + x_tt * r_t)
            step = 1.0
            if dp + step_p <= 0:  # the increment stays positive
                step = -0.9 * dp / step_p
            sx, sy, t = sx + step * step_x, sy + step * step_y, t + step * step_t
            dp = dp + step * step_p
        bar, n_x, n_y, n_t, h_xx, h_xy, h_xt, h_yy, h_yt, h_tt = evaluate(c, sx, sy, t)
        k, slope = flow_stress(law, p + dp)
    return FAILED, sx, sy, t, p + dp, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0


@kernel(_SOLUTION(VECTOR, VECTOR, float64, float64, _THREE, float64, float64, int64))
def _in_pieces(c, law, young, poisson, trial, p, ratio, pieces):
    """Project a trial stress in equal pieces, from where its ray meets the yield surface."""
    share = (1 - ratio) / pieces
    now = (ratio * trial[0], ratio * trial[1], ratio * trial[2])
    solution = (FAILED, 0.0, 0.0, 0.0, p, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for _ in range(pieces):
        point = (now[0] + share * trial[0], now[1] + share * trial[1], now[2] + share * trial[2])
        solution = _project(c, law, young, poisson, point, p, point, evaluate(c, *point))
        if solution[0] != OK:
            break
        now, p = (solution[1], solution[2], solution[3]), solution[4]
    return solution


@kernel(_SOLUTION(VECTOR, VECTOR, float64, float64, _THREE, float64, _THREE))
def return_map(c, law, young, poisson, strain, p, last):
    """Stress for the elastic trial strain (e_x, e_y, g) in rolling axes, g engineering shear.

    c are the yield function's coefficients, law the hardening array, p the plastic strain and
    last the stress (MPa) of the last converged step, whose direction is a good start.
    Returns status, s_x, s_y, s_t (MPa), p, and the tangent d_xx, d_xy, d_xt, d_yy, d_yt, d_tt.
    What does not converge at once is approached in 4, then 16 pieces from the yield surface.
    """
    sx, sy, t = elastic_stress(young, poisson, strain[0], strain[1], strain[2])
    trial = (sx, sy, t)
    k, _ = flow_stress(law, p)
    evaluated = evaluate(c, last[0], last[1], last[2])
    # sigma_bar is convex and of degree one: n(last) . trial bounds sigma_bar(trial) from below.
    if evaluated[1] * sx + evaluated[2] * sy + evaluated[3] * t > k:
        solution = _project(c, law, young, poisson, trial, p, last, evaluated)
        if solution[0] == OK:
            return solution
    evaluated = evaluate(c, sx, sy, t)
    if evaluated[0] <= k:
        factor = young / (1 - poisson * poisson)
        shear = young / (2 * (1 + poisson))
        return OK, sx, sy, t, p, factor, poisson * factor, 0.0, factor, 0.0, shear
    solution = _project(c, law, young, poisson, trial, p, trial, evaluated)
    pieces = 4
    while solution[0] != OK and pieces <= 16:
        solution = _in_pieces(c, law, young, poisson, trial, p, k / evaluated[0], pieces)
        pieces *= 4
    return solution
