"""Outside the box: Gauss-Newton on the FEM itself, for some dozen simulations.

Where no record lies neither a network nor a surrogate may be believed. The engine can be asked
there: the posterior's maximum is found with slopes from finite differences, carried along between
them by Broyden's rank-one updates, so that most steps cost one simulation. Levels are free: forces
are proportional to E and to a load cell's gain, so that these slopes are known without simulating.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.sheet import LEVEL_STRAIN
from hpc_jobs.forward.natural import Natural
from hpc_jobs.identification.engine import Engine, NoSheet
from hpc_jobs.identification.posterior import NormalPrior

MOST_SIMULATIONS = 60
CLOSE = 0.05  # of a posterior standard deviation: another step is not worth a simulation
NEAR = 0.2
"""Of a posterior standard deviation from the end: slopes worked out there need not be once more."""
SETTLED = 0.3  # of a posterior standard deviation: what the next step would still move
LONGEST_STEP = 1.0  # of u
WORTH = 0.7  # of what slopes promise: two steps that gain less, and they are worked out anew
NODE = "log_k_over_k05@"
SMALLEST_RISE = 1e-3  # of ln k between two nodes
HARDER = (0.1, 0.2, 0.35, 0.5)  # of local exponents, for starts that neck too early
FIRST_DAMPING, SMALL_DAMPING, MOST_DAMPING = 1e-2, 1e-3, 1e6

FloatArray = NDArray[np.float64]


def rising(natural: Natural, u: FloatArray, harder: float = 0.0) -> FloatArray:
    """Move the nodes of a curve in u (coordinates,) as little as makes it rise.

    harder: by which its local exponent d ln k/d ln p is larger beyond k(.05), besides.
    """
    nodes = {
        float(name.removeprefix(NODE)): column
        for column, name in enumerate(natural.names)
        if name.startswith(NODE)
    }
    values = natural.physical((natural.centre + natural.spread * u)[None])[0]
    risen = values.copy()
    for side, strains in (
        (-1, sorted((p for p in nodes if p < LEVEL_STRAIN), reverse=True)),
        (1, sorted(p for p in nodes if p > LEVEL_STRAIN)),
    ):
        least = 0.0  # ln k(p)/k(.05), counted away from there
        for strain in strains:
            own = side * risen[nodes[strain]]
            if side > 0:
                own += harder * np.log(strain / LEVEL_STRAIN)
            least = max(least + SMALLEST_RISE, own)
            risen[nodes[strain]] = side * least
    if np.array_equal(risen, values):
        return u
    return np.asarray((natural.natural(risen[None])[0] - natural.centre) / natural.spread)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What was found, in coordinates u; normal law of covariance (coordinates, coordinates)."""

    u: FloatArray
    covariance: FloatArray
    chi_square: float
    freedom: int
    simulations: int
    converged: bool
    slopes: FloatArray  # (values, coordinates) there

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

    def run(self, start: FloatArray, slopes: FloatArray | None = None) -> Answer:
        """Descend from u (coordinates,); raises NoSheet if no sheet lies near the start.

        slopes (values, coordinates): a surrogate's there, for a start that costs nothing.
        """
        u, seen = self._admissible(start)
        fresh, damping, failed, slow = slopes is None, FIRST_DAMPING, 0, 0
        if slopes is None:
            slopes = self.engine.slopes(u, seen)
        near = False  # whether slopes were worked out near the end
        while self.left > 0 and damping < MOST_DAMPING:
            near = (near or fresh) and self._length(self._step(u, seen, slopes, 0), slopes) < NEAR
            if max(failed, slow) > 1 and near:
                break
            if max(failed, slow) > 1 and not fresh and self.left > len(self.engine.free) + 2:
                slopes, fresh, damping = self.engine.slopes(u, seen), True, FIRST_DAMPING
                failed, slow = 0, 0
                continue
            step = self._step(u, seen, slopes, damping)
            if self._length(step, slopes) < CLOSE and damping <= SMALL_DAMPING:
                if fresh or near or self.left <= len(self.engine.free):
                    break
                slopes, fresh = self.engine.slopes(u, seen), True
                continue
            try:
                there = self.engine.observe(u + step)
            except NoSheet:
                damping, failed = max(10 * damping, SMALL_DAMPING), failed + 1
                continue
            promised = self._cost(u, seen) - self._promise(u, seen, slopes)
            # What was seen there tells of the slopes even where it is no better
            predicted = slopes @ step
            slopes = slopes + np.outer(there - seen - predicted, step) / (step @ step)
            gained = self._cost(u, seen) - self._cost(u + step, there)
            slow = slow + 1 if gained < WORTH * promised else 0
            if gained > 0:
                u, seen, fresh, damping, failed = u + step, there, False, damping / 8, 0
            else:
                damping, fresh, failed = max(6 * damping, SMALL_DAMPING), False, failed + 1
        return Answer(
            u=u,
            covariance=np.asarray(np.linalg.inv(self._curvature(slopes)), np.float64),
            chi_square=float(((self.goal - seen)[self.kept] ** 2).sum()),
            freedom=int(self.kept.sum()) - len(u),
            simulations=self.engine.simulations - self.begun,
            converged=self._length(self._step(u, seen, slopes, 0.0), slopes) < SETTLED,
            slopes=slopes,
        )

    def _admissible(self, start: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the start, or the nearest sheet between it and the middle of the prior.

        A surrogate's nearest sheet may have a curve that softens, or that necks before the
        measured one has: it is made to rise, and to harden more.
        """
        natural, middle = self.engine.natural, self.prior.mean
        away = rising(natural, start) - middle
        starts = [middle + share * away for share in (1.0, 0.85, 0.7, 0.5, 0.3, 0.15, 0.0)]
        starts += [rising(natural, start, harder) for harder in HARDER]
        reason = ""
        for u in starts:
            try:
                return u, self.engine.observe(u)
            except NoSheet as error:
                reason = reason or str(error)
        raise NoSheet(f"no sheet between the start and the middle of what is known: {reason}")

    def _curvature(self, slopes: FloatArray) -> FloatArray:
        seen = slopes[self.kept]
        return np.asarray(seen.T @ seen + np.diag(self.prior.precision))

    def _step(
        self, u: FloatArray, seen: FloatArray, slopes: FloatArray, damping: float
    ) -> FloatArray:
        pull = slopes[self.kept].T @ (self.goal - seen)[self.kept]
        pull -= self.prior.precision * (u - self.prior.mean)
        curvature = self._curvature(slopes)
        damped = curvature + damping * np.diag(np.diag(curvature))
        step = np.linalg.solve(damped, pull)
        return np.asarray(step * min(1.0, LONGEST_STEP / np.abs(step).max()))

    def _promise(self, u: FloatArray, seen: FloatArray, slopes: FloatArray) -> float:
        """Return the cost that slopes promise at the end of an undamped step."""
        step = self._step(u, seen, slopes, 0.0)
        return self._cost(u + step, seen + slopes @ step)

    def _length(self, step: FloatArray, slopes: FloatArray) -> float:
        """Length of a step in posterior standard deviations."""
        return float(np.sqrt(step @ self._curvature(slopes) @ step / len(step)))

    def _cost(self, u: FloatArray, seen: FloatArray) -> float:
        misfit = ((self.goal - seen)[self.kept] ** 2).sum()
        return float(misfit + (self.prior.precision * (u - self.prior.mean) ** 2).sum())
