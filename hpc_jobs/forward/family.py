"""The forward surrogate of a family of sheets, over its box or fitted again around one sheet.

Over the whole box a cubic of some twenty coordinates misses by as much as the noise. Around one
sheet it need not: the records nearest to it give a polynomial of their own, whose misses are
those of the neighbourhood alone, and which then count as noise there.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.forward.natural import Natural
from hpc_jobs.forward.polynomial import Monomials
from hpc_jobs.forward.records import ForwardRecords
from hpc_jobs.forward.surrogate import REACH, Surrogate, best_polynomial, observables_of

COMPONENTS = 80
MOST_TERMS = 2500
NEIGHBOURS = 1500
LOCAL_DEGREES = (1, 2)
WIDENED = 0.15
"""Of the box, added to a posterior's width when its neighbourhood is chosen."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FamilyRecords:
    """Noise-free records of a family with their natural coordinates, whitened."""

    natural: Natural
    u: FloatArray  # (n, coordinates)
    strains: NDArray[np.floating]  # (n, strain_values)
    forces: NDArray[np.floating]  # (n, force_values), N

    @classmethod
    def of(
        cls,
        natural: Natural,
        values: FloatArray,
        strains: NDArray[np.floating],
        forces: NDArray[np.floating],
    ) -> "FamilyRecords":
        """From physical values (n, coordinates) of natural.names."""
        u = (natural.natural(values) - natural.centre) / natural.spread
        return cls(natural, u, strains, forces)

    def __len__(self) -> int:
        return len(self.u)

    def rows(self, chosen: NDArray[np.integer]) -> "FamilyRecords":
        """Return some of them."""
        return replace(
            self, u=self.u[chosen], strains=self.strains[chosen], forces=self.forces[chosen]
        )

    def nearest(self, u: FloatArray, covariance: FloatArray, count: int) -> "FamilyRecords":
        """Return those nearest to u (coordinates,), in the metric of a widened covariance."""
        metric = np.linalg.inv(covariance + WIDENED * np.eye(len(u)))
        away = self.u - u
        distances = np.einsum("ni,ij,nj->n", away, metric, away)
        return self.rows(np.argsort(distances, kind="stable")[:count])


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
