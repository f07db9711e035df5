// The four-node quadrilateral with 2 x 2 points: LANES elements at once, one per lane.
//
// Plane stress does not lock, so full integration serves; all integrals run over the initial volume.
// Shape function gradients sum to zero over the nodes. So displacements count relative to the
// fourth node, only three nodes' rows are integrated, and the fourth's follow from them.
#pragma once
#include "log_strain.hpp"
#include "profile.hpp"
#include "return_map.hpp"

namespace YL_ARCH {

constexpr int POINTS = 4;

struct Point {  // what never changes
    Vec gradient[3][2];  // 1/mm, of the first three nodes
    Vec volume;          // mm^3
};

struct State {  // at the last converged step, in rolling axes
    Triple<Vec> plastic;
    Vec p;
};

struct Iterate {  // at the last evaluation, in rolling axes: the next one starts from here
    Triple<Vec> strain, stress;
    Vec p;
    Symmetric<Vec> tangent;
    Triple<Vec> flow;  // and b: of the last evaluation with a stiffness, like the tangent
    Vec b;
};

struct Rotation {  // cos and sin of twice the angle from the rolling direction to the specimen
    double cos2, sin2;
};

struct Group {  // LANES elements
    Point point[POINTS];
    int dof[8][LANES];             // slots of the displacement vector
    int entry[36][LANES];          // slots of the band, upper half of the 8 x 8 matrix by columns
    Vec sign[4];                   // -1 where a node stands for its image; see `folded`
    bool folded;
    int valid;                     // lanes that are not padding
};

enum Outcome { FINE = 0, RETURN_MAP_FAILED = 1, ELEMENT_INVERTED = 2 };

YL_INLINE void turn(Vec &d, Vec &t, double cos2, double sin2) {
    const Vec old = d;
    d = cos2 * old + sin2 * t;
    t = cos2 * t - sin2 * old;
}

YL_INLINE void turn(Symmetric<Vec> &a, double cos2, double sin2) {
    const double cc = cos2 * cos2, ss = sin2 * sin2, cs = cos2 * sin2;
    a = {a.mm, cos2 * a.md + sin2 * a.mt, cos2 * a.mt - sin2 * a.md,
         cc * a.dd + 2 * cs * a.dt + ss * a.tt, (cc - ss) * a.dt + cs * (a.tt - a.dd),
         ss * a.dd - 2 * cs * a.dt + cc * a.tt};
}

YL_INLINE Symmetric<Vec> turned(Symmetric<Vec> a, double cos2, double sin2) {
    turn(a, cos2, sin2);
    return a;
}

// What `update` does where some lane is elastic, yields for the first time, unloads or is hard to solve.
template <bool TANGENT>
static __attribute__((noinline)) bool update_carefully(const Material &a, const State &last, const Triple<Vec> &trial,
                                                       Mask guessed, Solution<Vec> &solution) {
    const Vec phi = stress_power(a.yield, trial);
    if (!any(phi > a.never_yields)) {
        solution = {trial, last.p, elastic_tangent<Vec>(a), {Vec{}, Vec{}, Vec{}}, Vec{}};
        return true;
    }
    const Vec bar = a.yield.reference * root(a.yield.exponent, phi);
    Vec k, slope;
    flow_stress(a.hardening, last.p, k, slope);
    const Mask plastic = bar > k;
    int open = 0;
    if (any(plastic)) {
        const Mask fresh = plastic & ~guessed;
        if (any(fresh)) start(a, trial, last.p, bar, k, slope, fresh, solution);
        open = bits(plastic & return_map<TANGENT>(a, trial, last.p, solution));
    }
    keep_elastic(a, trial, last.p, plastic, solution);
    return !open || !careful(a, trial, last.p, open, solution);
}

// Stress of one point from its strain in rolling axes; `now` holds the last iterate and takes this one.
// The guess lies on the last iterate's tangent. Where that makes all lanes flow, and flow it is, the trial
// stress need not be tested: the solution is unique.
template <bool TANGENT>
YL_INLINE bool update(const Material &a, const State &last, Iterate &now, const Triple<Vec> &strain, bool cold) {
    const Triple<Vec> trial = {a.stiff_m * (strain.m - last.plastic.m), a.stiff_d * (strain.d - last.plastic.d),
                               a.stiff_d * (strain.t - last.plastic.t)};
    const Triple<Vec> e = {strain.m - now.strain.m, strain.d - now.strain.d, strain.t - now.strain.t};
    const Triple<Vec> ds = multiply(now.tangent, e);
    Solution<Vec> solution;
    solution.stress = {now.stress.m + ds.m, now.stress.d + ds.d, now.stress.t + ds.t};
    solution.p = now.p + now.flow.m * e.m + now.flow.d * e.d + now.flow.t * e.t;
    const Mask guessed = (cold ? Mask{} : ~Mask{}) & (solution.p > last.p);
    bool solved = all(guessed);
    if (solved && TANGENT) solved = !any(return_map<TANGENT>(a, trial, last.p, solution));
    if (solved && !TANGENT) solved = !any(return_by_chord(a, trial, last.p, now.tangent, now.flow, now.b, solution));
    if (!solved)
        if (!update_carefully<TANGENT>(a, last, trial, all(guessed) ? Mask{} : guessed, solution)) return false;
    now.strain = strain;
    now.stress = solution.stress;
    now.p = solution.p;
    if (TANGENT) {
        now.tangent = solution.tangent;
        now.flow = solution.flow;
        now.b = solution.b;
    }
    return true;
}

// Internal forces and, if TANGENT, the stiffness of one group; both are scattered.
template <bool TANGENT>
static Outcome evaluate_group(const Material &a, const Rotation &rotation, const Group &group, const State *last, Iterate *now,
                              const double *displacement, double *force, double *band, bool cold) {
    YL_TIMED(YL_ELEMENTS);
    Vec u[8];
    for (int i = 0; i < 8; ++i)
        for (int lane = 0; lane < LANES; ++lane) u[i][lane] = displacement[group.dof[i][lane]];
    if (group.folded)
        for (int i = 0; i < 8; ++i) u[i] *= group.sign[i / 2];
    for (int i = 0; i < 6; ++i) u[i] -= u[6 + i % 2];
    Vec f[8] = {}, stiffness[36];
    Vec K[3][3][2][2] = {};  // of nodes a <= b
    for (int q = 0; q < POINTS; ++q) {
        const Point &point = group.point[q];
        const auto &N = point.gradient;
        const Vec H_xx = u[0] * N[0][0] + u[2] * N[1][0] + u[4] * N[2][0];
        const Vec H_xy = u[0] * N[0][1] + u[2] * N[1][1] + u[4] * N[2][1];
        const Vec H_yx = u[1] * N[0][0] + u[3] * N[1][0] + u[5] * N[2][0];
        const Vec H_yy = u[1] * N[0][1] + u[3] * N[1][1] + u[5] * N[2][1];
        Hencky k;
        const Vec J = hencky(H_xx, H_xy, H_yx, H_yy, k);
        if (!all(J > 0.0)) return ELEMENT_INVERTED;
        Triple<Vec> strain = {k.e_sum, k.e_diff, k.gamma};
        turn(strain.d, strain.t, rotation.cos2, -rotation.sin2);
        if (!update<TANGENT>(a, last[q], now[q], strain, cold)) return RETURN_MAP_FAILED;
        Triple<Vec> T = now[q].stress;
        turn(T.d, T.t, rotation.cos2, rotation.sin2);
        const Symmetric<Vec> gradient = strain_gradient(k);
        const Triple<Vec> S = multiply(gradient, T);
        const Vec volume = point.volume;
        const Vec S_xx = volume * (S.m + S.d), S_yy = volume * (S.m - S.d), S_xy = volume * S.t;
        const Vec F_xx = 1.0 + H_xx, F_yy = 1.0 + H_yy;
        const Vec P_xx = F_xx * S_xx + H_xy * S_xy, P_xy = F_xx * S_xy + H_xy * S_yy;
        const Vec P_yx = H_yx * S_xx + F_yy * S_xy, P_yy = H_yx * S_xy + F_yy * S_yy;
        for (int i = 0; i < 3; ++i) {
            f[2 * i] += N[i][0] * P_xx + N[i][1] * P_xy;
            f[2 * i + 1] += N[i][0] * P_yx + N[i][1] * P_yy;
        }
        if (!TANGENT) continue;
        const Symmetric<Vec> D = turned(now[q].tangent, rotation.cos2, rotation.sin2);
        const Symmetric<Vec> c = piola_tangent(k, gradient, T, D);
        // Over Green strain components (xx, yy, engineering shear), times the volume.
        const Vec vm = volume * c.mm, vd = volume * c.dd, v2 = 2.0 * volume * c.md, vt = volume * c.mt, wt = volume * c.dt;
        const Vec C_xx = vm + v2 + vd, C_xy = vm - vd, C_yy = vm - v2 + vd, C_xt = vt + wt, C_yt = vt - wt, C_tt = volume * c.tt;
        // dP/dF, entries A[iK jL]; i, j spatial, K, L initial.
        const Vec xX1 = C_xx * F_xx + C_xt * H_xy, xX2 = C_xy * F_xx + C_yt * H_xy, xX3 = C_xt * F_xx + C_tt * H_xy;
        const Vec xY1 = C_xy * H_xy + C_xt * F_xx, xY2 = C_yy * H_xy + C_yt * F_xx, xY3 = C_yt * H_xy + C_tt * F_xx;
        const Vec yX1 = C_xx * H_yx + C_xt * F_yy, yX2 = C_xy * H_yx + C_yt * F_yy, yX3 = C_xt * H_yx + C_tt * F_yy;
        const Vec yY2 = C_yy * F_yy + C_yt * H_yx, yY3 = C_yt * F_yy + C_tt * H_yx;
        const Vec xXxX = F_xx * xX1 + H_xy * xX3 + S_xx, xXxY = H_xy * xX2 + F_xx * xX3 + S_xy, xYxY = H_xy * xY2 + F_xx * xY3 + S_yy;
        const Vec yXyX = H_yx * yX1 + F_yy * yX3 + S_xx, yXyY = F_yy * yX2 + H_yx * yX3 + S_xy, yYyY = F_yy * yY2 + H_yx * yY3 + S_yy;
        const Vec xXyX = H_yx * xX1 + F_yy * xX3, xXyY = F_yy * xX2 + H_yx * xX3;
        const Vec xYyX = H_yx * xY1 + F_yy * xY3, xYyY = F_yy * xY2 + H_yx * xY3;
        for (int b = 0; b < 3; ++b) {
            const Vec n_x = N[b][0], n_y = N[b][1];
            const Vec xXx = xXxX * n_x + xXxY * n_y, xYx = xXxY * n_x + xYxY * n_y;
            const Vec xXy = xXyX * n_x + xXyY * n_y, xYy = xYyX * n_x + xYyY * n_y;
            const Vec yXx = xXyX * n_x + xYyX * n_y, yYx = xXyY * n_x + xYyY * n_y;
            const Vec yXy = yXyX * n_x + yXyY * n_y, yYy = yXyY * n_x + yYyY * n_y;
            for (int i = 0; i <= b; ++i) {
                const Vec m_x = N[i][0], m_y = N[i][1];
                K[i][b][0][0] += m_x * xXx + m_y * xYx;
                K[i][b][0][1] += m_x * xXy + m_y * xYy;
                if (i < b) K[i][b][1][0] += m_x * yXx + m_y * yYx;
                K[i][b][1][1] += m_x * yXy + m_y * yYy;
            }
        }
    }
    f[6] = -(f[0] + f[2] + f[4]);
    f[7] = -(f[1] + f[3] + f[5]);
    if (group.folded)
        for (int i = 0; i < 8; ++i) f[i] *= group.sign[i / 2];
    for (int lane = 0; lane < LANES; ++lane) {
        if (!(group.valid >> lane & 1)) continue;
        for (int i = 0; i < 8; ++i) force[group.dof[i][lane]] += f[i][lane];
    }
    if (!TANGENT) return FINE;
    for (int i = 0; i < 3; ++i) K[i][i][1][0] = K[i][i][0][1];
    Vec last_row[3][2][2], corner[2][2] = {};  // of node a with the fourth, and the fourth with itself
    for (int i = 0; i < 3; ++i)
        for (int c = 0; c < 2; ++c)
            for (int d = 0; d < 2; ++d) {
                Vec total = Vec{};
                for (int b = 0; b < 3; ++b) total += i <= b ? K[i][b][c][d] : K[b][i][d][c];
                last_row[i][c][d] = -total;
                corner[c][d] += total;
            }
    int slot = 0;
    for (int b = 0; b < 4; ++b)
        for (int d = 0; d < 2; ++d)
            for (int i = 0; i <= b; ++i)
                for (int c = 0; c < 2; ++c) {
                    if (i == b && c > d) continue;
                    Vec value = b < 3 ? K[i][b][c][d] : i < 3 ? last_row[i][c][d] : corner[c][d];
                    if (group.folded) value *= group.sign[i] * group.sign[b];
                    stiffness[slot++] = value;
                }
    YL_TIMED(YL_ASSEMBLY);
    for (int lane = 0; lane < LANES; ++lane) {
        if (!(group.valid >> lane & 1)) continue;
        for (int i = 0; i < 36; ++i) band[group.entry[i][lane]] += stiffness[i][lane];
    }
    return FINE;
}

}  // namespace YL_ARCH
