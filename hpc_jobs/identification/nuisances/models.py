"""Explanations of a residual, weighed: none, or one thing after the other that is grossly wrong.

The problem is linear about a point: a residual r of white noise, and its Jacobian J by all unknowns
x, whose prior is normal. In the usual explanation every nuisance is a small error. In another one
of them is a mistake, of a size that happens: its prior is wide. Each has a posterior and an
evidence in closed form,

    ln p(r) = -chi^2/2 + (ln |P| - ln |J^T J + P|)/2,

with P the prior's precision. The answer is their mixture: it is as wide as the explanations differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.identification.nuisances.kinds import Column

MISTAKE = 5e-3
"""Probability of any one mistake before the data are seen."""
MOST_MISTAKES = 3
WORTH = 3.0
"""Of log evidence that one more mistake must gain."""

FloatArray = NDArray[np.float64]
Mistake = tuple[str, int | None]
"""A kind, and its specimen; None: of all specimens alike."""


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """One explanation's posterior of all unknowns."""

    mistakes: frozenset[Mistake]
    mean: FloatArray  # (unknowns,)
    covariance: FloatArray  # (unknowns, unknowns)
    chi_square: float
    log_evidence: float  # with the prior probability of its mistakes


@dataclass(frozen=True, eq=False)
class Problem:
    """A linearised measurement: whitened residual and Jacobian about `at`."""

    residual: FloatArray  # (rows,) measured less predicted
    jacobian: FloatArray  # (rows, unknowns)
    at: FloatArray  # (unknowns,)
    prior_mean: FloatArray
    prior_covariance: FloatArray  # (unknowns, unknowns) if nothing is grossly wrong
    columns: tuple[Column, ...]
    unknowns_of_sheet: int
    noise_factor: float = 1.0  # by which all noise is larger than said
    _kept: dict[frozenset[Mistake], Explanation] = field(default_factory=dict)

    def mistakes(self) -> list[Mistake]:
        """List all single ones."""
        found: list[Mistake] = [
            (column.kind.name, column.specimen)
            for column in self.columns
            if column.deviation and not column.identified
        ]
        several = {name for name, specimen in found if specimen}
        return [*found, *((name, None) for name in sorted(several))]

    def explain(self, mistakes: frozenset[Mistake]) -> Explanation:
        """Solve for one explanation."""
        if mistakes not in self._kept:
            self._kept[mistakes] = self._explain(mistakes)
        return self._kept[mistakes]

    def _explain(self, mistakes: frozenset[Mistake]) -> Explanation:
        normal, right, square = self._sums
        precision = np.linalg.inv(self._prior_covariance(mistakes))
        covariance = np.linalg.inv(normal + precision)
        mean = covariance @ (right + precision @ self.prior_mean)
        away = mean - self.prior_mean
        missed = square - 2 * right @ mean + mean @ normal @ mean
        chi_square = float(missed + away @ precision @ away)
        determinants = np.linalg.slogdet(precision)[1] + np.linalg.slogdet(covariance)[1]
        evidence = -chi_square / 2 + determinants / 2 + len(mistakes) * np.log(MISTAKE)
        return Explanation(mistakes, mean, covariance, chi_square, float(evidence))

    @cached_property
    def _sums(self) -> tuple[FloatArray, FloatArray, float]:
        """J^T J, J^T (r + J at) and |r + J at|^2, in units of the noise as it is."""
        weight = self.noise_factor**-2
        goal = self.residual + self.jacobian @ self.at
        return (
            weight * self.jacobian.T @ self.jacobian,
            weight * self.jacobian.T @ goal,
            float(weight * goal @ goal),
        )

    def _prior_covariance(self, mistakes: frozenset[Mistake]) -> FloatArray:
        covariance = self.prior_covariance.copy()
        for name, specimen in mistakes:
            rows = [
                self.unknowns_of_sheet + i
                for i, column in enumerate(self.columns)
                if column.kind.name == name and specimen in (None, column.specimen)
            ]
            gross = next(column.kind.gross for column in self.columns if column.kind.name == name)
            covariance[np.ix_(rows, rows)] += gross**2
        return covariance


def search(problem: Problem) -> list[Explanation]:
    """Explanations by evidence, the best first: none wrong, and greedily up to a few mistakes."""
    best = problem.explain(frozenset())
    pool = {best.mistakes: best}
    for _ in range(MOST_MISTAKES):
        base = best
        for mistake in problem.mistakes():
            if any(mistake[0] == name for name, _ in base.mistakes):
                continue
            found = problem.explain(base.mistakes | {mistake})
            pool[found.mistakes] = found
            if found.log_evidence > best.log_evidence:
                best = found
        if best.log_evidence < base.log_evidence + WORTH:
            break
    return sorted(pool.values(), key=lambda one: -one.log_evidence)


def weights(explanations: Sequence[Explanation]) -> FloatArray:
    """Posterior probabilities (explanations,)."""
    logarithms = np.array([one.log_evidence for one in explanations])
    found = np.exp(logarithms - logarithms.max())
    return np.asarray(found / found.sum())


def mixture(explanations: Sequence[Explanation]) -> tuple[FloatArray, FloatArray]:
    """Mean (unknowns,) and covariance of all explanations together."""
    shares = weights(explanations)
    mean = sum(share * one.mean for share, one in zip(shares, explanations, strict=True))
    covariance = np.zeros((len(explanations[0].mean),) * 2)
    for share, one in zip(shares, explanations, strict=True):
        away = one.mean - mean
        covariance += share * (one.covariance + np.outer(away, away))
    return np.asarray(mean), covariance
