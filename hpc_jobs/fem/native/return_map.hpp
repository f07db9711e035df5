// Plane-stress return mapping, fully implicit, with its consistent tangent.
//
// Unknowns are the stress s and the plastic increment dp, residuals
//
//     R = S (s - s_trial) + dp n(s),    rho = sigma_bar(s) - k(p + dp),
//
// S the elastic compliance. With Xi = (S + dp H)^-1 a Newton step is
//
//     ddp = (rho - n Xi R) / (n Xi n + k'),    ds = -Xi (R + ddp n),
//
// and the tangent Xi - b Xi n (Xi n)^T, b = 1/(n Xi n + k'). Simo and Hughes 1998, ch. 3.
// In the basis (m, d, t) of linear_forms.hpp the compliance is diagonal.
#pragma once
#include "hardening.hpp"
#include "linear_forms.hpp"

namespace YL_ARCH {

struct Material {
    LinearForms yield;
    Hardening hardening;
    double young, poisson;
    double stiff_m, stiff_d;    // of (m, d): stress over its conjugate strain; t has that of d
    double soft_m, soft_d;      // inverses
    double unit;                // a typical |s|/(sigma_bar E): makes an error of sigma_bar a strain
    double never_yields;        // a stress_power that is elastic at any plastic strain
    double tolerance;           // of the residuals, as a strain, before a last Newton step
};

template <class T>
struct Solution {
    Triple<T> stress;
    T p;                  // plastic strain at the end of the step
    Symmetric<T> tangent;
    Triple<T> flow;       // d(dp)/d(strain)
    T b;
};

template <class T>
struct Residual {
    T k, slope, x, y, z, rho, size;  // x, y, z the components of R
    Triple<T> n;
    Symmetric<T> h;
};

template <class T>
YL_INLINE void residual(const Material &a, const Triple<T> &trial, T p, const Triple<T> &s, T dp, Residual<T> &r) {
    flow_stress(a.hardening, p + dp, r.k, r.slope);
    r.rho = evaluate(a.yield, s, r.k, r.n, r.h) - r.k;
    r.x = a.soft_m * (s.m - trial.m) + dp * r.n.m;
    r.y = a.soft_d * (s.d - trial.d) + dp * r.n.d;
    r.z = a.soft_d * (s.t - trial.t) + dp * r.n.t;
    const T scaled = a.unit * r.rho;
    r.size = r.x * r.x + r.y * r.y + r.z * r.z + scaled * scaled;
}

// Xi = (S + dp H)^-1, Xi n and b at a residual.
template <class T>
YL_INLINE void linearise(const Material &a, T dp, const Residual<T> &r, Symmetric<T> &xi, Triple<T> &xn, T &b) {
    const T mm = a.soft_m + dp * r.h.mm, dd = a.soft_d + dp * r.h.dd, tt = a.soft_d + dp * r.h.tt;
    const T md = dp * r.h.md, mt = dp * r.h.mt, dt = dp * r.h.dt;
    const T i_mm = dd * tt - dt * dt, i_md = mt * dt - md * tt, i_mt = md * dt - mt * dd;
    const T i_dd = mm * tt - mt * mt, i_dt = md * mt - mm * dt, i_tt = mm * dd - md * md;
    const T det = mm * i_mm + md * i_md + mt * i_mt;
    const Triple<T> an = {i_mm * r.n.m + i_md * r.n.d + i_mt * r.n.t,
                          i_md * r.n.m + i_dd * r.n.d + i_dt * r.n.t,
                          i_mt * r.n.m + i_dt * r.n.d + i_tt * r.n.t};
    // One division for 1/det and b = 1/(n adj n / det + k') = det/(n adj n + det k').
    const T slip = r.n.m * an.m + r.n.d * an.d + r.n.t * an.t + det * r.slope;
    const T inverse = 1.0 / (det * slip);
    const T over = inverse * slip;
    b = inverse * det * det;
    xi = {over * i_mm, over * i_md, over * i_mt, over * i_dd, over * i_dt, over * i_tt};
    xn = {over * an.m, over * an.d, over * an.t};
}

template <class T>
struct Step {
    T p;
    Triple<T> s;
};

template <class T>
YL_INLINE Step<T> newton_step(const Residual<T> &r, const Symmetric<T> &xi, const Triple<T> &xn, T b) {
    const T ddp = b * (r.rho - xn.m * r.x - xn.d * r.y - xn.t * r.z);
    const T x = r.x + ddp * r.n.m, y = r.y + ddp * r.n.d, z = r.z + ddp * r.n.t;
    return {ddp, {-(xi.mm * x + xi.md * y + xi.mt * z), -(xi.md * x + xi.dd * y + xi.dt * z),
                  -(xi.mt * x + xi.dt * y + xi.tt * z)}};
}

template <class T>
YL_INLINE Symmetric<T> elastic_tangent(const Material &a) {
    const T z = T{};
    return {z + a.stiff_m, z, z, z + a.stiff_d, z, z + a.stiff_d};
}

// One point the careful way, from the yield surface, with a walk back along steps that do not
// improve. Returns false if it does not converge.
static bool project(const Material &a, const Triple<double> &trial, double p, Solution<double> &out) {
    Triple<double> n;
    Symmetric<double> h;
    const double bar = equivalent_stress(a.yield, trial);
    evaluate(a.yield, trial, bar, n, h);
    // Scalar consistency with the trial's direction first, which a steep hardening law needs.
    const double stiffness = a.stiff_m * n.m * n.m + a.stiff_d * (n.d * n.d + n.t * n.t);
    double dp = 0, k, slope;
    flow_stress(a.hardening, p, k, slope);
    for (int i = 0; i < 40; ++i) {
        dp += (bar - stiffness * dp - k) / (stiffness + slope);
        flow_stress(a.hardening, p + dp, k, slope);
        if (abs(bar - stiffness * dp - k) < 1e-3 * k) break;
    }
    const double ratio = k / bar;
    Triple<double> s = {ratio * trial.m, ratio * trial.d, ratio * trial.t};
    Step<double> step = {0, {0, 0, 0}};
    double best = 1e300, length = 0;
    for (int i = 0; i < 60; ++i) {
        Residual<double> r;
        residual(a, trial, p, s, dp, r);
        if (!(r.size < best) && length > 1e-4) {
            length *= 0.5;
            s = {s.m - length * step.s.m, s.d - length * step.s.d, s.t - length * step.s.t};
            dp -= length * step.p;
            continue;
        }
        best = r.size;
        Symmetric<double> xi;
        Triple<double> xn;
        double b;
        linearise(a, dp, r, xi, xn, b);
        if (r.size < a.tolerance * a.tolerance) {
            out.stress = s;
            out.p = p + dp;
            out.b = b;
            out.flow = {b * xn.m, b * xn.d, b * xn.t};
            out.tangent = {xi.mm - out.flow.m * xn.m, xi.md - out.flow.m * xn.d, xi.mt - out.flow.m * xn.t,
                           xi.dd - out.flow.d * xn.d, xi.dt - out.flow.d * xn.t, xi.tt - out.flow.t * xn.t};
            return true;
        }
        step = newton_step(r, xi, xn, b);
        length = 1;
        if (dp + step.p <= 0) length = -0.9 * dp / step.p;  // the increment stays positive
        s = {s.m + length * step.s.m, s.d + length * step.s.d, s.t + length * step.s.t};
        dp += length * step.p;
    }
    return false;
}

// What does not converge at once is approached in 4, then 16 pieces from the yield surface.
static bool project_in_pieces(const Material &a, const Triple<double> &trial, double p, Solution<double> &out) {
    if (project(a, trial, p, out)) return true;
    double k, slope;
    flow_stress(a.hardening, p, k, slope);
    const double ratio = k / equivalent_stress(a.yield, trial);
    for (int pieces = 4; pieces <= 16; pieces *= 4) {
        const double part = (1 - ratio) / pieces;
        out.stress = {ratio * trial.m, ratio * trial.d, ratio * trial.t};
        out.p = p;
        int done = 0;
        while (done < pieces) {
            const Triple<double> next = {out.stress.m + part * trial.m, out.stress.d + part * trial.d,
                                         out.stress.t + part * trial.t};
            if (!project(a, next, out.p, out)) break;
            ++done;
        }
        if (done == pieces) return true;
    }
    return false;
}

// A guess for lanes without history: the trial's direction, scalar consistency along it, which a
// steep hardening law needs.
static __attribute__((noinline)) void start(const Material &a, const Triple<Vec> &trial, Vec p, Vec bar, Vec k, Vec slope,
                                            Mask lanes, Solution<Vec> &guess) {
    Triple<Vec> n;
    Symmetric<Vec> h;
    evaluate(a.yield, trial, bar, n, h);
    const Vec stiffness = a.stiff_m * n.m * n.m + a.stiff_d * (n.d * n.d + n.t * n.t);
    Vec dp = Vec{};
    for (int i = 0; i < 12; ++i) {
        dp += (bar - stiffness * dp - k) / (stiffness + slope);
        flow_stress(a.hardening, p + dp, k, slope);
        if (!any(lanes & (abs(bar - stiffness * dp - k) > 1e-3 * k))) break;
    }
    const Vec ratio = k / bar;
    guess.stress = {select(lanes, ratio * trial.m, guess.stress.m), select(lanes, ratio * trial.d, guess.stress.d),
                    select(lanes, ratio * trial.t, guess.stress.t)};
    guess.p = select(lanes, p + dp, guess.p);
}

constexpr int QUICK_ITERATIONS = 6;

// All lanes of a vector at once, from a guess of stress and p that `io` holds and is replaced. Once the
// residuals are below the tolerance a last Newton step, with its stiffness, squares what is left.
// Returns the lanes that this does not bring to an end.
template <bool TANGENT>
YL_INLINE Mask return_map(const Material &a, const Triple<Vec> &trial, Vec p, Solution<Vec> &io) {
    Triple<Vec> s = io.stress;
    Vec dp = io.p - p, b;
    Mask open;
    Symmetric<Vec> xi;
    Triple<Vec> xn;
    for (int i = 0; i < QUICK_ITERATIONS; ++i) {
        Residual<Vec> r;
        residual(a, trial, p, s, dp, r);
        linearise(a, dp, r, xi, xn, b);
        const auto step = newton_step(r, xi, xn, b);
        s = {s.m + step.s.m, s.d + step.s.d, s.t + step.s.t};
        dp += step.p;
        open = ~((r.size < a.tolerance * a.tolerance) & (dp >= 0.0));
        if (!any(open)) break;
    }
    io.stress = s;
    io.p = p + dp;
    if (TANGENT) {
        io.b = b;
        io.flow = {b * xn.m, b * xn.d, b * xn.t};
        io.tangent = {xi.mm - io.flow.m * xn.m, xi.md - io.flow.m * xn.d, xi.mt - io.flow.m * xn.t,
                      xi.dd - io.flow.d * xn.d, xi.dt - io.flow.d * xn.t, xi.tt - io.flow.t * xn.t};
    }
    return open;
}

// The same with the stiffness of an earlier solution nearby, which needs no Hessian: with its tangent D,
// flow f and b a Newton step is ds = -D R - f rho, ddp = b rho - f R.
YL_INLINE Mask return_by_chord(const Material &a, const Triple<Vec> &trial, Vec p, const Symmetric<Vec> &D, const Triple<Vec> &f,
                               Vec b, Solution<Vec> &io) {
    Triple<Vec> s = io.stress;
    Vec dp = io.p - p;
    Mask open;
    for (int i = 0; i < QUICK_ITERATIONS; ++i) {
        Residual<Vec> r;
        residual(a, trial, p, s, dp, r);
        s.m -= D.mm * r.x + D.md * r.y + D.mt * r.z + f.m * r.rho;
        s.d -= D.md * r.x + D.dd * r.y + D.dt * r.z + f.d * r.rho;
        s.t -= D.mt * r.x + D.dt * r.y + D.tt * r.z + f.t * r.rho;
        dp += b * r.rho - f.m * r.x - f.d * r.y - f.t * r.z;
        open = ~((r.size < a.tolerance * a.tolerance) & (dp >= 0.0));
        if (!any(open)) break;
    }
    io.stress = s;
    io.p = p + dp;
    return open;
}

// Elastic in the lanes that do not yield.
YL_INLINE void keep_elastic(const Material &a, const Triple<Vec> &trial, Vec p, Mask plastic, Solution<Vec> &io) {
    const auto e = elastic_tangent<Vec>(a);
    const Vec zero = Vec{};
    io.stress = {select(plastic, io.stress.m, trial.m), select(plastic, io.stress.d, trial.d), select(plastic, io.stress.t, trial.t)};
    io.p = select(plastic, io.p, p);
    io.flow = {select(plastic, io.flow.m, zero), select(plastic, io.flow.d, zero), select(plastic, io.flow.t, zero)};
    io.tangent = {select(plastic, io.tangent.mm, e.mm), select(plastic, io.tangent.md, zero),
                  select(plastic, io.tangent.mt, zero), select(plastic, io.tangent.dd, e.dd),
                  select(plastic, io.tangent.dt, zero), select(plastic, io.tangent.tt, e.tt)};
}

// Lane by lane for those in `open`; returns the lanes that fail for good.
static __attribute__((noinline)) int careful(const Material &a, const Triple<Vec> &trial, Vec p, int open, Solution<Vec> &io) {
    int failed = 0;
    for (int lane = 0; lane < LANES; ++lane) {
        if (!(open >> lane & 1)) continue;
        Solution<double> one;
        if (!project_in_pieces(a, {trial.m[lane], trial.d[lane], trial.t[lane]}, p[lane], one)) {
            failed |= 1 << lane;
            continue;
        }
        io.stress.m[lane] = one.stress.m, io.stress.d[lane] = one.stress.d, io.stress.t[lane] = one.stress.t;
        io.p[lane] = one.p;
        io.flow.m[lane] = one.flow.m, io.flow.d[lane] = one.flow.d, io.flow.t[lane] = one.flow.t;
        io.b[lane] = one.b;
        io.tangent.mm[lane] = one.tangent.mm, io.tangent.md[lane] = one.tangent.md;
        io.tangent.mt[lane] = one.tangent.mt, io.tangent.dd[lane] = one.tangent.dd;
        io.tangent.dt[lane] = one.tangent.dt, io.tangent.tt[lane] = one.tangent.tt;
    }
    return failed;
}

}  // namespace YL_ARCH
