// What one instruction set's translation unit offers to the dispatcher.
#pragma once
#include "api.h"

struct Kernel {
    void *(*open)(const yl_setup *);
    int (*load)(void *, const yl_sheet *);
    void (*solve)(void *, const double *, double, double *, double *, double *, yl_report *);
    void (*close)(void *);
    void (*yield)(const double *, int, const double *, double *);
};
