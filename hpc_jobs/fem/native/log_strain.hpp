// Logarithmic strain in total-Lagrangian form, closed and without eigenvectors.
//
// The right Cauchy-Green tensor C is held as m = (Cxx + Cyy)/2, h = (Cxx - Cyy)/2, g = Cxy. With
// D = m^2 - h^2 - g^2 = det C, y = (h^2 + g^2)/m^2 and B(y) = atanh(sqrt y)/sqrt y, E = ln(C)/2 is
//
//     e_sum = ln(D)/2,    (e_diff, gamma) = beta (h, g),    beta = B(y)/m,
//
// the gradient of a potential psi(m, h, g). So J = dE/d(m, h, g) is psi's Hessian,
//
//     J = | m/D       -h/D              -g/D            |
//         | -h/D   beta + kappa h^2   kappa h g         |    kappa = 2 B'(y)/m^3,
//         | -g/D   kappa h g          beta + kappa g^2  |
//
// the second Piola-Kirchhoff stress is S = J T for the stress T conjugate to E, and its tangent
// J (dT/dE) J + G, where G is the derivative of J along the direction T: all in the basis of
// linear_forms.hpp. The same as the divided differences of Miehe, Apel and Lambrecht, CMAME 191 (2002)
// 5383-5425, which hpc_jobs/fem/reference/log_strain.py spells out.
#pragma once
#include "linear_forms.hpp"

