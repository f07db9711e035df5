/* The library's C interface: plain structures and functions, so that it needs no Python headers and any C++17
 * compiler builds it on any cluster. hpc_jobs/fem/native/library.py mirrors it with ctypes, and refuses a library
 * whose structures are laid out otherwise (yl_layout).
 *
 * A solver belongs to one specimen's mesh; it is used by one thread at a time. It is loaded with a sheet, all but its
 * yield function, and solves one yield function after the other. What it returns depends on its set-up, on the sheet
 * loaded last and on the arguments of that call alone.
 */
#ifndef YIELDLOOP_API_H
#define YIELDLOOP_API_H

#ifdef __cplusplus
extern "C" {
#endif

/* Status of a record; the numbers are those of hpc_jobs.contract.records.RecordStatus. */
enum yl_status { YL_OK, YL_RETURN_MAP, YL_NEWTON, YL_MIN_STEP, YL_INVERTED, YL_NECKED, YL_NONFINITE, YL_TIME_LIMIT = 8 };

struct yl_setup {
    /* Mesh. A dof is an unknown in [0, unknowns), or one of the values below. */
    int elements, unknowns, half_band; /* half_band: largest difference of two unknowns of an element */
    const double *gradients;           /* (elements, 4 points, 4 nodes, 2) 1/mm; the four sum to zero */
    const double *volumes;             /* (elements, 4) mm^3 */
    const int *dofs;                   /* (elements, 8) u, v of each node */
    const double *signs;               /* (elements, 4) 1, or -1 where a node moves opposite to its unknowns */
    double force_factor;               /* from the drawn end's force to the specimen's */
    /* Measurement, weighted over all points: the quantities ln U along and across or, if there are 4 of them,
     * also thickness over initial thickness and equivalent plastic strain. */
    int patches, quantities;
    const double *patch_weights; /* (patches, elements * 4) */
    double poisson;
    /* Control. */
    double tolerance;       /* residual over force */
    double point_tolerance; /* of the return mapping, strain */
    int cut_back;           /* halve steps that fail; otherwise the first failure ends the record */
};

struct yl_sheet {
    double young, cos2, sin2;          /* MPa; twice the angle from rolling direction to specimen */
    int hardening_values;
    const double *hardening;           /* (hardening_values,) as in hpc_jobs/fem/materials/hardening.py */
    const double *isotropic;           /* (9,) coefficients of the isotropic sheet from whose trajectory to start; or 0 */
    /* Loading: step ends as fractions of end_displacement, increasing to 1; is_output marks those measured. */
    double end_displacement; /* mm */
    int steps;
    const double *times;
    const unsigned char *is_output;
};

enum { YL_FIXED = -1, YL_DRAWN = -2, YL_DRAWN_BACK = -3 }; /* dofs: zero, and +-half of the displacement */

struct yl_report {
    int status;
    double time, force, largest_plastic_strain; /* where it ended: fraction, N */
    int steps, cut_backs, stiffnesses, residuals; /* residuals: evaluations without a stiffness */
};

struct yl_solver;

/* Size of yl_setup and the offsets of its fields in their order, then yl_sheet's and yl_report's; `count` of them. */
const unsigned long *yl_layout(int *count);
/* Widest instruction set of this machine: 0 portable, 1 AVX2 with FMA, 2 AVX-512. */
int yl_best_path(void);
/* Copies all it needs of `setup`; 0 if memory is short or the path unknown to this machine. */
struct yl_solver *yl_open(const struct yl_setup *setup, int path);
/* Copies all it needs of `sheet`, and draws the isotropic one, if told; 0 if memory is short. Before any yl_solve. */
int yl_load(struct yl_solver *solver, const struct yl_sheet *sheet);
/* coefficients (9,): exponent and linear forms of the yield function, as in hpc_jobs/fem/materials/yield_function.py.
 * time_limit_s is processor time. values (quantities, patches, outputs) and forces (outputs,), N, are complete only
 * if the status is YL_OK; so are displacements (outputs, unknowns), mm, which may be 0. */
void yl_solve(struct yl_solver *solver, const double *coefficients, double time_limit_s, double *values, double *forces,
              double *displacements, struct yl_report *report);
void yl_close(struct yl_solver *solver);
/* sigma_bar and its gradient (xx, yy, engineering shear), results (count, 4), at stresses (count, 3). */
void yl_yield(const double *coefficients, int count, const double *stresses, double *results);

#ifdef __cplusplus
}
#endif
#endif
