// The solver for one instruction set: compiled once each with YL_ARCH = portable, avx2, avx512.
#include <new>

#include "kernel.hpp"
#include "solver.hpp"

namespace YL_ARCH {

static void *open(const yl_setup *setup) {
    void *memory = aligned_alloc(64, (sizeof(Solver) + 63) / 64 * 64);
    if (!memory) return nullptr;
    Solver *solver = new (memory) Solver();
    if (solver->open(*setup)) return solver;
    solver->~Solver();
    free(memory);
    return nullptr;
}

static int load(void *solver, const yl_sheet *sheet) { return static_cast<Solver *>(solver)->load(*sheet); }

static void solve(void *solver, const double *coefficients, double limit_s, double *values, double *forces,
                  double *displacements, yl_report *report) {
    static_cast<Solver *>(solver)->solve(coefficients, limit_s, values, forces, displacements, report);
}

static void close(void *solver) {
    static_cast<Solver *>(solver)->~Solver();
    free(solver);
}

static void yield(const double *coefficients, int count, const double *stresses, double *results) {
    const LinearForms y = linear_forms(coefficients, 1);
    for (int i = 0; i < count; ++i) {
        const double *s = stresses + 3 * i;
        const Triple<double> stress = {0.5 * (s[0] + s[1]), 0.5 * (s[0] - s[1]), s[2]};
        Triple<double> n;
        Symmetric<double> h;
        double *r = results + 4 * i;
        r[0] = equivalent_stress(y, stress);
        evaluate(y, stress, r[0], n, h);
        // From conjugates of (half sum, half difference) to those of (xx, yy)
        r[1] = 0.5 * (n.m + n.d), r[2] = 0.5 * (n.m - n.d), r[3] = n.t;
    }
}

extern const Kernel kernel;
const Kernel kernel = {open, load, solve, close, yield};

}  // namespace YL_ARCH
