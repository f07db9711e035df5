// Yld2000-2d of Barlat et al., Int. J. Plasticity 19 (2003) 1297-1319, for even exponents a:
//
//     Phi = |X1 - X2|^a + |2 Y2 + Y1|^a + |2 Y1 + Y2|^a = 2 sigma_bar^a,  X = L' s,  Y = L'' s.
//
// With d = (Xxx - Xyy)^2 + 4 Xxy^2, M = 1.5 (Yxx + Yyy), q = (Yxx - Yyy)^2/4 + Yxy^2,
// Phi = d^(a/2) + (M + sqrt q)^a + (M - sqrt q)^a is a polynomial in d, M and q.
//
// Stress is held as (m, d, t): half the sum and half the difference of the normal components, and
// the shear. Its work conjugates are the sum and the difference of the normal strains and the
// engineering shear. In this basis isotropic elasticity is diagonal, and a rotation turns (d, t).
#pragma once
#include "simd.hpp"

namespace YL_ARCH {

template <class T>
struct Triple {
    T m, d, t;
};

template <class T>
struct Symmetric {  // 3 x 3, in the order m, d, t
    T mm, md, mt, dd, dt, tt;
};

// d = u^2 + v^2 and q = w^2 + z^2 with forms that are linear in the stress over `reference`.
struct Yld2000 {
    int exponent;
    double reference, u_m, u_d, v_t, M_m, M_d, w_m, w_d, z_t;
};

YL_INLINE Yld2000 yld2000(const double *alpha, int exponent, double reference) {
    const double a1 = alpha[0], a2 = alpha[1], a3 = alpha[2], a4 = alpha[3];
    const double a5 = alpha[4], a6 = alpha[5], a7 = alpha[6], a8 = alpha[7];
    const double u_x = (2 * a1 + a2) / 3, u_y = -(a1 + 2 * a2) / 3;
    const double xx_x = (-2 * a3 + 2 * a4 + 8 * a5 - 2 * a6) / 9;
    const double xx_y = (a3 - 4 * a4 - 4 * a5 + 4 * a6) / 9;
    const double yy_x = (4 * a3 - 4 * a4 - 4 * a5 + a6) / 9;
    const double yy_y = (-2 * a3 + 8 * a4 + 2 * a5 - 2 * a6) / 9;
    const double M_x = 1.5 * (xx_x + yy_x), M_y = 1.5 * (xx_y + yy_y);
    const double w_x = 0.5 * (xx_x - yy_x), w_y = 0.5 * (xx_y - yy_y);
    const double r = 1 / reference;
    return {exponent, reference, (u_x + u_y) * r, (u_x - u_y) * r, 2 * a7 * r,
            (M_x + M_y) * r, (M_x - M_y) * r, (w_x + w_y) * r, (w_x - w_y) * r, a8 * r};
}

// g = (M + sqrt q)^a + (M - sqrt q)^a and D = d^(a/2), with their derivatives.
template <class T>
struct Polynomials {
    T D, D_d, D_dd, g, g_M, g_q, g_MM, g_Mq, g_qq;
};

template <class T>
YL_INLINE Polynomials<T> polynomials(int a, T d, T M, T q) {
    const T z = T{}, mm = M * M, qq = q * q;
    if (a == 2) return {d, z + 1.0, z, 2.0 * (mm + q), 4.0 * M, z + 2.0, z + 4.0, z, z};
    const T dd = d * d;
    if (a == 4)
        return {dd, 2.0 * d, z + 2.0,
                2.0 * (mm * mm + 6.0 * mm * q + qq), 8.0 * M * (mm + 3.0 * q), 4.0 * (3.0 * mm + q),
                24.0 * (mm + q), 24.0 * M, z + 4.0};
    const T m4 = mm * mm, mq = mm * q;
    if (a == 6)
        return {dd * d, 3.0 * dd, 6.0 * d,
                2.0 * (m4 * mm + 15.0 * mq * (mm + q) + qq * q),
                12.0 * M * (m4 + 10.0 * mq + 5.0 * qq),
                6.0 * (5.0 * m4 + 10.0 * mq + qq),
                60.0 * (m4 + 6.0 * mq + qq), 120.0 * M * (mm + q), 12.0 * (5.0 * mm + q)};
    const T m6 = m4 * mm, q3 = qq * q;
    return {dd * dd, 4.0 * dd * d, 12.0 * dd,
            2.0 * (m4 * m4 + 28.0 * m6 * q + 70.0 * m4 * qq + 28.0 * mm * q3 + qq * qq),
            16.0 * M * (m6 + 21.0 * m4 * q + 35.0 * mm * qq + 7.0 * q3),
            8.0 * (7.0 * m6 + 35.0 * m4 * q + 21.0 * mm * qq + q3),
            112.0 * (m6 + 15.0 * m4 * q + 15.0 * mm * qq + q3),
            112.0 * M * (3.0 * m4 + 10.0 * mq + 3.0 * qq),
            8.0 * (35.0 * m4 + 42.0 * mq + 3.0 * qq)};
}

// x^(1/a): nested roots where they do, which cost half of a power.
template <class T>
YL_INLINE T root(int a, T x) {
    if (a == 2) return sqrt(x);
    if (a == 4) return sqrt(sqrt(x));
    if (a == 8) return sqrt(sqrt(sqrt(x)));
    return exp(log(x) * (1 / 6.));
}

constexpr double SMALLEST_PHI = 1e-280;  // keeps the unloaded state finite

// (sigma_bar / reference)^a
template <class T>
YL_INLINE T stress_power(const Yld2000 &y, const Triple<T> &s) {
    const T u = y.u_m * s.m + y.u_d * s.d, v = y.v_t * s.t;
    const T w = y.w_m * s.m + y.w_d * s.d, z = y.z_t * s.t;
    const auto f = polynomials<T>(y.exponent, u * u + v * v, y.M_m * s.m + y.M_d * s.d, w * w + z * z);
    return max(0.5 * (f.D + f.g), T{} + SMALLEST_PHI);
}

// x^a for an even a.
template <class T>
YL_INLINE T power(int a, T x) {
    const T square = x * x;
    if (a == 2) return square;
    if (a == 4) return square * square;
    return a == 6 ? square * square * square : (square * square) * (square * square);
}

template <class T>
YL_INLINE T equivalent_stress(const Yld2000 &y, const Triple<T> &s) {
    return y.reference * root(y.exponent, stress_power(y, s));
}

// Equivalent stress, gradient n and Hessian h:
//     n = grad Phi / (2 a sigma_bar^(a-1)),
//     h = Hess Phi / (2 a sigma_bar^(a-1)) - (a-1) n n^T / sigma_bar.
// The a-th root is one Halley step from `near`: exact for near = sigma_bar, and so on the yield surface
// if `near` is the flow stress; off by the cube of their relative distance elsewhere.
template <class T>
YL_INLINE T evaluate(const Yld2000 &y, const Triple<T> &s, T near, Triple<T> &n, Symmetric<T> &h) {
    const int a = y.exponent;
    const T u = y.u_m * s.m + y.u_d * s.d, v = y.v_t * s.t;
    const T w = y.w_m * s.m + y.w_d * s.d, z = y.z_t * s.t;
    const auto f = polynomials<T>(a, u * u + v * v, y.M_m * s.m + y.M_d * s.d, w * w + z * z);
    const T phi = max(0.5 * (f.D + f.g), T{} + SMALLEST_PHI);
    // bar = base ((a - 1) base^a + (a + 1) phi)/((a + 1) base^a + (a - 1) phi), with one division in all.
    const T base = near * (1 / y.reference), power_ = power(a, base);
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
