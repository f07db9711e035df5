"""Polynomials of several variables, with their derivatives: the basis is built by products."""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from math import comb

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Monomials:
    """All monomials u^e of `variables` variables up to a total degree, lowest degree first.

    A variable of weight w counts w times in the degree: small disturbances need no high powers.
    The variables themselves are always there.
    """

    variables: int
    degree: int
    weights: tuple[int, ...] = ()  # all 1 if none are given

    @staticmethod
    def count(variables: int, degree: int) -> int:
        """Return how many there are."""
        return comb(variables + degree, degree)

    @cached_property
    def exponents(self) -> NDArray[np.int64]:
        """(m, variables)."""
        rows = [np.zeros(self.variables, np.int64)]
        for degree in range(1, self.degree + 1):
            for chosen in combinations_with_replacement(range(self.variables), degree):
                row = np.bincount(chosen, minlength=self.variables)
                if degree == 1 or not self.weights or row @ self.weights <= self.degree:
                    rows.append(row)
        return np.array(rows)

    @cached_property
    def _lower(self) -> NDArray[np.int64]:
        """(variables, m): which monomial u^e / u_k is; the first where u_k is not in it."""
        places = {tuple(row): place for place, row in enumerate(self.exponents.tolist())}
        below = self.exponents[None] - np.eye(self.variables, dtype=np.int64)[:, None]
        return np.array([[places.get(tuple(row), 0) for row in rows] for rows in below.tolist()])

    def __call__(self, u: FloatArray) -> FloatArray:
        """Evaluate at points (n, variables): (n, m)."""
        values = np.ones((len(self.exponents), len(u)))  # a monomial's values side by side
        variables = np.ascontiguousarray(u.T)
        last = self.exponents.astype(bool).argmax(1)
        for place in range(1, len(values)):
            below = self._lower[last[place], place]
            np.multiply(values[below], variables[last[place]], out=values[place])
        return values.T

    def derivatives(self, coefficients: FloatArray) -> FloatArray:
        """Return the coefficients (variables, m, outputs) of the derivatives of (m, outputs)."""
        slopes = np.zeros((self.variables, *coefficients.shape))
        for k in range(self.variables):
            power = self.exponents[:, k]
            held = power > 0
            slopes[k, self._lower[k, held]] = power[held, None] * coefficients[held]
        return slopes
