"""The prior law of a campaign's sheets in a surrogate's coordinates u.

A campaign draws its points uniformly from a box of places q: r-values and stress ratios, 0 at the
lower end and 1 at the upper. With q a polynomial of u, the law of u is

    p(u) = |det dq/du| within the box, nothing outside.

The normal law that Gauss-Newton descends by is the best smooth one; this is the true one.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.forward.polynomial import Monomials
from hpc_jobs.forward.surrogate import REACH, Surrogate, best_polynomial

DEGREES = range(1, 6)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BoxLaw:
    """Density of u (n, coordinates) for points that are uniform in a box of places."""

    monomials: Monomials
    coefficients: FloatArray  # (m, coordinates) of the places

    def places(self, u: FloatArray) -> FloatArray:
        """Places (n, coordinates) of u; within 0 and 1 in the box."""
        return np.asarray(self.monomials(u / REACH) @ self.coefficients)

    def log_density(self, u: FloatArray) -> FloatArray:
        """Logarithm (n,) of the density but for a constant; minus infinity outside the box."""
        basis = self.monomials(u / REACH)
        places = basis @ self.coefficients
        within = ((places >= 0) & (places <= 1)).all(1)
        found = np.full(len(u), -np.inf)
        slopes = np.stack([basis[within] @ one for one in self._derivatives], axis=2)
        found[within] = np.linalg.slogdet(slopes)[1]
        return found

    @cached_property
    def _derivatives(self) -> FloatArray:
        return self.monomials.derivatives(self.coefficients) / REACH


def fit_box_law(
    surrogate: Surrogate, parameters: NDArray[np.floating], places: FloatArray
) -> BoxLaw:
    """Learn where in the box parameters (n, targets) lie, from their places (n, quantities).

    Raises BadInput if the box has not as many quantities as the surrogate has coordinates.
    """
    u = surrogate.coordinates(parameters)
    if u.shape[1] != places.shape[1]:
        raise BadInput(
            f"the box bounds {places.shape[1]} quantities, the parameters have {u.shape[1]} "
            "coordinates; give one place for each coordinate"
        )
    monomials, coefficients, _ = best_polynomial(u, places, places.shape[1], DEGREES)
    return BoxLaw(monomials, coefficients)
