// Chooses the instruction set when the program runs; itself compiled for the plainest machine.
#include <stddef.h>
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

#define AT(field) offsetof(yl_setup, field)
#define OF(field) offsetof(yl_sheet, field)
#define IN(field) offsetof(yl_report, field)

YL_EXPORT const unsigned long *yl_layout(int *count) {
    static const unsigned long layout[] = {
        sizeof(yl_setup), AT(elements), AT(unknowns), AT(half_band), AT(gradients), AT(volumes), AT(dofs), AT(signs),
        AT(force_factor), AT(patches), AT(quantities), AT(patch_weights), AT(poisson), AT(tolerance), AT(point_tolerance),
        AT(cut_back),
        sizeof(yl_sheet), OF(young), OF(cos2), OF(sin2), OF(hardening_values), OF(hardening), OF(isotropic),
        OF(end_displacement), OF(steps), OF(times), OF(is_output),
        sizeof(yl_report), IN(status), IN(time), IN(force), IN(largest_plastic_strain), IN(steps), IN(cut_backs),
        IN(stiffnesses), IN(residuals)};
    *count = sizeof(layout) / sizeof(layout[0]);
    return layout;
}

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

YL_EXPORT int yl_load(yl_solver *s, const yl_sheet *sheet) {
    YL_TIMED(YL_REST);
    return s->kernel->load(s->solver, sheet);
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
