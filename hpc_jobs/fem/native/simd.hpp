// Vectors of doubles, one lane per element, and the few functions the kernels need of them.
//
// Included once per instruction set, inside that set's namespace (see kernel.cpp): every function is
// forced inline or has internal linkage, so that no AVX code leaks into the portable path.
#pragma once

#if defined(__AVX512F__) || defined(__AVX2__) || defined(__SSE2__)
#include <immintrin.h>
#endif

#define YL_INLINE static inline __attribute__((always_inline))

namespace YL_ARCH {

#if defined(__AVX512F__)
constexpr int LANES = 8;
#elif defined(__AVX2__)
constexpr int LANES = 4;
#else
constexpr int LANES = 2;
#endif

typedef double Vec __attribute__((vector_size(8 * LANES)));
typedef long long Mask __attribute__((vector_size(8 * LANES)));  // all ones where true

YL_INLINE Vec broadcast(double x) { return Vec{} + x; }
YL_INLINE Vec load(const double *p) { return *reinterpret_cast<const Vec *>(p); }
YL_INLINE Mask below(Vec a, Vec b) { return a < b; }
YL_INLINE Vec select(Mask m, Vec a, Vec b) { return m ? a : b; }
YL_INLINE Vec max(Vec a, Vec b) { return a < b ? b : a; }  // not a number, if a is none
YL_INLINE Vec abs(Vec a) { return reinterpret_cast<Vec>(reinterpret_cast<Mask>(a) & 0x7fffffffffffffffLL); }

#if defined(__AVX512F__)
YL_INLINE int bits(Mask m) { return _mm512_cmplt_epi64_mask((__m512i)m, _mm512_setzero_si512()); }
YL_INLINE Vec sqrt(Vec a) { return (Vec)_mm512_sqrt_pd((__m512d)a); }
#elif defined(__AVX2__)
YL_INLINE int bits(Mask m) { return _mm256_movemask_pd((__m256d)m); }
YL_INLINE Vec sqrt(Vec a) { return (Vec)_mm256_sqrt_pd((__m256d)a); }
#elif defined(__SSE2__)
YL_INLINE int bits(Mask m) { return _mm_movemask_pd((__m128d)m); }
YL_INLINE Vec sqrt(Vec a) { return (Vec)_mm_sqrt_pd((__m128d)a); }
#else
YL_INLINE int bits(Mask m) {
    int set = 0;
    for (int i = 0; i < LANES; ++i) set |= (m[i] != 0) << i;
    return set;
}
YL_INLINE Vec sqrt(Vec a) {
    for (int i = 0; i < LANES; ++i) a[i] = __builtin_sqrt(a[i]);
    return a;
}
#endif
YL_INLINE bool any(Mask m) { return bits(m) != 0; }
YL_INLINE bool all(Mask m) { return bits(m) == (1 << LANES) - 1; }

YL_INLINE double sum(Vec a) {
    double total = 0;
    for (int i = 0; i < LANES; ++i) total += a[i];
    return total;
}

// The same names for a single double, so that a law is written once and runs on both.
YL_INLINE bool below(double a, double b) { return a < b; }
YL_INLINE double select(bool m, double a, double b) { return m ? a : b; }
YL_INLINE double max(double a, double b) { return a < b ? b : a; }
YL_INLINE double abs(double a) { return __builtin_fabs(a); }
YL_INLINE double sqrt(double a) { return __builtin_sqrt(a); }
YL_INLINE double log(double a) { return __builtin_log(a); }
YL_INLINE double exp(double a) { return __builtin_exp(a); }
YL_INLINE bool any(bool m) { return m; }
YL_INLINE bool all(bool m) { return m; }

constexpr double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;

// Natural logarithm of a positive, normal number, to one ulp. The polynomial is fdlibm's e_log.c.
YL_INLINE Vec log(Vec x) {
    const Mask bits_ = reinterpret_cast<Mask>(x);
    // Mantissa into [sqrt 1/2, sqrt 2): shift by the high word of sqrt 1/2 before cutting.
    const Mask shifted = bits_ - 0x3fe6a09e667f3bcdLL;
    const Mask exponent = shifted & ~0xfffffffffffffLL;  // still shifted left by 52, signed
    const Vec f = reinterpret_cast<Vec>(bits_ - exponent) - 1.0;
    // Signed integer (exponent >> 52) to double: by the bits of 1.5 * 2^52.
    const Mask magic = (exponent >> 52) + 0x4338000000000000LL;
    const Vec k = reinterpret_cast<Vec>(magic) - 6755399441055744.0;
    const Vec s = f / (2.0 + f), z = s * s, w = z * z;
    const Vec odd = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
    const Vec even = z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
    const Vec half = 0.5 * f * f;
    return k * LN2_HIGH - ((half - (s * (half + odd + even) + k * LN2_LOW)) - f);
}

// Exponential, to about one ulp; the argument is clamped to +-700.
YL_INLINE Vec exp(Vec x) {
    x = x > 700.0 ? broadcast(700.0) : x;
    x = x < -700.0 ? broadcast(-700.0) : x;
    const Vec shifted = x * 1.44269504088896338700e+00 + 6755399441055744.0;
    const Vec n = shifted - 6755399441055744.0;
    const Vec r = (x - n * LN2_HIGH) - n * LN2_LOW;
    const Vec r2 = r * r, r4 = r2 * r2;
    // Taylor to r^13 in Estrin's order; the remainder is below 2^-55 on |r| < ln 2 / 2.
    const Vec a = 1.0 + r, b = 1 / 2. + r * (1 / 6.), c = 1 / 24. + r * (1 / 120.);
    const Vec d = 1 / 720. + r * (1 / 5040.), e = 1 / 40320. + r * (1 / 362880.);
    const Vec g = 1 / 3628800. + r * (1 / 39916800.), h = 1 / 479001600. + r * (1 / 6227020800.);
    const Vec low = a + r2 * b, middle = c + r2 * d, high = e + r2 * g;
    const Vec value = low + r4 * (middle + r4 * (high + r4 * h));
    const Mask scale = (reinterpret_cast<Mask>(shifted) << 52) + 0x3ff0000000000000LL;
    return value * reinterpret_cast<Vec>(scale);
}

}  // namespace YL_ARCH
