// Newton's method under displacement control.
//
// The load steps are given: the same for all records, so that what they measure varies smoothly with
// the parameters. A step starts from an extrapolation of the last three; one that fails is halved.
// Within a step the stiffness is kept while the residual falls fast enough (chord steps).
#pragma once
#include <time.h>

#include "specimen.hpp"

namespace YL_ARCH {

constexpr int ITERATIONS = 24;            // of one step
constexpr int BUDGET = 4000;              // iterations of one specimen, beside
constexpr int BUDGET_OF_STEP = 10;        // those of each step that was asked for
constexpr double SMALLEST_STEP = 1e-5;    // of the end displacement
constexpr double PEAK_PASSED = 1e-6;      // relative loss of force that counts as passing the peak
constexpr double FALL_FOR_GOOD = 0.03;    // relative loss of force after which it is not expected to rise again
constexpr double CHORD_CONTRACTION = 0.2; // a slower fall of the residual asks for a new stiffness

// Processor time of this thread: a busy or suspended machine costs no record its result.
inline double now_s() {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

struct Trajectory {  // displacements of the last converged steps, newest last
    Array<double> displacement[3];
    double time[3];
    int step[3];  // index of the load step; -1 for one in between
    int known;
};

struct Solver {
    Specimen specimen;
    Material material;
    Array<double> times, hardening, direction, trial, reference;  // reference: (steps, unknowns), of an isotropic sheet
    Array<unsigned char> is_output;
    Trajectory past;
    int steps;
    double end_displacement, tolerance, force_factor, deadline;
    bool cut_back, has_direction, has_reference, recording, cold;
    yl_report *report;

    bool open(const yl_setup &s);
    bool load(const yl_sheet &s);
    void solve(const double *coefficients, double time_limit_s, double *values, double *forces, double *displacements, yl_report *out);

  private:
    void set_elasticity(double young);
    void set_yield_function(const double *coefficients);
    bool elastic_direction();
    void record_reference();
    void reset();
    void predict(double time, int step);
    void prescribe(double time);
    template <bool TANGENT> int evaluate();
    int equilibrate();
    int correct();
    int advance(double time, int step);
    void accept(double time, int step);
    double largest_plastic_strain() const;
    double axial_force() const { return force_factor * specimen.force[specimen.drawn]; }
    int necked(const struct Fall &fall);
    int pull(double *values, double *forces, double *displacements);
};

inline bool Solver::open(const yl_setup &s) {
    if (!specimen.build(s)) return false;
    steps = 0;
    tolerance = s.tolerance, force_factor = s.force_factor, cut_back = s.cut_back != 0;
    const size_t n = s.unknowns;
    if (!(direction.allocate(n) && trial.allocate(n))) return false;
    for (auto &row : past.displacement)
        if (!row.allocate(n)) return false;
    material.poisson = s.poisson, material.tolerance = s.point_tolerance;
    has_reference = recording = false;
    has_direction = elastic_direction();
    return true;
}

inline bool Solver::load(const yl_sheet &s) {
    const size_t n = specimen.unknowns;
    has_reference = false;
    steps = 0;
    if (!(times.allocate(s.steps) && is_output.allocate(s.steps) && hardening.allocate(s.hardening_values))) return false;
    if (s.isotropic && !reference.allocate(n * s.steps)) return false;
    steps = s.steps, end_displacement = s.end_displacement;
    memcpy(times.data, s.times, steps * sizeof(double));
    memcpy(is_output.data, s.is_output, steps);
    specimen.outputs = 0;
    for (int i = 0; i < steps; ++i) specimen.outputs += is_output[i] != 0;
    specimen.rotation = {s.cos2, s.sin2};
    set_elasticity(s.young);
    memcpy(hardening.data, s.hardening, s.hardening_values * sizeof(double));
    material.hardening = hardening_law(hardening.data);
    if (s.isotropic) {
        set_yield_function(s.isotropic);
        record_reference();
    }
    return true;
}

inline void Solver::set_elasticity(double young) {
    material.young = young;
    material.stiff_m = young / (2 * (1 - material.poisson)), material.stiff_d = young / (2 * (1 + material.poisson));
    material.soft_m = 1 / material.stiff_m, material.soft_d = 1 / material.stiff_d;
}

inline void Solver::set_yield_function(const double *coefficients) {
    double k, slope;
    flow_stress(material.hardening, 0.01, k, slope);
    material.yield = linear_forms(coefficients, k);
    double first, last;
    flow_stress(material.hardening, 0.0, first, slope);
    flow_stress(material.hardening, 1e3, last, slope);  // a law may soften
    material.never_yields = power(material.yield.exponent, max(first < last ? first : last, 0.0) / k);
    material.unit = 1 / (equivalent_stress(material.yield, Triple<double>{0.5, 0.5, 0}) * material.young);
}

// Response of the free unknowns to a unit end displacement, linear elastic: the first guess. Young's modulus and
// the angle do not change it, so that any sheet that does not yield serves.
inline bool Solver::elastic_direction() {
    const double tiny = 1e-7;
    const double rigid[] = {VOCE, 1, 0, 1};
    const double root_2 = __builtin_sqrt(0.5), von_mises[] = {2, 1, -1, __builtin_sqrt(6.0), root_2, 0, 0, root_2, 0};
    material.hardening = hardening_law(rigid);
    set_elasticity(1);
    set_yield_function(von_mises);
    yl_report ignored = {};
    report = &ignored;
    reset();
    end_displacement = tiny;
    memset(specimen.displacement.data, 0, specimen.slots * sizeof(double));
    prescribe(1);
    if (evaluate<true>() || !factorise(specimen.band, specimen.over, specimen.blocks, specimen.vectors)) return false;
    if (correct()) return false;
    for (int i = 0; i < specimen.unknowns; ++i) direction[i] = specimen.displacement[i] / tiny;
    return true;
}

// An isotropic sheet's trajectory. What a record adds to it is smoother than the record itself, across
// first yield above all. It depends on the set-up alone, so that no record depends on another.
inline void Solver::record_reference() {
    yl_report ignored = {};
    report = &ignored;
    deadline = now_s() + 60;
    recording = true;
    has_reference = pull(nullptr, nullptr, nullptr) == YL_OK;
    recording = false;
}

inline void Solver::reset() {
    const int points = specimen.groups * POINTS;
    memset(static_cast<void *>(specimen.state.data), 0, points * sizeof(State));
    memset(static_cast<void *>(specimen.iterate.data), 0, points * sizeof(Iterate));
    for (int i = 0; i < points; ++i) specimen.iterate[i].tangent = elastic_tangent<Vec>(material);
    past.known = 0;
    cold = false;
}

inline void Solver::prescribe(double time) {
    double *u = specimen.displacement.data;
    u[specimen.fixed] = 0;
    u[specimen.drawn] = 0.5 * time * end_displacement;
    u[specimen.drawn_back] = -0.5 * time * end_displacement;
}

// Lagrange's polynomial through the last steps, of the difference to the reference where there is one.
inline void Solver::predict(double time, int step) {
    double *u = specimen.displacement.data;
    const int n = specimen.unknowns;
    prescribe(time);
    bool scheduled = has_reference && step >= 0;  // else a step after a cut-back, which the reference lacks
    for (int i = 0; i < past.known; ++i) scheduled = scheduled && past.step[i] >= 0;
    const double *reference_now = scheduled ? reference.data + static_cast<size_t>(step) * n : nullptr;
    if (reference_now && past.known == 0) {
        memcpy(u, reference_now, n * sizeof(double));
    } else if (past.known == 0) {
        for (int i = 0; i < n; ++i) u[i] = time * end_displacement * direction[i];
    } else {
        double weight[3];
        const int known = past.known, origin = known < 3;  // the undeformed state is a point too
        for (int i = 0; i < known; ++i) {
            weight[i] = origin ? time / past.time[i] : 1;
            for (int j = 0; j < known; ++j)
                if (j != i) weight[i] *= (time - past.time[j]) / (past.time[i] - past.time[j]);
        }
        if (reference_now) memcpy(u, reference_now, n * sizeof(double));
        else memset(u, 0, n * sizeof(double));
        for (int i = 0; i < known; ++i) {
            const double *row = past.displacement[i].data;
            const double *same = reference_now ? reference.data + static_cast<size_t>(past.step[i]) * n : nullptr;
            if (same) for (int k = 0; k < n; ++k) u[k] += weight[i] * (row[k] - same[k]);
            else for (int k = 0; k < n; ++k) u[k] += weight[i] * row[k];
        }
    }
}

template <bool TANGENT>
inline int Solver::evaluate() {
    Specimen &s = specimen;
    memset(s.force.data, 0, s.slots * sizeof(double));
    if (TANGENT) s.clear_band();
    double *band = reinterpret_cast<double *>(s.band);
    ++(TANGENT ? report->stiffnesses : report->residuals);
    for (int g = 0; g < s.groups; ++g) {
        const Outcome outcome = evaluate_group<TANGENT>(material, s.rotation, s.group[g], &s.state[g * POINTS],
                                                        &s.iterate[g * POINTS], s.displacement.data, s.force.data, band, cold);
        if (outcome == RETURN_MAP_FAILED) return YL_RETURN_MAP;
        if (outcome == ELEMENT_INVERTED) return YL_INVERTED;
    }
    cold = false;
    return YL_OK;
}

// One correction by the factorised stiffness.
inline int Solver::correct() {
    double *b = reinterpret_cast<double *>(specimen.right.data);
    memset(b, 0, (specimen.blocks + specimen.vectors) * sizeof(Vec));
    memcpy(b, specimen.force.data, specimen.unknowns * sizeof(double));
    substitute(specimen.band, specimen.over, specimen.right.data, specimen.blocks, specimen.vectors);
    for (int i = 0; i < specimen.unknowns; ++i) specimen.displacement[i] -= b[i];
    return YL_OK;
}

inline int Solver::equilibrate() {
    double before = 1e300;
    bool stiff = true;  // this evaluation makes a stiffness
    for (int i = 0; i < ITERATIONS; ++i) {
        if (now_s() > deadline) return YL_TIME_LIMIT;
        const int failed = stiff ? evaluate<true>() : evaluate<false>();
        if (failed) return failed;
        double square = 0;
        for (int k = 0; k < specimen.unknowns; ++k) square += specimen.force[k] * specimen.force[k];
        const double residual = __builtin_sqrt(square);
        if (!(residual < 1e300)) return YL_NONFINITE;
        if (residual <= tolerance * __builtin_fabs(axial_force())) return YL_OK;
        if (i > 3 && residual > 10 * before) return YL_NEWTON;
        if (!stiff && residual > CHORD_CONTRACTION * before) {
            stiff = true;
            before = residual;
            continue;  // the same displacement again, with its stiffness
        }
        if (stiff && !factorise(specimen.band, specimen.over, specimen.blocks, specimen.vectors)) return YL_NEWTON;
        correct();
        before = residual;
        stiff = false;
    }
    return YL_NEWTON;
}

inline int Solver::advance(double time, int step) {
    predict(time, step);
    const int status = equilibrate();
    if (status) cold = true;
    return status;
}

inline double Solver::largest_plastic_strain() const {
    double largest = 0;
    for (int i = 0; i < specimen.groups * POINTS; ++i)
        for (int lane = 0; lane < LANES; ++lane) largest = max(largest, specimen.iterate[i].p[lane]);
    return largest;
}

inline void Solver::accept(double time, int step) {
    Specimen &s = specimen;
    for (int i = 0; i < s.groups * POINTS; ++i) {
        State &state = s.state[i];
        const Iterate &now = s.iterate[i];
        state.plastic = {now.strain.m - material.soft_m * now.stress.m, now.strain.d - material.soft_d * now.stress.d,
                         now.strain.t - material.soft_d * now.stress.t};
        state.p = now.p;
    }
    report->largest_plastic_strain = largest_plastic_strain();
    report->time = time;
    ++report->steps;
    const size_t bytes = s.unknowns * sizeof(double);
    if (recording && step >= 0) memcpy(reference.data + static_cast<size_t>(step) * s.unknowns, s.displacement.data, bytes);
    if (past.known == 3) {
        double *oldest = past.displacement[0].data;
        for (int i = 0; i < 2; ++i) past.displacement[i].data = past.displacement[i + 1].data, past.time[i] = past.time[i + 1], past.step[i] = past.step[i + 1];
        past.displacement[2].data = oldest;
    } else {
        ++past.known;
    }
    memcpy(past.displacement[past.known - 1].data, s.displacement.data, bytes);
    past.time[past.known - 1] = time, past.step[past.known - 1] = step;
}

// Where a fall of force began: a record that ends in it is told to have necked there.
struct Fall {
    bool on = false;
    double time, force, largest_plastic_strain;
    int steps;
};

inline int Solver::necked(const Fall &fall) {
    report->time = fall.time, report->force = fall.force, report->steps = fall.steps;
    report->largest_plastic_strain = fall.largest_plastic_strain;
    return YL_NECKED;
}

inline int Solver::pull(double *values, double *forces, double *displacements) {
    if (!has_direction) return YL_NONFINITE;
    reset();
    double time = 0, peak = 0, before = 0;
    int output = 0;
    Fall fall;
    for (int step = 0; step < steps; ++step) {
        const double goal = times[step];
        double length = goal - time;
        while (time < goal) {
            const bool last = time + length > goal - 1e-9;
            const double next = last ? goal : time + length;
            const int status = advance(next, last ? step : -1);
            if (status) {
                ++report->cut_backs;
                length = 0.5 * (next - time);
                if (!cut_back || status == YL_TIME_LIMIT) return status;
                if (report->stiffnesses + report->residuals > BUDGET + BUDGET_OF_STEP * steps) return YL_NEWTON;
                if (length < SMALLEST_STEP) return fall.on ? necked(fall) : status == YL_NEWTON ? YL_MIN_STEP : status;
                continue;
            }
            const double force = axial_force();
            report->force = force;
            // A fall after which the force rises again is none: a plateau steel yields like that.
            if (fall.on && force > before) fall.on = false, peak = force;
            if (!fall.on && force < peak * (1 - PEAK_PASSED))
                fall.on = true, fall.time = report->time, fall.steps = report->steps, fall.force = force,
                fall.largest_plastic_strain = largest_plastic_strain();
            if (force < peak * (1 - FALL_FOR_GOOD)) return necked(fall);
            peak = max(peak, force), before = force;
            accept(next, last ? step : -1);
            time = next;
        }
        if (is_output[step] && values) {
            specimen.measure(material.poisson / material.young, values, output);
            forces[output] = report->force;
            if (displacements)
                memcpy(displacements + static_cast<size_t>(output) * specimen.unknowns, specimen.displacement.data, specimen.unknowns * sizeof(double));
            ++output;
        }
    }
    return fall.on ? necked(fall) : YL_OK;
}

inline void Solver::solve(const double *coefficients, double time_limit_s, double *values, double *forces, double *displacements,
                          yl_report *out) {
    *out = yl_report{};
    report = out;
    deadline = now_s() + time_limit_s;
    set_yield_function(coefficients);
    out->status = pull(values, forces, displacements);
}

}  // namespace YL_ARCH
