"""The forward surrogate of a family of sheets, over its box or fitted again around one sheet.

Over the whole box a cubic of some twenty coordinates misses by as much as the noise. Around one
sheet it need not: the records nearest to it give a polynomial of their own, whose misses are
those of the neighbourhood alone, and which then count as noise there.
"""

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.forward.polynomial import Monomials
from hpc_jobs.forward.records import FamilyRecords, ForwardRecords
from hpc_jobs.forward.surrogate import REACH, Surrogate, best_polynomial, observables_of

COMPONENTS = 80
MOST_TERMS = 2500
NEIGHBOURS = 1500
LOCAL_DEGREES = (1, 2)

FloatArray = NDArray[np.float64]


def fit_family(
    records: FamilyRecords,
    noise: tuple[float, float],
    components: int = COMPONENTS,
    degrees: tuple[int, ...] = (1, 2, 3, 4),
) -> Surrogate:
    """Fit a surrogate; noise: of strains, absolute, and of forces, relative."""
    natural = records.natural
    seen = observables_of(
        ForwardRecords(records.u, records.strains, records.forces), noise, components
    )
    values = seen.of(records.strains, records.forces) - seen.mean
    outputs = np.asarray(values @ seen.vectors)
    width, weights = records.u.shape[1], natural.weights
    allowed = [
        degree
        for degree in degrees
        if degree == 1 or len(Monomials(width, degree, weights).exponents) <= MOST_TERMS
    ]
    monomials, coefficients, missed = best_polynomial(
        records.u, outputs, outputs.shape[1], allowed, weights
    )
    exact = np.zeros((len(coefficients), width))  # the parameters are u itself
    exact[1 : 1 + width] = REACH * np.eye(width)
    margin = 0.05 * np.ptp(records.u, axis=0)
    return Surrogate(
        observables=seen,
        low=np.zeros(width),
        high=np.ones(width),
        centre=np.zeros(width),
        axes=np.eye(width),
        range=np.stack([records.u.min(0) - margin, records.u.max(0) + margin]),
        monomials=monomials,
        coefficients=np.hstack([coefficients, exact]),
        error=missed.T @ missed / len(missed),
    )


def fit_around(
    records: FamilyRecords,
    whole: Surrogate,
    u: FloatArray,
    covariance: FloatArray,
    count: int = NEIGHBOURS,
) -> Surrogate:
    """Fit again to the records nearest to one sheet; u and covariance: of its posterior."""
    near = records.nearest(u, covariance, count)
    noise = whole.observables.noise_strain, whole.observables.noise_force
    components = whole.components
    return fit_family(near, noise, components, LOCAL_DEGREES)
