// The yield functions of one family:
//
//     d^(a/2) + |M - sqrt q|^a + |M + sqrt q|^a = 2 sigma_bar^a,   d = u^2 + v^2,   q = w^2 + z^2,
//
// with forms linear in the plane stress: von Mises, Hill 1948, Barlat-Lian 1989 and Yld2000-2d are all of it.
// hpc_jobs/fem/materials says how each gives its exponent and eight numbers; linear_forms.py there is the
// readable counterpart.
//
// Stress is held as (m, d, t): half the sum and half the difference of the normal components, and
// the shear. Its work conjugates are the sum and the difference of the normal strains and the
// engineering shear. In this basis isotropic elasticity is diagonal, and a rotation turns (d, t).
#pragma once
#include "powers.hpp"

namespace YL_ARCH {

template <class T>
struct Triple {
    T m, d, t;
};

template <class T>
struct Symmetric {  // 3 x 3, in the order m, d, t
    T mm, md, mt, dd, dt, tt;
};

// The forms are linear in the stress over `reference`.
struct LinearForms {
    Exponent exponent;
    double reference, u_m, u_d, v_t, M_m, M_d, w_m, w_d, z_t;
};

// c (9,): the exponent; u = c1 sx + c2 sy, v = c3 t, M = c4 sx + c5 sy, w = c6 sx + c7 sy, z = c8 t.
YL_INLINE LinearForms linear_forms(const double *c, double reference) {
    const double r = 1 / reference;
    return {exponent(c[0]), reference, (c[1] + c[2]) * r, (c[1] - c[2]) * r, c[3] * r,
            (c[4] + c[5]) * r, (c[4] - c[5]) * r, (c[6] + c[7]) * r, (c[6] - c[7]) * r, c[8] * r};
}

constexpr double SMALLEST_PHI = 1e-280;  // keeps the unloaded state finite

// (sigma_bar / reference)^a
template <class T>
YL_INLINE T stress_power(const LinearForms &y, const Triple<T> &s) {
    const T u = y.u_m * s.m + y.u_d * s.d, v = y.v_t * s.t;
    const T w = y.w_m * s.m + y.w_d * s.d, z = y.z_t * s.t;
    const auto f = powers<T>(y.exponent, u * u + v * v, y.M_m * s.m + y.M_d * s.d, w * w + z * z);
    return max(0.5 * (f.D + f.g), T{} + SMALLEST_PHI);
}

template <class T>
YL_INLINE T equivalent_stress(const LinearForms &y, const Triple<T> &s) {
    return y.reference * root(y.exponent, stress_power(y, s));
}

// Equivalent stress, gradient n and Hessian h:
//     n = grad Phi / (2 a sigma_bar^(a-1)),
//     h = Hess Phi / (2 a sigma_bar^(a-1)) - (a-1) n n^T / sigma_bar.
// The a-th root is one Halley step from `near`: exact for near = sigma_bar, and so on the yield surface
// if `near` is the flow stress; off by the cube of their relative distance elsewhere.
template <class T>
YL_INLINE T evaluate(const LinearForms &y, const Triple<T> &s, T near, Triple<T> &n, Symmetric<T> &h) {
    const double a = y.exponent.a;
    const T u = y.u_m * s.m + y.u_d * s.d, v = y.v_t * s.t;
    const T w = y.w_m * s.m + y.w_d * s.d, z = y.z_t * s.t;
    const auto f = powers<T>(y.exponent, u * u + v * v, y.M_m * s.m + y.M_d * s.d, w * w + z * z);
    const T phi = max(0.5 * (f.D + f.g), T{} + SMALLEST_PHI);
    // bar = base ((a - 1) base^a + (a + 1) phi)/((a + 1) base^a + (a - 1) phi), with one division in all.
    const T base = near * (1 / y.reference), power_ = power(y.exponent, base);
    const T above = (a - 1.0) * power_ + (a + 1.0) * phi, below = (a + 1.0) * power_ + (a - 1.0) * phi;
    const T top = base * above, bottom = below * phi, inverse = 1.0 / (top * bottom);
    const T bar = top * top * phi * inverse;
    const T scale = (y.reference / (2.0 * a)) * (top * top * inverse);    // over 2 a phi
    const T b = ((a - 1.0) / y.reference) * (bottom * inverse * below);  // (a - 1) / sigma_bar
    const T du = 2.0 * u, dv = (2.0 * y.v_t) * v, dw = 2.0 * w, dz = (2.0 * y.z_t) * z;
    const T d_m = du * y.u_m, d_d = du * y.u_d, q_m = dw * y.w_m, q_d = dw * y.w_d;
    n.m = scale * (f.D_d * d_m + f.g_M * y.M_m + f.g_q * q_m);
    n.d = scale * (f.D_d * d_d + f.g_M * y.M_d + f.g_q * q_d);
    n.t = scale * (f.D_d * dv + f.g_q * dz);
    // The chain rule's inner products: r = g_MM M' + g_Mq q' and o = g_Mq M' + g_qq q'
    const T r_m = f.g_MM * y.M_m + f.g_Mq * q_m, r_d = f.g_MM * y.M_d + f.g_Mq * q_d;
    const T o_m = f.g_Mq * y.M_m + f.g_qq * q_m, o_d = f.g_Mq * y.M_d + f.g_qq * q_d;
    const T o_t = f.g_qq * dz, r_t = f.g_Mq * dz;
    const T e = 2.0 * f.D_d, g = 2.0 * f.g_q;
    const T e_m = f.D_dd * d_m, e_d = f.D_dd * d_d, e_t = f.D_dd * dv;
    const T b_m = b * n.m, b_d = b * n.d, b_t = b * n.t;
    h.mm = scale * (e_m * d_m + y.M_m * r_m + q_m * o_m + e * (y.u_m * y.u_m) + g * (y.w_m * y.w_m)) - b_m * n.m;
    h.md = scale * (e_m * d_d + y.M_m * r_d + q_m * o_d + e * (y.u_m * y.u_d) + g * (y.w_m * y.w_d)) - b_m * n.d;
    h.dd = scale * (e_d * d_d + y.M_d * r_d + q_d * o_d + e * (y.u_d * y.u_d) + g * (y.w_d * y.w_d)) - b_d * n.d;
    h.mt = scale * (e_m * dv + y.M_m * r_t + q_m * o_t) - b_m * n.t;
    h.dt = scale * (e_d * dv + y.M_d * r_t + q_d * o_t) - b_d * n.t;
    h.tt = scale * (e_t * dv + dz * o_t + e * (y.v_t * y.v_t) + g * (y.z_t * y.z_t)) - b_t * n.t;
    return y.reference * bar;
}

}  // namespace YL_ARCH
