// A specimen as the kernels read it: groups of LANES elements, and all memory a simulation needs.
#pragma once
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "banded.hpp"
#include "element.hpp"

namespace YL_ARCH {

// Zeroed memory, aligned for vectors; freed with its owner.
template <class T>
struct Array {
    T *data = nullptr;
    bool allocate(size_t count) {
        const size_t bytes = (count * sizeof(T) + 63) / 64 * 64;
        free(data);
        data = static_cast<T *>(aligned_alloc(64, bytes ? bytes : 64));
        if (data) memset(static_cast<void *>(data), 0, bytes);
        return data != nullptr;
    }
    ~Array() { free(data); }
    T &operator[](size_t i) { return data[i]; }
    const T &operator[](size_t i) const { return data[i]; }
};

struct Specimen {
    int elements, groups, unknowns, half_band, patches, quantities, outputs, vectors;
    long blocks;  // of LANES unknowns
    int fixed, drawn, drawn_back, slots;
    Rotation rotation;
    Array<Group> group;
    Array<Vec> weights;  // (patches, groups, 4)
    Array<State> state;  // (groups, 4)
    Array<Iterate> iterate;
    Array<Vec> band_memory, right, thickness;
    Array<double> over_memory, displacement, force;
    Vec *band;
    double *over;

    long band_length() const { return blocks * LANES * vectors; }
    int dump() const { return static_cast<int>(band_length() * LANES); }  // takes what belongs to no unknown

    bool build(const yl_setup &s);
    void clear_band() {
        YL_TIMED(YL_ASSEMBLY);
        memset(static_cast<void *>(band), 0, (band_length() + 1) * sizeof(Vec));
        double *entries = reinterpret_cast<double *>(band);
        for (long k = unknowns; k < blocks * LANES; ++k) entries[k * vectors * LANES + k % LANES] = 1;
    }
    void measure(double poisson_over_young, double *values, int output);

  private:
    int slot(int dof) const { return dof >= 0 ? dof : dof == YL_FIXED ? fixed : dof == YL_DRAWN ? drawn : drawn_back; }
    int entry(int i, int j) const;
    void pack(const yl_setup &s, int g);
};

inline int Specimen::entry(int i, int j) const {
    if (i < 0 || j < 0) return dump();
    const int row = i < j ? i : j, column = i < j ? j : i;
    return row * vectors * LANES + column - row / LANES * LANES;
}

inline void Specimen::pack(const yl_setup &s, int g) {
    Group &target = group[g];
    for (int lane = 0; lane < LANES; ++lane) {
        const int real = g * LANES + lane, e = real < elements ? real : elements - 1;
        target.valid |= (real < elements) << lane;
        const int *dofs = s.dofs + e * 8;
        for (int q = 0; q < POINTS; ++q) {
            for (int a = 0; a < 3; ++a)
                for (int c = 0; c < 2; ++c) target.point[q].gradient[a][c][lane] = s.gradients[((e * 4 + q) * 4 + a) * 2 + c];
            target.point[q].volume[lane] = s.volumes[e * 4 + q];
            for (int patch = 0; patch < patches; ++patch)
                weights[(static_cast<size_t>(patch) * groups + g) * 4 + q][lane] =
                    real < elements ? s.patch_weights[(static_cast<size_t>(patch) * elements + e) * 4 + q] : 0;
        }
        for (int a = 0; a < 4; ++a) {
            target.sign[a][lane] = s.signs[e * 4 + a];
            target.folded |= s.signs[e * 4 + a] != 1;
        }
        int index = 0;
        for (int b = 0; b < 8; ++b) {
            target.dof[b][lane] = slot(dofs[b]);
            for (int a = 0; a <= b; ++a) target.entry[index++][lane] = entry(dofs[a], dofs[b]);
        }
    }
}

inline bool Specimen::build(const yl_setup &s) {
    elements = s.elements, unknowns = s.unknowns, half_band = s.half_band, patches = s.patches, quantities = s.quantities;
    groups = (elements + LANES - 1) / LANES;
    blocks = (unknowns + LANES - 1) / LANES;
    vectors = vectors_of(half_band);
    fixed = unknowns, drawn = unknowns + 1, drawn_back = unknowns + 2, slots = unknowns + 3;
    rotation = {1, 0};
    outputs = 0;
    const size_t before = static_cast<size_t>(vectors - 1) * LANES;  // rows of zeros
    if (!(group.allocate(groups) && weights.allocate(static_cast<size_t>(patches) * groups * 4) &&
          state.allocate(groups * 4) && iterate.allocate(groups * 4) &&
          band_memory.allocate(before * vectors + band_length() + 1) && right.allocate(blocks + vectors) &&
          over_memory.allocate(before + blocks * LANES) && thickness.allocate(quantities > 2 ? groups * 4 : 0) && displacement.allocate(slots) && force.allocate(slots)))
        return false;
    band = band_memory.data + before * vectors;
    over = over_memory.data + before;
    for (int g = 0; g < groups; ++g) pack(s, g);
    return true;
}

// Patch averages at the last converged step into values (quantities, patches, outputs), see api.h.
inline void Specimen::measure(double poisson_over_young, double *values, int output) {
    if (quantities > 2)
        for (int i = 0; i < groups * 4; ++i)
            thickness[i] = exp(-2 * poisson_over_young * iterate[i].stress.m - state[i].plastic.m);
    for (int patch = 0; patch < patches; ++patch) {
        const Vec *w = weights.data + static_cast<size_t>(patch) * groups * 4;
        Vec total = Vec{}, difference = Vec{};
        for (int i = 0; i < groups * 4; ++i) {
            const Triple<Vec> &e = iterate[i].strain;
            total += w[i] * e.m;
            difference += w[i] * (rotation.cos2 * e.d + rotation.sin2 * e.t);
        }
        const double a = sum(total), b = sum(difference);
        values[patch * outputs + output] = 0.5 * (a + b);
        values[(patches + patch) * outputs + output] = 0.5 * (a - b);
        if (quantities <= 2) continue;
        Vec thin = Vec{}, p = Vec{};
        for (int i = 0; i < groups * 4; ++i) thin += w[i] * thickness[i], p += w[i] * state[i].p;
        values[(2 * patches + patch) * outputs + output] = sum(thin);
        values[(3 * patches + patch) * outputs + output] = sum(p);
    }
}

}  // namespace YL_ARCH
