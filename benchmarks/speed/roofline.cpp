// What a core can do: multiply-adds alone, and the mix of operations of one integration point. Prints both,
// in Gflop/s and in millions of points a second of CPU time.
#include <stdio.h>
#include <time.h>

#include "simd.hpp"

using namespace YL_ARCH;

static double now_s() {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

constexpr int CHAINS = 12;

template <class Work>
static double rate(long each, Work work) {  // best of several stretches: `each` per call, per second
    double best = 0;
    for (int stretch = 0; stretch < 8; ++stretch) {
        const double start = now_s();
        work();
        const double reached = each / (now_s() - start);
        if (reached > best) best = reached;
    }
    return best;
}

int main() {
    Vec chain[CHAINS];
    for (int i = 0; i < CHAINS; ++i) chain[i] = broadcast(1 + 0.1 * i);
    const Vec factor = broadcast(0.999), addend = broadcast(0.001);
    const long rounds = 2000000, points = 200000;
    const double flops = rate(rounds * CHAINS * 2 * LANES, [&] {
        for (long r = 0; r < rounds; ++r)
            for (int i = 0; i < CHAINS; ++i) chain[i] = chain[i] * factor + addend;
    });
    // 1,250 flops, 16 divisions and roots, 4.7 logarithms and exponentials, as fem.md counted them
    Vec total = Vec{};
    const double mixed = rate(points * LANES, [&] {
        for (long p = 0; p < points; ++p) {
            const Vec x = broadcast(1.5 + 1e-6 * p);
            for (int r = 0; r < 52; ++r)
                for (int i = 0; i < CHAINS; ++i) chain[i] = chain[i] * factor + addend;
            for (int i = 0; i < 8; ++i) total += chain[i] / (x + i) + sqrt(x + i);
            for (int i = 0; i < 2; ++i) total += log(x + i) + exp(total * 1e-30 + chain[i]);
            if (p % 10 < 7) total += log(total * 1e-30 + x);
        }
    });
    for (int i = 0; i < CHAINS; ++i) total += chain[i];
    printf("%.6g %.6g\n", flops * 1e-9, mixed * 1e-6);
    return sum(total) == 0;
}
