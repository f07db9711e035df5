"""One integration point: deformation gradient in, stress, tangent and new state out."""

from numba import float64, int64, types

from hpc_jobs.fem.kernel import VECTOR, kernel
from hpc_jobs.fem.reference.log_strain import (
    hencky,
    piola_kirchhoff,
    to_mean_difference,
    turn,
    turn_tangent,
)
from hpc_jobs.fem.reference.return_map import FAILED, elastic_strain, return_map

INVERTED = 2
STATE = 7
"""Plastic strain xx, yy, shear and p; stress xx, yy, xy: all in rolling axes."""

_UPDATE = types.Tuple((int64, *([float64] * 11), types.UniTuple(float64, STATE)))


@kernel(
    _UPDATE(VECTOR, VECTOR, VECTOR, *([float64] * 4), VECTOR),
)
def update(c, law, elastic, f_xx, f_xy, f_yx, f_yy, state):
    """Stress, tangent and new state of a point with deformation gradient F, specimen axes.

    elastic is (E, nu, cos 2 theta, sin 2 theta), theta from the rolling direction to the
    specimen's axis; state (STATE,) that of the last converged step, only read.
    Returns status; s_xx, s_yy, s_xy; tangent xx, xy, xt, yy, yt, tt; ln U xx and yy; new state.
    """
    young, poisson, cos2, sin2 = elastic
    if not f_xx * f_yy - f_xy * f_yx > 0:
        nothing = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        return INVERTED, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, nothing
    c_xx, c_yy = f_xx * f_xx + f_yx * f_yx, f_xy * f_xy + f_yy * f_yy
    c_xy = f_xx * f_xy + f_yx * f_yy
    e_sum, e_diff, gamma, mean, x, cos_c, sin_c = hencky(c_xx, c_yy, c_xy)
    d, g = turn(e_diff, gamma, cos2, -sin2)
    e_x, e_y = 0.5 * (e_sum + d), 0.5 * (e_sum - d)
    trial = (e_x - state[0], e_y - state[1], g - state[2])
    last = (state[4], state[5], state[6])
    solution = return_map(c, law, young, poisson, trial, state[3], last)
    _, t_x, t_y, t_t, p = solution[:5]
    a_x, a_y, a_t = elastic_strain(young, poisson, t_x, t_y, t_t)
    t_diff, t_shear = turn(0.5 * (t_x - t_y), t_t, cos2, sin2)
    tangent = turn_tangent(*to_mean_difference(*solution[5:]), cos2, sin2)
    s_xx, s_yy, s_xy, k_xx, k_xy, k_xt, k_yy, k_yt, k_tt = piola_kirchhoff(
        0.5 * (t_x + t_y), t_diff, t_shear, *tangent, mean, x, cos_c, sin_c
    )
    status = FAILED if solution[0] == FAILED else 0
    return (
        status,
        s_xx,
        s_yy,
        s_xy,
        k_xx,
        k_xy,
        k_xt,
        k_yy,
        k_yt,
        k_tt,
        0.5 * (e_sum + e_diff),
        0.5 * (e_sum - e_diff),
        (e_x - a_x, e_y - a_y, g - a_t, p, t_x, t_y, t_t),
    )
