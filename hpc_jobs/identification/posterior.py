"""Parameters from measurements by the forward surrogate: the most probable, the mean, how sure.

With components z of what was measured and s(u) of the surrogate, the residual is
r = L^-1 (z - U s(u)), where U holds the principal directions that were measured and
L L^T = I + U R U^T sums the noise and the surrogate's own error R. Levenberg's damped Gauss-Newton
minimises |r|^2 + |u|^2: the prior is the normal law of the training points. The covariance is
(J^T J + I)^-1 there; averaged over true materials its trace is the Bayesian Cramer-Rao bound
(van Trees 1968) that no estimator's mean square error falls below, but for the normal law's shape.

The mean of the posterior has the least square error of all estimates. Where the data say little
(the biaxial r-value) the posterior is skew and ends at the box, and the mean lies elsewhere than
the most probable. It is found by importance sampling: samples are drawn about Gauss-Newton's
answer, from Student's law with its covariance, whose tails are heavier than the posterior's, and
weighted by posterior over proposal: Geweke, Econometrica 57, 1989. The variance of the weighted
samples, averaged over true sheets, is the least mean square error that any estimator can have: the
Bayes risk.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtri

from hpc_jobs.forward.surrogate import Surrogate

ITERATIONS = 40
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-2, 1e-8, 1e8
SMALLEST_STEP = 1e-3  # of u, over its posterior standard deviation
CHUNK = 1024  # records at a time
SAMPLES = 1024
FREEDOM = 5  # of Student's law
FEWEST = 20.0  # effective samples; with fewer, Gauss-Newton's answer stays
SEED = 11

FloatArray = NDArray[np.float64]
LogDensity = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Normal law of the parameters behind each of n measurements."""

    parameters: FloatArray  # (n, targets), physical: most probable, or the mean
    covariance: FloatArray  # (n, targets, targets)
    chi_square: FloatArray  # (n,) of all that was measured, in units of the noise
    freedom: int  # of chi_square: values measured, less the coordinates fitted
    converged: NDArray[np.bool_]  # (n,)
    u: FloatArray  # (n, coordinates) of the surrogate, most probable

    @property
    def deviation(self) -> FloatArray:
        """Standard deviations (n, targets)."""
        return np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))


