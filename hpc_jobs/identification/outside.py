"""Outside the box: Gauss-Newton on the FEM itself, for some dozen simulations.

Where no record lies neither a network nor a surrogate may be believed. The engine can be asked
there: the posterior's maximum is found with slopes from finite differences, carried along between
them by Broyden's rank-one updates, so that most steps cost one simulation. Levels are free: forces
are proportional to E and to a load cell's gain, so that these slopes are known without simulating.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.identification.engine import Engine, NoSheet
from hpc_jobs.identification.posterior import NormalPrior

MOST_SIMULATIONS = 60
CLOSE = 0.02  # of a posterior standard deviation: it has arrived
HALVINGS = 6
LONGEST_STEP = 2.0  # of u

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What was found, in coordinates u; normal law of covariance (coordinates, coordinates)."""

    u: FloatArray
    covariance: FloatArray
    chi_square: float
    freedom: int
    simulations: int
    converged: bool

    @property
    def rms(self) -> float:
        """Residual in units of the noise; about 1 where the sheet explains the measurement."""
        return float(np.sqrt(self.chi_square / max(self.freedom, 1)))


class Descent:
    """One measurement's way to the maximum of its posterior."""

    def __init__(
        self,
        engine: Engine,
        goal: FloatArray,
        prior: NormalPrior,
        most: int = MOST_SIMULATIONS,
    ) -> None:
        self.engine, self.goal, self.prior, self.most = engine, goal, prior, most
        self.kept = np.isfinite(goal)
        self.begun = engine.simulations

    @property
    def left(self) -> int:
        """Simulations that may still be made."""
        return self.most - (self.engine.simulations - self.begun)

    def run(self, start: FloatArray) -> Answer:
        """Descend from u (coordinates,); raises NoSheet if no sheet lies near the start."""
        u, seen = self._admissible(start)
        slopes = self.engine.slopes(u, seen)
        refreshed, converged = True, False
        while self.left > 0:
            step = self._step(u, seen, slopes)
            if self._length(step, slopes) < CLOSE:
                converged = True
                if refreshed or self.left <= len(self.engine.free):
                    break
                slopes, refreshed, converged = self.engine.slopes(u, seen), True, False
                continue
            taken = self._taken(u, seen, step)
            if taken is None:
                if refreshed or self.left <= len(self.engine.free):
                    break
                slopes, refreshed = self.engine.slopes(u, seen), True
                continue
            moved, there = taken
            change = moved - u
            predicted = slopes @ change
            slopes = slopes + np.outer(there - seen - predicted, change) / (change @ change)
            u, seen, refreshed = moved, there, False
        return Answer(
            u=u,
            covariance=np.asarray(np.linalg.inv(self._curvature(slopes)), np.float64),
            chi_square=float(((self.goal - seen)[self.kept] ** 2).sum()),
            freedom=int(self.kept.sum()) - len(u),
            simulations=self.engine.simulations - self.begun,
            converged=converged,
        )

    def _admissible(self, start: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the start, or the nearest sheet between it and the middle of the prior."""
        reason = ""
        for share in (1.0, 0.85, 0.7, 0.5, 0.3, 0.15, 0.0):
            u = self.prior.mean + share * (start - self.prior.mean)
            try:
                return u, self.engine.observe(u)
            except NoSheet as error:
                reason = reason or str(error)
        raise NoSheet(f"no sheet between the start and the middle of what is known: {reason}")

    def _curvature(self, slopes: FloatArray) -> FloatArray:
        seen = slopes[self.kept]
        return np.asarray(seen.T @ seen + np.diag(self.prior.precision))

    def _step(self, u: FloatArray, seen: FloatArray, slopes: FloatArray) -> FloatArray:
        pull = slopes[self.kept].T @ (self.goal - seen)[self.kept]
        pull -= self.prior.precision * (u - self.prior.mean)
        step = np.linalg.solve(self._curvature(slopes), pull)
        return np.asarray(step * min(1.0, LONGEST_STEP / np.abs(step).max()))

    def _length(self, step: FloatArray, slopes: FloatArray) -> float:
        """Length of a step in posterior standard deviations."""
        return float(np.sqrt(step @ self._curvature(slopes) @ step / len(step)))

    def _cost(self, u: FloatArray, seen: FloatArray) -> float:
        misfit = ((self.goal - seen)[self.kept] ** 2).sum()
        return float(misfit + (self.prior.precision * (u - self.prior.mean) ** 2).sum())

    def _taken(
        self, u: FloatArray, seen: FloatArray, step: FloatArray
    ) -> tuple[FloatArray, FloatArray] | None:
        """Return the first of ever shorter steps that is a sheet and explains more."""
        cost = self._cost(u, seen)
        for _ in range(HALVINGS):
            if self.left <= 0:
                return None
            try:
                there = self.engine.observe(u + step)
            except NoSheet:
                step = step / 2
                continue
            if self._cost(u + step, there) < cost:
                return u + step, there
            step = step / 3
        return None
