"""The four-node quadrilateral with 2 x 2 points, assembled over a specimen.

Plane stress does not lock, so full integration serves; all integrals run over the initial volume.
"""

import numpy as np
from numba import float64, int64, types

from hpc_jobs.fem.kernel import VECTOR, kernel
from hpc_jobs.fem.reference.point import STATE, update

POINTS = 4


@kernel(
    types.void(
        float64[:, ::1], float64, *([float64] * 10), *([float64] * 3), float64[:, ::1], VECTOR
    )
)
def add_point(
    gradients, volume, f_xx, f_xy, f_yx, f_yy, c_xx, c_xy, c_xt, c_yy, c_yt, c_tt,
    s_xx, s_yy, s_xy, stiffness, force,
):  # fmt: skip
    """Add a point's B^T C B + geometric part to stiffness (8, 8), upper half, B^T S to force (8,).

    gradients (4, 2) of the shape functions with respect to initial coordinates.
    """
    for b in range(4):
        n_x, n_y = gradients[b, 0], gradients[b, 1]
        p_x, p_y = volume * (s_xx * n_x + s_xy * n_y), volume * (s_xy * n_x + s_yy * n_y)
        # Columns of B of node b: variations of Green strain (xx, yy, shear) with u and v
        u_x, u_y, u_t = f_xx * n_x, f_xy * n_y, f_xx * n_y + f_xy * n_x
        v_x, v_y, v_t = f_yx * n_x, f_yy * n_y, f_yx * n_y + f_yy * n_x
        force[2 * b] += volume * (s_xx * u_x + s_yy * u_y + s_xy * u_t)
        force[2 * b + 1] += volume * (s_xx * v_x + s_yy * v_y + s_xy * v_t)
        cu_x = volume * (c_xx * u_x + c_xy * u_y + c_xt * u_t)
        cu_y = volume * (c_xy * u_x + c_yy * u_y + c_yt * u_t)
        cu_t = volume * (c_xt * u_x + c_yt * u_y + c_tt * u_t)
        cv_x = volume * (c_xx * v_x + c_xy * v_y + c_xt * v_t)
        cv_y = volume * (c_xy * v_x + c_yy * v_y + c_yt * v_t)
        cv_t = volume * (c_xt * v_x + c_yt * v_y + c_tt * v_t)
        for a in range(b + 1):
            m_x, m_y = gradients[a, 0], gradients[a, 1]
            a_x, a_y, a_t = f_xx * m_x, f_xy * m_y, f_xx * m_y + f_xy * m_x
            d_x, d_y, d_t = f_yx * m_x, f_yy * m_y, f_yx * m_y + f_yy * m_x
            geometric = m_x * p_x + m_y * p_y
            stiffness[2 * a, 2 * b] += a_x * cu_x + a_y * cu_y + a_t * cu_t + geometric
            stiffness[2 * a, 2 * b + 1] += a_x * cv_x + a_y * cv_y + a_t * cv_t
            stiffness[2 * a + 1, 2 * b] += d_x * cu_x + d_y * cu_y + d_t * cu_t
            stiffness[2 * a + 1, 2 * b + 1] += d_x * cv_x + d_y * cv_y + d_t * cv_t + geometric


@kernel(types.void(int64[:], float64[:, ::1], VECTOR, int64, float64[:, ::1], VECTOR))
def scatter(dofs, stiffness, force, first, band, forces):
    """Add one element to the band of the free unknowns [first, first + n) and to all forces."""
    n = band.shape[0]
    for i in range(8):
        forces[dofs[i]] += force[i]
        row = dofs[i] - first
        if row < 0 or row >= n:
            continue
        for j in range(8):
            column = dofs[j] - first
            if row <= column < n:
                band[row, column - row] += stiffness[min(i, j), max(i, j)]


@kernel(
    int64(
        VECTOR, VECTOR, VECTOR, float64[:, :, :, ::1], float64[:, ::1], int64[:, ::1],
        VECTOR, float64[:, :, ::1], int64, float64[:, ::1], VECTOR, float64[:, :, ::1],
        float64[:, :, ::1],
    )
)  # fmt: skip
def assemble(
    c, law, elastic, gradients, volumes, dofs, displacement, state, first,
    band, forces, new_state, strains,
):  # fmt: skip
    """Tangent stiffness and internal forces of a specimen at a displacement.

    gradients (elements, 4, 4, 2), volumes (elements, 4), dofs (elements, 8) and state
    (elements, 4, STATE) are read; band (free, b + 1), forces (all,), new_state and strains
    (elements, 4, 2), ln U xx and yy, are written. Returns a point's status: 0, FAILED or INVERTED.
    """
    band[:] = 0.0
    forces[:] = 0.0
    stiffness = np.zeros((8, 8))
    force = np.zeros(8)
    for e in range(dofs.shape[0]):
        stiffness[:] = 0.0
        force[:] = 0.0
        for q in range(POINTS):
            f_xx, f_xy, f_yx, f_yy = 1.0, 0.0, 0.0, 1.0
            for a in range(4):
                u, v = displacement[dofs[e, 2 * a]], displacement[dofs[e, 2 * a + 1]]
                f_xx += u * gradients[e, q, a, 0]
                f_xy += u * gradients[e, q, a, 1]
                f_yx += v * gradients[e, q, a, 0]
                f_yy += v * gradients[e, q, a, 1]
            (
                status, s_xx, s_yy, s_xy, c_xx, c_xy, c_xt, c_yy, c_yt, c_tt,
                strains[e, q, 0], strains[e, q, 1],
                after,
            ) = update(c, law, elastic, f_xx, f_xy, f_yx, f_yy, state[e, q])  # fmt: skip
            if status != 0:
                return status
            for i in range(STATE):
                new_state[e, q, i] = after[i]
            add_point(
                gradients[e, q], volumes[e, q], f_xx, f_xy, f_yx, f_yy,
                c_xx, c_xy, c_xt, c_yy, c_yt, c_tt, s_xx, s_yy, s_xy, stiffness, force,
            )  # fmt: skip
        scatter(dofs[e], stiffness, force, first, band, forces)
    return 0
