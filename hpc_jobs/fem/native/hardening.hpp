// Hardening laws: the flow stress k(p) of the equivalent plastic strain p, and its slope.
//
//     Swift           K (e0 + p)^n
//     Voce            s0 + Q (1 - exp(-b p))
//     Hockett-Sherby  s_inf - (s_inf - s0) exp(-m p^q)
//
// The readable counterpart is hpc_jobs/fem/hardening.py; codes and parameters are its array.
#pragma once
#include "simd.hpp"

namespace YL_ARCH {

enum Law { SWIFT = 0, VOCE = 1, HOCKETT_SHERBY = 2 };

struct Hardening {
    int law;
    double parameter[4];
};

// Below this plastic strain a curve is continued by its tangent: Hockett-Sherby with q < 1 starts
// with an infinite slope, which no Newton iteration survives.
constexpr double PLASTIC_FLOOR = 1e-8;

template <class T>
YL_INLINE void flow_stress(const Hardening &h, T p, T &k, T &slope) {
    const double *c = h.parameter;
    const T x = max(p, T{} + PLASTIC_FLOOR);
    if (h.law == SWIFT) {
        const T base = c[1] + x;
        k = c[0] * exp(c[2] * log(base));
        slope = c[2] * k / base;
    } else if (h.law == VOCE) {
        const T decay = c[1] * exp(-c[2] * x);
        k = c[0] + c[1] - decay;
        slope = c[2] * decay;
    } else {
        const T power = c[2] * exp(c[3] * log(x));
        const T decay = (c[0] - c[1]) * exp(-power);
        k = c[0] - decay;
        slope = c[3] * decay * power / x;
    }
    k = k + slope * (p - x);
}

}  // namespace YL_ARCH
