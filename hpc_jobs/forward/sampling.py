"""The mean of the posterior, by importance sampling: no other estimate has a smaller square error.

Gauss-Newton's answer is the most probable one under a normal prior. Where the data say little (the
biaxial r-value) the posterior is skew and ends at the box, and the mean lies elsewhere. Samples are
drawn about Gauss-Newton's answer, from Student's law with its covariance, whose tails are heavier
than the posterior's, and weighted by posterior over proposal: Geweke, Econometrica 57, 1989. The
variance of the weighted samples, averaged over true sheets, is the least mean square error that
any estimator can have: the Bayes risk.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtri
from scipy.stats.qmc import Sobol

from hpc_jobs.forward.gauss_newton import Posterior, View, refine
from hpc_jobs.forward.surrogate import Surrogate

SAMPLES = 1024
FREEDOM = 5  # of Student's law
FEWEST = 20.0  # effective samples; with fewer, Gauss-Newton's answer stays
SEED = 11

FloatArray = NDArray[np.float64]
LogDensity = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class _Proposals:
    """Draws of Student's law about the origin, the same for every measurement.

    They are a scrambled Sobol sequence and its mirror image: since all measurements share them,
    chance in independent draws would make all variances too small, or all too large.
    """

    offsets: FloatArray  # (samples, coordinates)
    log_density: FloatArray  # (samples,) but for a constant

    @classmethod
    def of(cls, samples: int, coordinates: int) -> "_Proposals":
        unit = Sobol(coordinates + 1, rng=SEED).random(samples // 2)
        chi_square = chdtri(FREEDOM, unit[:, -1:])
        half = ndtri(unit[:, :-1]) / np.sqrt(chi_square / FREEDOM)
        offsets = np.concatenate([half, -half])
        squares = (offsets**2).sum(1)
        return cls(offsets, -0.5 * (FREEDOM + coordinates) * np.log1p(squares / FREEDOM))


def posterior_mean(
    surrogate: Surrogate,
    log_prior: LogDensity,
    strains: NDArray[np.floating],
    forces: NDArray[np.floating] | None = None,
    start: NDArray[np.floating] | None = None,
    samples: int = SAMPLES,
) -> Posterior:
    """Mean and covariance of the parameters behind raw strains (n, strain_values) and forces.

    log_prior: of u (n, coordinates), `BoxLaw.log_density` say. A measurement of which hardly a
    sample lies in the prior's range, as of a sheet outside the box, keeps Gauss-Newton's answer.
    """
    found = refine(surrogate, strains, forces, start)
    seen = surrogate.observables
    measured = seen.of(strains, forces)
    view = View.of(surrogate, measured.shape[1])
    goal = view.goal(measured - seen.mean[: measured.shape[1]])
    proposals = _Proposals.of(samples, found.u.shape[1])
    parameters, covariance = found.parameters.copy(), found.covariance.copy()
    for record, factor in enumerate(_factors(view, found.u)):
        u = found.u[record] + proposals.offsets @ factor.T
        weights, kept = _weights(view, log_prior, goal[record], u, proposals.log_density)
        if weights.size and 1 / (weights**2).sum() > FEWEST:
            drawn = surrogate.parameters(u[kept])
            parameters[record] = weights @ drawn
            away = drawn - parameters[record]
            covariance[record] = (weights[:, None] * away).T @ away
    return replace(found, parameters=parameters, covariance=covariance)


def _factors(view: View, u: FloatArray) -> FloatArray:
    """(n, coordinates, coordinates) F with F F^T the covariance of the normal posterior at u."""
    _, jacobian = view.jacobian(u)
    curvature = jacobian.transpose(0, 2, 1) @ jacobian + np.eye(u.shape[1])
    return np.asarray(np.linalg.cholesky(np.linalg.inv(curvature)))


def _weights(
    view: View, log_prior: LogDensity, goal: FloatArray, u: FloatArray, log_proposal: FloatArray
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Weights (m,), of sum one, of the samples within the prior's range, and which these are."""
    log_law = log_prior(u)
    kept = np.flatnonzero(np.isfinite(log_law))
    if not kept.size:
        return np.zeros(0), kept
    misfit = ((goal - view.fitted(u[kept])) ** 2).sum(1)
    logarithms = log_law[kept] - 0.5 * misfit - log_proposal[kept]
    weights = np.exp(logarithms - logarithms.max())
    return weights / weights.sum(), kept