@dataclass(frozen=True, slots=True, eq=False)
class NormalPrior:
    """What is known of each coordinate before anything is measured: independent normal laws."""

    mean: FloatArray  # (coordinates,)
    deviation: FloatArray  # (coordinates,)

    @classmethod
    def of_training(cls, coordinates: int) -> "NormalPrior":
        """Return the law of the training points: they are whitened."""
        return cls(np.zeros(coordinates), np.ones(coordinates))

    @property
    def precision(self) -> FloatArray:
        """(coordinates,)."""
        return np.asarray(self.deviation**-2)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What of the surrogate's components a kind of measurement sees, whitened."""

    surrogate: Surrogate
    basis: FloatArray  # (values measured, k), orthonormal
    whiten: FloatArray  # (k, k) L^-1
    see: FloatArray  # (k, k) L^-1 U
    kept: NDArray[np.bool_]  # (values of a record,): whether each was measured
    prior: NormalPrior

    @classmethod
    def of(
        cls,
        surrogate: Surrogate,
        values: int,
        kept: NDArray[np.bool_] | None = None,
        prior: NormalPrior | None = None,
    ) -> "View":
        """Look at the first so many values of a record, all or strains alone; kept: at which."""
        seen = np.arange(len(surrogate.observables.mean)) < values
        if kept is not None:
            seen[:values] &= kept[:values]
        basis, triangle = np.linalg.qr(surrogate.observables.vectors[seen])
        spread = np.eye(len(triangle)) + triangle @ surrogate.error @ triangle.T
        whiten = np.linalg.inv(np.linalg.cholesky(spread))
        prior = prior or NormalPrior.of_training(surrogate.axes.shape[1])
        return cls(surrogate, basis, whiten, whiten @ triangle, seen, prior)

    def deviation(self, measured: FloatArray) -> FloatArray:
        """Measurements (n, values) less the training records' mean, where there are any."""
        values = measured.shape[1]
        centred = measured - self.surrogate.observables.mean[:values]
        return np.asarray(centred[:, self.kept[:values]])

    def goal(self, deviation: FloatArray) -> FloatArray:
        """Measurements less their mean (n, values) as what `fitted` should be, (n, k)."""
        return np.asarray(deviation @ self.basis @ self.whiten.T)

    def fitted(self, u: FloatArray) -> FloatArray:
        """L^-1 U s(u), (n, k)."""
        return np.asarray(self.surrogate.components_at(u) @ self.see.T)

    def jacobian(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """L^-1 U s(u), (n, k), and its derivatives (n, k, coordinates)."""
        values, slopes = self.surrogate.respond(u)
        return values @ self.see.T, np.einsum("ij,njk->nik", self.see, slopes)


def refine(
    surrogate: Surrogate,
    strains: NDArray[np.floating],
    forces: NDArray[np.floating] | None = None,
    start: NDArray[np.floating] | None = None,
    *,
    prior: NormalPrior | None = None,
    kept: NDArray[np.bool_] | None = None,
) -> Posterior:
    """Identify from raw strains (n, strain_values) and, if measured, forces (n, force_values), N.

    prior: of the coordinates u, if not the training points'. kept (values,): what was measured of a
    record, in all of these; the rest may be NaN. start: physical parameters (n, targets) to begin
    from beside the middle of the prior, a network's estimate say; the better end counts.
    """
    seen = surrogate.observables
    measured = seen.of(strains, forces)
    view = View.of(surrogate, measured.shape[1], kept, prior)
    deviation = view.deviation(measured)
    values = deviation.shape[1]
    parts = [
        _refine(view, deviation[rows], None if start is None else start[rows])
        for rows in np.array_split(np.arange(len(strains)), -(-len(strains) // CHUNK))
    ]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Posterior(
        parameters=columns[0],
        covariance=columns[1],
        chi_square=columns[2],
        freedom=values - surrogate.axes.shape[1],
        converged=columns[3],
        u=columns[4],
    )


def bound(
    surrogate: Surrogate, parameters: NDArray[np.floating], *, with_forces: bool
) -> FloatArray:
    """Bayesian Cramer-Rao bound of each target's mean square error, (n, targets), physical."""
    seen = surrogate.observables
    view = View.of(surrogate, len(seen.mean) if with_forces else seen.strain_values)
    u = surrogate.coordinates(parameters)
    covariance = _covariance(view, u, view.jacobian(u)[1])
    return np.asarray(np.diagonal(covariance, axis1=1, axis2=2))


def _refine(
    view: View, deviation: FloatArray, start: NDArray[np.floating] | None
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.bool_], FloatArray]:
    surrogate = view.surrogate
    components = deviation @ view.basis
    goal = components @ view.whiten.T
    middle = np.tile(np.clip(view.prior.mean, *surrogate.range), (len(goal), 1))
    u, cost, converged = _descend(view, goal, middle)
    if start is not None:
        other, other_cost, other_converged = _descend(view, goal, surrogate.coordinates(start))
        better = other_cost < cost
        u[better], converged[better] = other[better], other_converged[better]
    fitted, jacobian = view.jacobian(u)
    unexplained = (deviation**2).sum(1) - (components**2).sum(1)
    chi_square = unexplained + ((goal - fitted) ** 2).sum(1)
    covariance = _covariance(view, u, jacobian)
    return surrogate.parameters(u), covariance, chi_square, converged, u


def _descend(
    view: View, goal: FloatArray, u: FloatArray
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Return u where the squares of misfit and prior are least, that value, and whether it is."""
    mean, precision = view.prior.mean, view.prior.precision
    damping = np.full(len(u), FIRST_DAMPING)
    fitted, jacobian = view.jacobian(u)
    cost = ((goal - fitted) ** 2).sum(1) + (precision * (u - mean) ** 2).sum(1)
    converged = np.zeros(len(u), bool)
    for _ in range(ITERATIONS):
        at = np.flatnonzero(~converged)
        if not at.size:
            break
        curvature = jacobian[at].transpose(0, 2, 1) @ jacobian[at] + np.diag(precision)
        pull = np.einsum("nik,ni->nk", jacobian[at], goal[at] - fitted[at])
        pull -= precision * (u[at] - mean)
        diagonal = np.einsum("nii->ni", curvature)
        damped = curvature + (damping[at, None] * diagonal)[:, None] * np.eye(u.shape[1])
        trial = u[at] + np.linalg.solve(damped, pull[..., None])[..., 0]
        trial = np.clip(trial, *view.surrogate.range)
        moved = np.sqrt(((trial - u[at]) ** 2 * diagonal).sum(1))
        there, slopes = view.jacobian(trial)
        there_cost = ((goal[at] - there) ** 2).sum(1) + (precision * (trial - mean) ** 2).sum(1)
        better = there_cost < cost[at]
        good = at[better]
        u[good], cost[good] = trial[better], there_cost[better]
        fitted[good], jacobian[good] = there[better], slopes[better]
        factor = np.where(better, 0.2, 6.0)
        damping[at] = np.clip(damping[at] * factor, LEAST_DAMPING, MOST_DAMPING)
        converged[at] = (moved < SMALLEST_STEP) & (better | (damping[at] < 1))
        converged[at] |= moved < SMALLEST_STEP**2
    return u, cost, converged


def _covariance(view: View, u: FloatArray, jacobian: FloatArray) -> FloatArray:
    """(n, targets, targets), physical, of the posterior at u."""
    curvature = jacobian.transpose(0, 2, 1) @ jacobian + np.diag(view.prior.precision)
    slopes = view.surrogate.parameter_slopes(u)
    return np.asarray(slopes @ np.linalg.solve(curvature, slopes.transpose(0, 2, 1)))


@dataclass(frozen=True, slots=True, eq=False)
class Proposals:
    """Draws of Student's law about the origin, the same for every measurement.

    They are a scrambled Sobol sequence and its mirror image: since all measurements share them,
    chance in independent draws would make all variances too small, or all too large.
    """

    offsets: FloatArray  # (samples, coordinates)
    log_density: FloatArray  # (samples,) but for a constant

    @classmethod
    def of(cls, samples: int, coordinates: int) -> "Proposals":
        """Draw so many, of so many coordinates; the same whenever it is asked."""
        from scipy.stats.qmc import Sobol  # a second of importing, for few

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
    *,
    prior: NormalPrior | None = None,
    kept: NDArray[np.bool_] | None = None,
) -> Posterior:
    """Mean and covariance of the parameters behind raw strains (n, strain_values) and forces.

    log_prior: of u (n, coordinates), `prior.BoxLaw.log_density` say. A measurement of which hardly
    a sample lies in the prior's range, as of a sheet outside the box, keeps Gauss-Newton's answer.
    """
    found = refine(surrogate, strains, forces, start, prior=prior, kept=kept)
    measured = surrogate.observables.of(strains, forces)
    view = View.of(surrogate, measured.shape[1], kept, prior)
    goal = view.goal(view.deviation(measured))
    proposals = Proposals.of(samples, found.u.shape[1])
    parameters, covariance = found.parameters.copy(), found.covariance.copy()
    for record, factor in enumerate(_factors(view, found.u)):
        u = found.u[record] + proposals.offsets @ factor.T
        weights, inside = _weights(view, log_prior, goal[record], u, proposals.log_density)
        if weights.size and 1 / (weights**2).sum() > FEWEST:
            drawn = surrogate.parameters(u[inside])
            parameters[record] = weights @ drawn
            away = drawn - parameters[record]
            covariance[record] = (weights[:, None] * away).T @ away
    return replace(found, parameters=parameters, covariance=covariance)


def _factors(view: View, u: FloatArray) -> FloatArray:
    """(n, coordinates, coordinates) F with F F^T the covariance of the normal posterior at u."""
    _, jacobian = view.jacobian(u)
    curvature = jacobian.transpose(0, 2, 1) @ jacobian + np.diag(view.prior.precision)
    return np.asarray(np.linalg.cholesky(np.linalg.inv(curvature)))


def _weights(
    view: View, log_prior: LogDensity, goal: FloatArray, u: FloatArray, log_proposal: FloatArray
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Weights (m,), of sum one, of the samples within the prior's range, and which these are."""
    log_law = log_prior(u)
    inside = np.flatnonzero(np.isfinite(log_law))
    if not inside.size:
        return np.zeros(0), inside
    misfit = ((goal - view.fitted(u[inside])) ** 2).sum(1)
    logarithms = log_law[inside] - 0.5 * misfit - log_proposal[inside]
    weights = np.exp(logarithms - logarithms.max())
    return weights / weights.sum(), inside


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Weighted samples of one measurement's posterior."""

    u: FloatArray  # (m, coordinates)
    weights: FloatArray  # (m,), of sum one
    most_probable: FloatArray  # (coordinates,)
    covariance: FloatArray  # (coordinates, coordinates) of u, of the normal law there
    rms: float  # residual, whitened by noise and the surrogate's own error
    explained: bool  # whether samples lie in the prior's range: else the normal law is drawn from


def posterior_draws(
    surrogate: Surrogate,
    log_prior: LogDensity,
    strains: NDArray[np.floating],
    forces: NDArray[np.floating] | None = None,
    *,
    prior: NormalPrior | None = None,
    kept: NDArray[np.bool_] | None = None,
    samples: int = 8 * SAMPLES,
) -> Draws:
    """Draw from the posterior of one measurement, strains (strain_values,) and forces or None.

    As `posterior_mean`; where hardly a sample lies in the prior's range, the normal law about the
    most probable sheet is drawn from instead.
    """
    row, pull = strains[None], None if forces is None else forces[None]
    found = refine(surrogate, row, pull, prior=prior, kept=kept)
    measured = surrogate.observables.of(row, pull)
    view = View.of(surrogate, measured.shape[1], kept, prior)
    goal = view.goal(view.deviation(measured))[0]
    factor = _factors(view, found.u)[0]
    proposals = Proposals.of(samples, found.u.shape[1])
    u = found.u[0] + proposals.offsets @ factor.T
    weights, inside = _weights(view, log_prior, goal, u, proposals.log_density)
    misfit = goal - view.fitted(found.u)[0]
    unseen = found.chi_square[0] - (misfit**2).sum()
    rms = float(np.sqrt((unseen + (misfit**2).sum()) / max(found.freedom, 1)))
    explained = bool(weights.size) and 1 / (weights**2).sum() > FEWEST
    if not explained:
        normal = np.random.default_rng(SEED).standard_normal((samples, len(factor)))
        u, inside = found.u[0] + normal @ factor.T, np.arange(samples)
        weights = np.full(samples, 1 / samples)
    return Draws(
        u=u[inside],
        weights=weights,
        most_probable=found.u[0],
        covariance=factor @ factor.T,
        rms=rms,
        explained=explained,
    )