namespace YL_ARCH {

// Economised series of B, B' and B'' on 0 <= y <= 0.16: errors 4e-18, 1e-15 and 2e-10, the last
// two only ever multiplied by y. There a principal stretch ratio is below 1.53.
constexpr double SERIES_LIMIT = 0.16;

YL_INLINE Vec series_B(Vec y) {
    const Vec y2 = y * y, y4 = y2 * y2;
    const Vec a = (0.999999999999999997 + y * 0.333333333333339551) + y2 * (0.199999999998152622 + y * 0.142857143071625991);
    const Vec b = (0.111111098280666138 + y * 0.0909095422594738518) + y2 * (0.0769130553539208259 + y * 0.0668122440454864258);
    const Vec c = (0.0574260884066186854 + y * 0.0613504335260846081) + y2 * (0.0142027510153455837 + y * 0.111279998802890102);
    return a + y4 * (b + y4 * c);
}

YL_INLINE Vec series_B1(Vec y) {
    const Vec y2 = y * y, y4 = y2 * y2;
    const Vec a = (0.333333333333334365 + y * 0.399999999998440547) + y2 * (0.428571428959986856 + y * 0.444444406797161152);
    const Vec b = (0.454547318641040298 + y * 0.461484860207456229) + y2 * (0.467621474109950015 + y * 0.459769936751070941);
    const Vec c = (0.551154163579488762 + y * 0.142589260273466565) + y2 * 1.22606089979293254;
    return a + y4 * (b + y4 * c);
}

YL_INLINE Vec series_B2(Vec y) {
    const Vec y2 = y * y, y4 = y2 * y2;
    const Vec a = (0.399999999879480937 + y * 0.857142953424695778) + y2 * (1.33332078541486179 + y * 1.81880065191358101);
    const Vec b = (2.29284182342159328 + y * 2.99069609590739431) + y2 * (1.97534909176828984 + y * 8.21232761333990923);
    return a + y4 * b;
}

struct Hencky {
    Vec m, h, g, over_D;      // of C, and 1/det C
    Vec B, B1, B2, over_m;    // the series at y, and 1/m
    Vec e_sum, e_diff, gamma;
};

// Beyond the series, by logarithms; y is well away from zero here in the lanes that matter.
static __attribute__((noinline)) void hencky_large(Hencky &k, Vec y, Vec J, Mask lanes) {
    const Vec safe = select(lanes, y, broadcast(0.5)), x = sqrt(safe), over = 1.0 / (1.0 - safe);
    const Vec B = 0.5 * log((1.0 + x) / (1.0 - x)) / x;
    const Vec B1 = (over - B) / (2.0 * safe);
    k.B = select(lanes, B, k.B);
    k.B1 = select(lanes, B1, k.B1);
    k.B2 = select(lanes, (over * over - 3.0 * B1) / (2.0 * safe), k.B2);
    k.e_sum = select(lanes, log(J), k.e_sum);
}

// Strain of a deformation gradient F = 1 + H; J = det F must be positive.
YL_INLINE Vec hencky(Vec H_xx, Vec H_xy, Vec H_yx, Vec H_yy, Hencky &k) {
    const Vec F_xx = 1.0 + H_xx, F_yy = 1.0 + H_yy;
    const Vec C_xx = F_xx * F_xx + H_yx * H_yx, C_yy = F_yy * F_yy + H_xy * H_xy;
    k.m = 0.5 * (C_xx + C_yy);
    // The difference without cancellation: Fxx^2 - Fyy^2 = (Hxx - Hyy)(Fxx + Fyy).
    k.h = 0.5 * ((H_xx - H_yy) * (F_xx + F_yy) + (H_yx * H_yx - H_xy * H_xy));
    k.g = F_xx * H_xy + H_yx * F_yy;
    const Vec growth = H_xx + H_yy + H_xx * H_yy - H_xy * H_yx, J = 1.0 + growth;
    const Vec twice = 1.0 + J;
    // One division for 1/m, 1/(1 + J) and 1/J.
    const Vec Jt = J * twice, inverse = 1.0 / (k.m * Jt), over_Jt = inverse * k.m;
    k.over_m = inverse * Jt;
    const Vec over_J = over_Jt * twice, s = growth * (over_Jt * J), s2 = s * s;
    k.over_D = over_J * over_J;
    const Vec y = (k.h * k.h + k.g * k.g) * (k.over_m * k.over_m);
    k.B = series_B(y);
    k.B1 = series_B1(y);
    k.B2 = series_B2(y);
    k.e_sum = 2.0 * s * series_B(s2);  // ln J = 2 atanh((J - 1)/(J + 1))
    const Mask large = (y > SERIES_LIMIT) | (s2 > SERIES_LIMIT);
    if (__builtin_expect(any(large), 0)) hencky_large(k, y, J, large);
    const Vec beta = k.B * k.over_m;
    k.e_diff = beta * k.h;
    k.gamma = beta * k.g;
    return J;
}

YL_INLINE Symmetric<Vec> strain_gradient(const Hencky &k) {
    const Vec beta = k.B * k.over_m, kappa = 2.0 * k.B1 * (k.over_m * k.over_m) * k.over_m;
    const Vec kh = kappa * k.h;
    return {k.m * k.over_D, -(k.h * k.over_D), -(k.g * k.over_D), beta + kh * k.h, kh * k.g, beta + kappa * k.g * k.g};
}

YL_INLINE Triple<Vec> multiply(const Symmetric<Vec> &a, const Triple<Vec> &x) {
    return {a.mm * x.m + a.md * x.d + a.mt * x.t, a.md * x.m + a.dd * x.d + a.dt * x.t, a.mt * x.m + a.dt * x.d + a.tt * x.t};
}

// J (dT/dE) J + G: the tangent of S over Green strains (their sum, difference, engineering shear).
YL_INLINE Symmetric<Vec> piola_tangent(const Hencky &k, const Symmetric<Vec> &J, const Triple<Vec> &T, const Symmetric<Vec> &D) {
    const Vec m2 = k.over_m * k.over_m, kappa = 2.0 * k.B1 * m2 * k.over_m;
    const Vec kappa_s = 4.0 * k.B2 * (m2 * m2) * k.over_m;
    const Vec along = k.h * T.d + k.g * T.t;
    const Vec D_dot = 2.0 * (k.m * T.m - along) * k.over_D;  // relative rate of D
    const Vec beta_dot = kappa * along - T.m * k.over_D;
    const Vec kappa_dot = kappa_s * along - 2.0 * T.m * (k.over_D * k.over_D);
    const Vec kd = kappa * T.d, kt = kappa * T.t, ph = kappa_dot * k.h, pg = kappa_dot * k.g;
    const Triple<Vec> a = multiply(D, {J.mm, J.md, J.mt});  // D J, column by column
    const Triple<Vec> b = multiply(D, {J.md, J.dd, J.dt});
    const Triple<Vec> c = multiply(D, {J.mt, J.dt, J.tt});
    Symmetric<Vec> r;
    r.mm = J.mm * a.m + J.md * a.d + J.mt * a.t + (T.m - k.m * D_dot) * k.over_D;
    r.md = J.mm * b.m + J.md * b.d + J.mt * b.t - (T.d - k.h * D_dot) * k.over_D;
    r.mt = J.mm * c.m + J.md * c.d + J.mt * c.t - (T.t - k.g * D_dot) * k.over_D;
    r.dd = J.md * b.m + J.dd * b.d + J.dt * b.t + beta_dot + k.h * (ph + 2.0 * kd);
    r.dt = J.md * c.m + J.dd * c.d + J.dt * c.t + ph * k.g + kd * k.g + kt * k.h;
    r.tt = J.mt * c.m + J.dt * c.d + J.tt * c.t + beta_dot + k.g * (pg + 2.0 * kt);
    return r;
}

}  // namespace YL_ARCH
