// Chooses the instruction set when the program runs; itself compiled for the plainest machine.
#include <stdlib.h>

#include "kernel.hpp"
#include "profile.hpp"

namespace portable {
extern const Kernel kernel;
}
#ifdef YL_X86
namespace avx2 {
extern const Kernel kernel;
}
namespace avx512 {
extern const Kernel kernel;
}
#endif

struct yl_solver {
    const Kernel *kernel;
    void *solver;
};

#define YL_EXPORT extern "C" __attribute__((visibility("default")))

YL_EXPORT int yl_abi(void) { return YL_ABI; }

YL_EXPORT int yl_best_path(void) {
#ifdef YL_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 1;
#endif
    return 0;
}

YL_EXPORT yl_solver *yl_open(const yl_setup *setup, int path) {
    if (path < 0 || path > yl_best_path()) return nullptr;
    const Kernel *kernel = &portable::kernel;
#ifdef YL_X86
    if (path == 1) kernel = &avx2::kernel;
    if (path == 2) kernel = &avx512::kernel;
#endif
    void *inner = kernel->open(setup);
    yl_solver *solver = inner ? static_cast<yl_solver *>(malloc(sizeof(yl_solver))) : nullptr;
    if (solver) {
        solver->kernel = kernel, solver->solver = inner;
    } else if (inner) {
        kernel->close(inner);
    }
    return solver;
}

YL_EXPORT void yl_solve(yl_solver *s, const double *coefficients, double time_limit_s, double *values, double *forces,
                        double *displacements, yl_report *report) {
    YL_TIMED(YL_REST);
    s->kernel->solve(s->solver, coefficients, time_limit_s, values, forces, displacements, report);
}

YL_EXPORT void yl_yield(const double *coefficients, int count, const double *stresses, double *results) {
    portable::kernel.yield(coefficients, count, stresses, results);
}

YL_EXPORT void yl_close(yl_solver *s) {
    if (!s) return;
    s->kernel->close(s->solver);
    free(s);
}

#ifdef YL_PROFILE
// Shares of the time within yl_solve so far: rest, elements, assembly, factorisation, substitution.
YL_EXPORT void yl_profile(double *shares) {
    double all = 0;
    for (int i = YL_REST; i < YL_PHASES; ++i) all += static_cast<double>(yl_ticks[i]);
    for (int i = YL_REST; i < YL_PHASES; ++i) shares[i - YL_REST] = yl_ticks[i] / all;
}
#endif
