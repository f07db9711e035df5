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
NEIGHBOURS = (150, 400, 1500)
JUDGED = 40
"""Nearest records, by which the size of a neighbourhood is chosen."""
LOCAL_DEGREES = (1, 2)

FloatArray = NDArray[np.float64]


def fit_family(
    records: FamilyRecords,
    noise: tuple[float, float],
    components: int = COMPONENTS,
    degrees: tuple[int, ...] = (1, 2, 3, 4),
) -> Surrogate:
    """Fit a surrogate; noise: of strains, absolute, and of forces, relative."""
    return _fit(records, noise, components, degrees)[0]


def fit_around(
    records: FamilyRecords,
    whole: Surrogate,
    u: FloatArray,
    covariance: FloatArray,
    counts: tuple[int, ...] = NEIGHBOURS,
) -> Surrogate:
    """Fit again to the records nearest to one sheet; u and covariance: of its posterior.

    To so many of them as predict the nearest ones best, each from the others: where rounds aimed
    at the sheet, few and near ones do better than many.
    """
    noise = whole.observables.noise_strain, whole.observables.noise_force
    near = records.nearest(u, covariance, max(counts))
    sizes = sorted({min(count, len(near)) for count in counts})
    fitted = [
        _fit(near.rows(np.arange(size)), noise, min(whole.components, size // 2), LOCAL_DEGREES)
        for size in sizes
    ]
    # Records are in the order of their distance
    missed = [float(squares[:JUDGED].mean()) for _, squares in fitted]
    return fitted[int(np.argmin(missed))][0]


def _fit(
    records: FamilyRecords,
    noise: tuple[float, float],
    components: int,
    degrees: tuple[int, ...],
) -> tuple[Surrogate, FloatArray]:
    """Surrogate, and the squares (n,) that it misses of each record when that is left out."""
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
    surrogate = Surrogate(
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
    # Components that were cut off are missed, too
    lost = (values**2).sum(1) - (outputs**2).sum(1)
    return surrogate, np.asarray((missed**2).sum(1) + np.maximum(lost, 0))
