// Hardening laws: the flow stress k(p) of the equivalent plastic strain p, and its slope.
//
//     Swift           K (e0 + p)^n
//     Voce            s0 + Q (1 - exp(-b p))
//     Hockett-Sherby  s_inf - (s_inf - s0) exp(-m p^q)
//     mixed           w Swift + (1 - w) Voce
//     tabulated       a monotone cubic through points, its last slope beyond them
//     nodes           the same of ln k over ln(1 + p/p0)
//
// The readable counterpart is hpc_jobs/fem/materials/flow_stress.py; codes and numbers are those of hardening.py there.
#pragma once
#include "simd.hpp"

namespace YL_ARCH {

enum Law { SWIFT = 0, VOCE = 1, HOCKETT_SHERBY = 2, MIXED = 3, TABULATED = 4, NODES = 5 };

struct Hardening {
    int law;
    double parameter[7];
    int points;                              // of a table, or nodes
    const double *strains, *stresses, *slopes;
    const double *pieces; // of nodes: (points, 5) where each begins, and its cubic's coefficients
};

// From the array of hardening.py, which must outlive it if it is a table.
inline Hardening hardening_law(const double *values) {
    constexpr int NUMBERS[] = {3, 3, 4, 7, 0, 1};
    Hardening h = {};
    h.law = static_cast<int>(values[0]);
    for (int i = 0; i < NUMBERS[h.law]; ++i) h.parameter[i] = values[1 + i];
    if (h.law == TABULATED) {
        h.points = static_cast<int>(values[1]);
        h.strains = values + 2, h.stresses = h.strains + h.points, h.slopes = h.stresses + h.points;
    }
    if (h.law == NODES) {
        h.points = static_cast<int>(values[2]);
        h.pieces = values + 3;
    }
    return h;
}

// Below this plastic strain a curve is continued by its tangent: Hockett-Sherby with q < 1 starts
// with an infinite slope, which no Newton iteration survives.
constexpr double PLASTIC_FLOOR = 1e-8;

template <class T>
YL_INLINE void swift(const double *c, T x, T &k, T &slope) {
    const T base = c[1] + x;
    k = c[0] * exp(c[2] * log(base));
    slope = c[2] * k / base;
}

template <class T>
YL_INLINE void voce(const double *c, T x, T &k, T &slope) {
    const T decay = c[1] * exp(-c[2] * x);
    k = c[0] + c[1] - decay;
    slope = c[2] * decay;
}

// Hermite's cubic between two points; a straight line beyond the last one.
static __attribute__((noinline)) void tabulated(const Hardening &h, double x, double &k, double &slope) {
    int i = 0, above = h.points;  // the last point at or below x
    while (above - i > 1) {
        const int middle = (i + above) / 2;
        (h.strains[middle] <= x ? i : above) = middle;
    }
    const double r = x - h.strains[i], k0 = h.stresses[i], m0 = h.slopes[i];
    if (i == h.points - 1) {
        k = k0 + m0 * r, slope = m0;
        return;
    }
    const double step = h.strains[i + 1] - h.strains[i], m1 = h.slopes[i + 1];
    const double secant = (h.stresses[i + 1] - k0) / step;
    const double second = (3 * secant - 2 * m0 - m1) / step, third = (m0 + m1 - 2 * secant) / (step * step);
    k = k0 + r * (m0 + r * (second + r * third));
    slope = m0 + r * (2 * second + r * 3 * third);
}

static __attribute__((noinline)) void tabulated(const Hardening &h, const Vec &x, Vec &k, Vec &slope) {
    for (int lane = 0; lane < LANES; ++lane) {
        double one, other;
        tabulated(h, x[lane], one, other);
        k[lane] = one, slope[lane] = other;
    }
}

// All pieces are looked at, so that a vector's lanes need not agree on one.
template <class T>
YL_INLINE void nodes(const Hardening &h, T x, T &k, T &slope) {
    const double *piece = h.pieces;
    const T shifted = h.parameter[0] + x, place = log(shifted * (1 / h.parameter[0]));
    T at = T{} + piece[0], c0 = T{} + piece[1], c1 = T{} + piece[2], c2 = T{} + piece[3], c3 = T{} + piece[4];
    for (int i = 1; i < h.points; ++i) {
        piece += 5;
        const auto beyond = below(T{} + piece[0], place);
        at = select(beyond, T{} + piece[0], at);
        c0 = select(beyond, T{} + piece[1], c0), c1 = select(beyond, T{} + piece[2], c1);
        c2 = select(beyond, T{} + piece[3], c2), c3 = select(beyond, T{} + piece[4], c3);
    }
    const T r = place - at;
    k = exp(c0 + r * (c1 + r * (c2 + r * c3)));
    slope = k * (c1 + r * (2.0 * c2 + r * (3.0 * c3))) / shifted;
}

template <class T>
YL_INLINE void flow_stress(const Hardening &h, T p, T &k, T &slope) {
    const double *c = h.parameter;
    const T x = max(p, T{} + PLASTIC_FLOOR);
    if (h.law == SWIFT) {
        swift(c, x, k, slope);
    } else if (h.law == VOCE) {
        voce(c, x, k, slope);
    } else if (h.law == HOCKETT_SHERBY) {
        const T power = c[2] * exp(c[3] * log(x));
        const T decay = (c[0] - c[1]) * exp(-power);
        k = c[0] - decay;
        slope = c[3] * decay * power / x;
    } else if (h.law == MIXED) {
        T k_voce, slope_voce;
        swift(c + 1, x, k, slope);
        voce(c + 4, x, k_voce, slope_voce);
        k = c[0] * k + (1 - c[0]) * k_voce;
        slope = c[0] * slope + (1 - c[0]) * slope_voce;
    } else if (h.law == NODES) {
        nodes(h, x, k, slope);
    } else {
        tabulated(h, x, k, slope);
    }
    k = k + slope * (p - x);
}

}  // namespace YL_ARCH
