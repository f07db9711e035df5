"""Logarithmic strain in total-Lagrangian form: the material law meets finite deformation.

With C = F^T F and f = ln/2, the Hencky strain is E = f(C) = ln U. The material maps E to its
work conjugate T, and in the eigenframe of C, with divided differences of f,

    S_ab  = 2 f[c_a, c_b] T_ab                                    second Piola-Kirchhoff stress
    dS:h  = k:(4 f[] D f[]):h + 4 sum_ijk T_ij f[c_i, c_k, c_j] (h_ik k_kj + k_ik h_kj)

for Green strain increments h and k, D = dT/dE. Miehe, Apel and Lambrecht, CMAME 191 (2002)
5383-5425. Tensors are held as (mean, difference, shear): a rotation of the axes by an angle phi
turns (difference, shear) in its plane by 2 phi, and leaves the mean alone.
"""

from math import log, sqrt

from numba import float64, types

from hpc_jobs.fem.kernel import kernel

SERIES_BELOW = 0.02  # |x|, where closed forms lose digits and the series to x^7 is exact

_PAIR = types.UniTuple(float64, 2)
_SIX = types.UniTuple(float64, 6)
_NINE = types.UniTuple(float64, 9)


@kernel(float64(float64))
def atanh_ratio(x):
    """atanh(x)/x, even in x."""
    if abs(x) < SERIES_BELOW:
        y = x * x
        return 1 + y * (1 / 3 + y * (1 / 5 + y * (1 / 7 + y / 9)))
    return 0.5 * log((1 + x) / (1 - x)) / x


@kernel(float64(float64, float64))
def second_difference(x, ratio):
    """(1/(1+x) - atanh(x)/x)/x: 4 c_mean^2 f[c1, c1, c2] at x = (c1 - c2)/(c1 + c2)."""
    if abs(x) < SERIES_BELOW:
        y = x * x
        even = 1 + y * (1 + y * (1 + y))
        odd = 2 / 3 + y * (4 / 5 + y * (6 / 7 + y * 8 / 9))
        return x * odd - even
    return (1 / (1 + x) - ratio) / x


@kernel(types.UniTuple(float64, 7)(float64, float64, float64))
def hencky(c_xx, c_yy, c_xy):
    """Strain ln U of C, and C's spectral data.

    Returns e_sum = E_xx + E_yy, e_diff = E_xx - E_yy, gamma = 2 E_xy; the mean eigenvalue,
    x = (c1 - c2)/(c1 + c2), and cos, sin of twice the first eigenvector's angle.
    """
    mean, half = 0.5 * (c_xx + c_yy), 0.5 * (c_xx - c_yy)
    radius = sqrt(half * half + c_xy * c_xy)
    x = radius / mean
    slope = atanh_ratio(x) / mean  # 2 f[c1, c2]
    cos2, sin2 = 1.0, 0.0
    if radius > 0:
        cos2, sin2 = half / radius, c_xy / radius
    e_sum = 0.5 * log(c_xx * c_yy - c_xy * c_xy)
    return e_sum, slope * half, slope * c_xy, mean, x, cos2, sin2


@kernel(_PAIR(float64, float64, float64, float64))
def turn(difference, shear, cos2, sin2):
    """Components in axes turned by phi, cos2 and sin2 of 2 phi.

    Works for a strain as (E_xx - E_yy, 2 E_xy) and a stress as ((T_xx - T_yy)/2, T_xy).
    """
    return cos2 * difference + sin2 * shear, cos2 * shear - sin2 * difference


@kernel(_SIX(*([float64] * 8)))
def turn_tangent(mm, md, mt, dd, dt, tt, cos2, sin2):
    """Turn the axes of a symmetric tangent over (mean, difference, shear)."""
    cc, ss, cs = cos2 * cos2, sin2 * sin2, cos2 * sin2
    return (
        mm,
        cos2 * md + sin2 * mt,
        cos2 * mt - sin2 * md,
        cc * dd + 2 * cs * dt + ss * tt,
        (cc - ss) * dt + cs * (tt - dd),
        ss * dd - 2 * cs * dt + cc * tt,
    )


@kernel(_SIX(*([float64] * 6)))
def to_mean_difference(xx, xy, xt, yy, yt, tt):
    """Tangent over (xx, yy, xy) to one over (mean, difference, shear)."""
    return (
        0.25 * (xx + 2 * xy + yy),
        0.25 * (xx - yy),
        0.5 * (xt + yt),
        0.25 * (xx - 2 * xy + yy),
        0.5 * (xt - yt),
        tt,
    )


@kernel(_SIX(*([float64] * 6)))
def to_components(mm, md, mt, dd, dt, tt):
    """Inverse of to_mean_difference."""
    return mm + 2 * md + dd, mm - dd, mt + dt, mm - 2 * md + dd, mt - dt, tt


@kernel(_NINE(*([float64] * 13)))
def piola_kirchhoff(t_mean, t_diff, t_shear, mm, md, mt, dd, dt, tt, mean, x, cos2, sin2):
    """Second Piola-Kirchhoff stress and its tangent from T and dT/dE, all in the same axes.

    T and dT/dE as (mean, difference, shear); mean, x, cos2, sin2 are hencky's spectral data of C.
    Returns s_xx, s_yy, s_xy and c_xx, c_xy, c_xt, c_yy, c_yt, c_tt over Green strains
    (xx, yy, engineering shear).
    """
    t_diff, t_shear = turn(t_diff, t_shear, cos2, sin2)
    t1, t2 = t_mean + t_diff, t_mean - t_diff
    ratio = atanh_ratio(x)
    g1, g2, g3 = 1 / (mean * (1 + x)), 1 / (mean * (1 - x)), ratio / mean
    s1, s2, s3 = g1 * t1, g2 * t2, g3 * t_shear
    d11, d12, d13, d22, d23, d33 = to_components(*turn_tangent(mm, md, mt, dd, dt, tt, cos2, sin2))
    f112 = second_difference(x, ratio) / (mean * mean)
    f122 = second_difference(-x, ratio) / (mean * mean)
    c11 = g1 * g1 * (d11 - 2 * t1)
    c22 = g2 * g2 * (d22 - 2 * t2)
    c12 = g1 * g2 * d12
    c13 = g1 * g3 * d13 + t_shear * f112
    c23 = g2 * g3 * d23 + t_shear * f122
    c33 = g3 * g3 * d33 + 0.5 * (t1 * f112 + t2 * f122)
    s_mean = 0.5 * (s1 + s2)
    s_diff, s_xy = turn(0.5 * (s1 - s2), s3, cos2, -sin2)
    mm, md, mt, dd, dt, tt = turn_tangent(
        *to_mean_difference(c11, c12, c13, c22, c23, c33), cos2, -sin2
    )
    c_xx, c_xy, c_xt, c_yy, c_yt, c_tt = to_components(mm, md, mt, dd, dt, tt)
    return s_mean + s_diff, s_mean - s_diff, s_xy, c_xx, c_xy, c_xt, c_yy, c_yt, c_tt
