// Where the time goes: counters of the phases, in a build with -DYL_PROFILE only, such as
// benchmarks/fem_speed.py makes. Otherwise YL_TIMED is nothing. A phase within another is not part of it.
#pragma once

#ifdef YL_PROFILE
#include <time.h>

enum Phase { YL_ELSEWHERE, YL_REST, YL_ELEMENTS, YL_ASSEMBLY, YL_FACTORISATION, YL_SUBSTITUTION, YL_PHASES };
inline unsigned long long yl_ticks[YL_PHASES], yl_since;
inline Phase yl_phase = YL_ELSEWHERE;

struct Timed {
    const Phase outer;
    static unsigned long long now() {
#if defined(__x86_64__)
        return __builtin_ia32_rdtsc();
#else
        timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000000ull + t.tv_nsec;
#endif
    }
    static void enter(Phase phase) {
        const unsigned long long tick = now();
        yl_ticks[yl_phase] += tick - yl_since;
        yl_phase = phase, yl_since = tick;
    }
    explicit Timed(Phase phase) : outer(yl_phase) { enter(phase); }
    ~Timed() { enter(outer); }
};
#define YL_TIMED(phase) const Timed timed_##phase(phase)
#else
#define YL_TIMED(phase)
#endif
