// D = d^(a/2) and g = |M - sqrt q|^a + |M + sqrt q|^a with their derivatives.
//
// For an even a both are polynomials. Any other exponent takes powers, and near q = 0, where derivatives with
// respect to q are small differences of large numbers, the even part of the binomial series. The readable
// counterpart is hpc_jobs/fem/materials/powers.py.
#pragma once
#include "simd.hpp"

namespace YL_ARCH {

struct Exponent {
    int even;  // 2, 4, 6 or 8, which have polynomials; 0 for any other
    double a;
};

YL_INLINE Exponent exponent(double a) { return {a == 2 || a == 4 || a == 6 || a == 8 ? static_cast<int>(a) : 0, a}; }

template <class T>
struct Powers {
    T D, D_d, D_dd, g, g_M, g_q, g_MM, g_Mq, g_qq;
};

constexpr double SERIES_BELOW = 1e-3;    // of q/M^2; the powers have lost two digits there
constexpr int SERIES_TERMS = 8;          // the next one is below round-off for a <= 20
constexpr double SMALLEST_BASE = 1e-280; // of a logarithm

// x^y for x >= 0.
template <class T>
YL_INLINE T real_power(T x, double y) {
    return exp(y * log(max(x, T{} + SMALLEST_BASE)));
}

// g = 2 |M|^a sum_k C(a, 2k) (q/M^2)^k and its derivatives, for q much below M^2; power = |M|^a.
template <class T>
YL_INLINE void series(double a, T M, T q, T power, Powers<T> &f) {
    const T per_M = 1.0 / M, per_MM = per_M * per_M, x = q * per_MM;
    double term = 1;  // C(a, 2k)
    T at = T{} + 1.0, before = T{}, twice = T{};  // x^k, x^(k-1), x^(k-2)
    T g = T{}, g_M = T{}, g_q = T{}, g_MM = T{}, g_Mq = T{}, g_qq = T{};
    for (int k = 0; k < SERIES_TERMS; ++k) {
        const double left = a - 2 * k;
        g += term * at;
        g_M += left * term * at;
        g_MM += left * (left - 1) * term * at;
        g_q += k * term * before;
        g_Mq += left * k * term * before;
        g_qq += k * (k - 1) * term * twice;
        term *= left * (left - 1) / ((2 * k + 1) * (2 * k + 2));
        twice = before, before = at, at = at * x;
    }
    const T scale = 2.0 * power;
    f.g = scale * g, f.g_M = scale * per_M * g_M, f.g_q = scale * per_MM * g_q;
    f.g_MM = scale * per_MM * g_MM, f.g_Mq = scale * per_MM * per_M * g_Mq, f.g_qq = scale * per_MM * per_MM * g_qq;
}

// For an exponent that is not even; out of line, so that it does not burden those that are.
template <class T>
static __attribute__((noinline)) void real_powers(double a, T d, T M, T q, Powers<T> &f) {
    const double half = 0.5 * a, curvature = a * (a - 1);
    d = max(d, T{} + SMALLEST_BASE);
    f.D_dd = half * (half - 1) * real_power(d, half - 2);
    f.D_d = f.D_dd * d * (1 / (half - 1));
    f.D = f.D_d * d * (1 / half);
    const auto near = below(q, SERIES_BELOW * M * M);
    Powers<T> close = f;
    if (any(near)) {
        series(a, M, q, real_power(abs(M), a), close);
        if (all(near)) {
            f = close;
            return;
        }
    }
    const T s = sqrt(max(q, T{} + SMALLEST_BASE)), per_2s = 0.5 / s;
    const T plus = M + s, minus = M - s;
    const T plus_2 = real_power(abs(plus), a - 2), minus_2 = real_power(abs(minus), a - 2);
    const T plus_1 = plus * plus_2, minus_1 = minus * minus_2;
    const T g_s = a * (plus_1 - minus_1);
    f.g = select(near, close.g, plus * plus_1 + minus * minus_1);
    f.g_M = select(near, close.g_M, a * (plus_1 + minus_1));
    f.g_q = select(near, close.g_q, g_s * per_2s);
    f.g_MM = select(near, close.g_MM, curvature * (plus_2 + minus_2));
    f.g_Mq = select(near, close.g_Mq, curvature * (plus_2 - minus_2) * per_2s);
    f.g_qq = select(near, close.g_qq, (curvature * (plus_2 + minus_2) - 2.0 * g_s * per_2s) * per_2s * per_2s);
}

template <class T>
YL_INLINE Powers<T> powers(const Exponent &e, T d, T M, T q) {
    if (__builtin_expect(e.even == 0, 0)) {
        Powers<T> f;
        real_powers(e.a, d, M, q, f);
        return f;
    }
    const T z = T{}, mm = M * M, qq = q * q;
    if (e.even == 2) return {d, z + 1.0, z, 2.0 * (mm + q), 4.0 * M, z + 2.0, z + 4.0, z, z};
    const T dd = d * d;
    if (e.even == 4)
        return {dd, 2.0 * d, z + 2.0,
                2.0 * (mm * mm + 6.0 * mm * q + qq), 8.0 * M * (mm + 3.0 * q), 4.0 * (3.0 * mm + q),
                24.0 * (mm + q), 24.0 * M, z + 4.0};
    const T m4 = mm * mm, mq = mm * q;
    if (e.even == 6)
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
YL_INLINE T root(const Exponent &e, T x) {
    if (e.even == 2) return sqrt(x);
    if (e.even == 4) return sqrt(sqrt(x));
    if (e.even == 8) return sqrt(sqrt(sqrt(x)));
    return exp(log(x) * (1 / e.a));
}

// x^a for x >= 0.
template <class T>
YL_INLINE T power(const Exponent &e, T x) {
    if (__builtin_expect(e.even == 0, 0)) return real_power(x, e.a);
    const T square = x * x;
    if (e.even == 2) return square;
    if (e.even == 4) return square * square;
    return e.even == 6 ? square * square * square : (square * square) * (square * square);
}

}  // namespace YL_ARCH
