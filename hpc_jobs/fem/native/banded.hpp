// LDL^T of a symmetric banded matrix, by rows, LANES columns at a time.
//
// Row i holds the columns from i's block boundary, LANES * (i / LANES), up to `VECTORS` vectors:
// rows of one block are aligned with each other and with those of all others, so that a row is
// gathered in registers from the rows above it, by aligned loads only. VECTORS is known when
// compiling, which unrolls all loops. Entries left of the diagonal are zero.
// No pivoting: past a limit point a pivot may be negative, which is no error.
#pragma once
#include "profile.hpp"
#include "simd.hpp"

namespace YL_ARCH {

// Subtract from `row`, the lane of a block, what the finished rows of the DISTANCE blocks above give.
template <int VECTORS, int DISTANCE>
YL_INLINE void subtract_above(Vec *row, const Vec *band, const double *over, long block, int lane) {
    if constexpr (DISTANCE > 0) {
        const long first = (block - DISTANCE) * LANES;
        for (int i = 0; i < LANES; ++i) {
            const Vec *from = band + (first + i) * VECTORS + DISTANCE;
            const double factor = reinterpret_cast<const double *>(from)[lane] * over[first + i];
            for (int v = 0; v < VECTORS - DISTANCE; ++v) row[v] -= factor * from[v];
        }
        subtract_above<VECTORS, DISTANCE - 1>(row, band, over, block, lane);
    }
}

// Overwrite A by the rows of D L^T, and `over` by 1/D; false at a zero or non-finite pivot.
// The band has VECTORS - 1 blocks of zeros before its first row, `over` as many entries.
template <int VECTORS>
static bool factorise_fixed(Vec *band, double *over, long blocks) {
    YL_TIMED(YL_FACTORISATION);
    for (long block = 0; block < blocks; ++block) {
        for (int lane = 0; lane < LANES; ++lane) {
            Vec *target = band + (block * LANES + lane) * VECTORS;
            Vec row[VECTORS];
            for (int v = 0; v < VECTORS; ++v) row[v] = target[v];
            subtract_above<VECTORS, VECTORS - 1>(row, band, over, block, lane);
            const Vec *own = band + block * LANES * VECTORS;
            for (int i = 0; i < lane; ++i) {
                const Vec *from = own + i * VECTORS;
                const double factor = reinterpret_cast<const double *>(from)[lane] * over[block * LANES + i];
                for (int v = 0; v < VECTORS; ++v) row[v] -= factor * from[v];
            }
            for (int i = 0; i < LANES; ++i)
                if (i < lane) row[0][i] = 0;
            const double pivot = row[0][lane];
            if (pivot == 0 || !(__builtin_fabs(pivot) < 1e300)) return false;
            over[block * LANES + lane] = 1 / pivot;
            for (int v = 0; v < VECTORS; ++v) target[v] = row[v];
        }
    }
    return true;
}

// Overwrite b by the solution of L D L^T x = b; b reaches VECTORS - 1 vectors beyond the last row.
template <int VECTORS>
static void substitute_fixed(const Vec *band, const double *over, Vec *b, long blocks) {
    YL_TIMED(YL_SUBSTITUTION);
    double *x = reinterpret_cast<double *>(b);
    for (long block = 0; block < blocks; ++block) {
        Vec window[VECTORS];
        for (int v = 0; v < VECTORS; ++v) window[v] = b[block + v];
        for (int lane = 0; lane < LANES; ++lane) {
            const long k = block * LANES + lane;
            const Vec *row = band + k * VECTORS;
            const double factor = window[0][lane] * over[k];
            for (int v = 0; v < VECTORS; ++v) window[v] -= factor * row[v];
            x[k] = factor;  // already divided by D
        }
        for (int v = 1; v < VECTORS; ++v) b[block + v] = window[v];
    }
    for (int v = 0; v < VECTORS - 1; ++v) b[blocks + v] = Vec{};
    for (long block = blocks - 1; block >= 0; --block) {
        const Vec *rows = band + block * LANES * VECTORS;
        Vec partial[LANES];
        for (int i = 0; i < LANES; ++i) {
            partial[i] = Vec{};
            for (int v = 1; v < VECTORS; ++v) partial[i] += rows[i * VECTORS + v] * b[block + v];
        }
        for (int lane = LANES - 1; lane >= 0; --lane) {
            double total = sum(partial[lane]);
            for (int j = lane + 1; j < LANES; ++j) total += rows[lane * VECTORS][j] * x[block * LANES + j];
            x[block * LANES + lane] -= total * over[block * LANES + lane];
        }
    }
}

// The same for widths that were not foreseen: correct, and slower.
static bool factorise_any(Vec *band, double *over, long blocks, int vectors) {
    YL_TIMED(YL_FACTORISATION);
    for (long k = 0; k < blocks * LANES; ++k) {
        const long block = k / LANES;
        const int lane = k % LANES;
        Vec *row = band + k * vectors;
        for (long i = (block - vectors + 1) * LANES; i < k; ++i) {
            const long distance = block - (i + vectors * LANES) / LANES + vectors;
            const Vec *from = band + i * vectors + distance;
            const double factor = from[0][lane] * over[i];
            for (int v = 0; v < vectors - distance; ++v) row[v] -= factor * from[v];
        }
        for (int i = 0; i < lane; ++i) row[0][i] = 0;
        const double pivot = row[0][lane];
        if (pivot == 0 || !(__builtin_fabs(pivot) < 1e300)) return false;
        over[k] = 1 / pivot;
    }
    return true;
}

static void substitute_any(const Vec *band, const double *over, Vec *b, long blocks, int vectors) {
    YL_TIMED(YL_SUBSTITUTION);
    double *x = reinterpret_cast<double *>(b);
    for (long k = 0; k < blocks * LANES; ++k) {
        const double *row = reinterpret_cast<const double *>(band + k * vectors);
        const double factor = x[k] * over[k];
        const long start = k / LANES * LANES;
        for (int j = k % LANES + 1; j < vectors * LANES; ++j) x[start + j] -= factor * row[j];
        x[k] = factor;
    }
    for (int v = 0; v < vectors - 1; ++v) b[blocks + v] = Vec{};
    for (long k = blocks * LANES - 1; k >= 0; --k) {
        const double *row = reinterpret_cast<const double *>(band + k * vectors);
        const long start = k / LANES * LANES;
        double total = 0;
        for (int j = k % LANES + 1; j < vectors * LANES; ++j) total += row[j] * x[start + j];
        x[k] -= total * over[k];
    }
}

// Widths that are compiled, by elements across the part that is solved: the band of a strip whose nodes
// are numbered across reaches 2 (across + 1) + 3 beyond the diagonal.
constexpr int FORESEEN[] = {2, 3, 4, 6, 8, 12, 16, 24};
constexpr int FORESEEN_WIDTHS = sizeof(FORESEEN) / sizeof(int);

constexpr int foreseen_vectors(int i) { return (2 * FORESEEN[i] + 5 + LANES - 1) / LANES + 1; }

// Vectors of a row that reaches `half` columns beyond the diagonal, rounded up to a compiled width.
inline int vectors_of(int half) {
    const int least = (half + LANES - 1) / LANES + 1;
    for (int i = 0; i < FORESEEN_WIDTHS; ++i)
        if (least <= foreseen_vectors(i)) return foreseen_vectors(i);
    return least;
}

template <int I = 0>
inline bool factorise(Vec *band, double *over, long blocks, int vectors) {
    if constexpr (I == FORESEEN_WIDTHS) {
        return factorise_any(band, over, blocks, vectors);
    } else {
        if (vectors == foreseen_vectors(I)) return factorise_fixed<foreseen_vectors(I)>(band, over, blocks);
        return factorise<I + 1>(band, over, blocks, vectors);
    }
}

template <int I = 0>
inline void substitute(const Vec *band, const double *over, Vec *b, long blocks, int vectors) {
    if constexpr (I == FORESEEN_WIDTHS) {
        substitute_any(band, over, b, blocks, vectors);
    } else {
        if (vectors == foreseen_vectors(I)) return substitute_fixed<foreseen_vectors(I)>(band, over, b, blocks);
        substitute<I + 1>(band, over, b, blocks, vectors);
    }
}

}  // namespace YL_ARCH
