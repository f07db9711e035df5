"""Examine an answer: fit the sheet anew with everything that was not measured exactly.

First, values that are wrong by themselves are left out (faults); then a sheet is fitted with all
that may be off with its test (examiner, models); then it is asked whether specimens, patches or
times were taken for one another (arrangements). What is left over says how good the fit is.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.examination import Examination, Suspect
from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.design.mechanical import solve_tests
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.yield_locus import mechanical_values
from hpc_jobs.identification.nuisances.arrangements import Arrangement, arrangements
from hpc_jobs.identification.nuisances.bench import Unsimulated
from hpc_jobs.identification.nuisances.examiner import Examiner, Line
from hpc_jobs.identification.nuisances.faults import (
    come_back,
    far_off,
    in_words,
    robust_residual,
)
from hpc_jobs.identification.nuisances.models import Explanation, Problem, search
from hpc_jobs.identification.nuisances.report import Told, report
from hpc_jobs.measurement.file import Measurement

FAULT_ROUNDS = 3
BETTER, FAR_BETTER = 0.7, 60.0
"""Cost of an arrangement over that of the measurement as it is, and by how much it is less at
least, for it to be fitted."""
CLIPPED = 25.0  # deviations, from where a value's cost grows no more
MIXED_UP = 1e-3
"""Probability of any one order before the data are seen: a test house labels its specimens, and an
order feigned by something else must not be believed soon."""
MOST_FITTED = 2  # arrangements

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Examined:
    """An examination, and the answer that comes of it."""

    examination: Examination
    parameters: FloatArray  # (targets,)
    covariance: FloatArray  # (targets, targets)
    simulations: int  # of one specimen each
    floors: dict[Quantity, float]  # deviations if nothing is grossly wrong, and the noise as said


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """A measurement, in some order, with what explains it best."""

    examiner: Examiner
    x: FloatArray
    line: Line
    arrangement: Arrangement | None = None
    faults: tuple[Suspect, ...] = ()

    @property
    def problem(self) -> Problem:
        """Linearised about what was found."""
        return self.examiner.problem(self.x, self.line)

    @property
    def volume_gained(self) -> float:
        """By how much the evidence gains because less model error than its prior's is believed."""
        if self.examiner.model_share == 1:
            return 0.0
        prior = replace(self.examiner, model_share=1.0).of_other(self.examiner.measurement)
        return self.examiner.log_volume - prior.log_volume


def examine(
    campaign: Campaign,
    measurement: Measurement,
    start: FloatArray | None = None,
    *,
    mistakes: bool = True,
) -> Examined:
    """Examine the answer to a measurement, from parameters `start` (targets,) or the box's middle.

    mistakes: also suspect that values are wrong by themselves, and that specimens, patches or
    times have changed places. Raises Unsimulated where no sheet near can be simulated.
    """
    examiner = Examiner.of(campaign, measurement)
    x = examiner.prior_mean.copy()
    if start is not None:
        x[: examiner.sheets] = _mechanical(examiner, start[list(campaign.columns)])
    first = examiner.line(x)
    as_is, reason = None, ""
    try:
        as_is = _settled(examiner, x, first) if mistakes else Settled(examiner, *examiner.fit(x))
    except Unsimulated as error:
        reason = str(error)
    others = _other_orders(as_is, examiner, x, first) if mistakes else []
    found = [*([as_is] if as_is else []), *others]
    if not found:
        raise Unsimulated(reason)
    as_it_is = as_is.problem if as_is else examiner.problem(x, first)
    plain = as_it_is.explain(frozenset()).chi_square
    told = report(campaign, _explained(found), plain)
    return _answer(examiner, told)


def _settled(examiner: Examiner, x: FloatArray, line: Line) -> Settled:
    """Leave out what is wrong by itself, and fit the rest; raises Unsimulated."""
    specimens, whole = examiner.campaign.specimens, examiner
    wrong = far_off(*_robust(examiner, x, line), specimens)
    for _ in range(FAULT_ROUNDS):
        if wrong.any:
            examiner = whole.of_other(wrong.left_out(whole.measurement))
        x, line = examiner.fit(x)
        left = _left(whole, examiner, x, line)
        seen = left[np.isfinite(examiner.measured)]
        scatter = max(1.0, 1.4826 * float(np.median(np.abs(seen))))
        more = wrong | far_off(left, scatter, specimens)
        if more.count == wrong.count:
            break
        wrong = more
    if not wrong.any:
        return _weighed(Settled(examiner, x, line))
    still = wrong
    for _ in range(FAULT_ROUNDS):
        wrong, still = still, come_back(still, _left(whole, examiner, x, line), specimens)
        if still.count == wrong.count:
            break
        examiner = whole.of_other(still.left_out(whole.measurement)) if still.any else whole
        x, line = examiner.fit(x)
    best = search(examiner.problem(x, line))[0]
    predicted = examiner.predict(best.mean, line)
    faults = in_words(still, whole.measurement, predicted, whole.deviations)
    return _weighed(Settled(examiner, x, line, faults=faults))


def _weighed(settled: Settled) -> Settled:
    """Go on with as much model error as the residual asks for; raises Unsimulated."""
    examiner = settled.examiner.weighed(settled.x, settled.line)
    if examiner.model_share == settled.examiner.model_share:
        return settled
    x = examiner.descend(settled.x, settled.line)
    return replace(settled, examiner=examiner, x=x)


def _left(whole: Examiner, fitted: Examiner, x: FloatArray, line: Line) -> FloatArray:
    """Residual (values,) of all values, in deviations, by the best explanation of the fitted."""
    best = search(fitted.problem(x, line))[0]
    return np.asarray((whole.measured - fitted.predict(best.mean, line)) / whole.deviations)


def _robust(examiner: Examiner, x: FloatArray, line: Line) -> tuple[FloatArray, float]:
    """Residual (values,) of a linear fit that few values cannot pull, and its scatter."""
    seen = np.isfinite(examiner.measured)
    residual = ((examiner.measured - examiner.predict(x, line)) / examiner.deviations)[seen]
    slopes = line.jacobian[seen] / examiner.deviations[seen, None]
    precision = 1 / np.diagonal(examiner.prior_covariance)
    left, scatter = robust_residual(residual, slopes, examiner.prior_mean - x, precision)
    whole = np.full(len(seen), np.nan)
    whole[seen] = left
    return whole, scatter


def _other_orders(
    as_is: Settled | None, examiner: Examiner, x: FloatArray, line: Line
) -> list[Settled]:
    """Fit the measurement in the orders that may explain it better."""
    if as_is is not None:
        examiner, x, line = as_is.examiner, as_is.x, as_is.line
    cost = _cost(examiner, examiner.measurement, x, line)
    found, promising = list[Settled](), list[tuple[float, Arrangement]]()
    for one in arrangements(examiner.campaign.specimens):
        own = _cost(examiner, one.undone(examiner.measurement), x, line)
        rows = int(np.isfinite(examiner.measured).sum())
        if own < BETTER * cost and rows * (cost - own) > FAR_BETTER:
            promising.append((own, one))
        elif one.likely and as_is is not None:
            other = examiner.of_other(one.undone(examiner.measurement))
            try:
                found.append(Settled(other, other.descend(x, line), line, one, as_is.faults))
            except Unsimulated:
                continue
    for _, one in sorted(promising, key=lambda pair: pair[0])[:MOST_FITTED]:
        other = examiner.of_other(one.undone(examiner.measurement))
        try:
            settled = _settled(other, x, line)
        except Unsimulated:
            continue
        found.append(replace(settled, arrangement=one))
    return found


def _cost(examiner: Examiner, measurement: Measurement, x: FloatArray, line: Line) -> float:
    """Mean square that a linear fit leaves of a measurement, each value's share bounded."""
    other = replace(examiner, measurement=measurement, measured=examiner.values_of(measurement))
    left, _ = _robust(other, x, line)
    return float(np.nanmean(np.minimum(left**2, CLIPPED**2)))


def _explained(found: list[Settled]) -> list[Told]:
    """Weigh all orders: the measurement as it is, and each mix-up with its own chance."""
    told = []
    most = max(len(one.problem.residual) for one in found)
    for one in found:
        chance = 0.0 if one.arrangement is None else float(np.log(MIXED_UP))
        # Rows that an order does not have would have cost half each, were they explained
        chance -= (most - len(one.problem.residual)) / 2
        chance += one.volume_gained
        told.append(Told(one.examiner, one.problem, one.arrangement, one.faults, chance))
    return told


def _answer(examiner: Examiner, told: "tuple[Examination, Explanation, FloatArray]") -> Examined:
    examination, usual, covariance = told
    sheets = examiner.sheets
    sheet = np.array([examination.quantities[axis][0] for axis in examiner.response.axes])
    parameters, slopes = _parameters(examiner, sheet)
    floors = np.sqrt(np.diagonal(usual.covariance))[:sheets]
    return Examined(
        examination=examination,
        parameters=parameters,
        covariance=slopes @ covariance[:sheets, :sheets] @ slopes.T,
        simulations=examiner.response.simulations,
        floors=dict(zip(examiner.response.axes, floors.tolist(), strict=True)),
    )


def _mechanical(examiner: Examiner, parameters: FloatArray) -> FloatArray:
    """Mechanical values (axes,) of parameters in the material's order."""
    material = examiner.response.material
    values = mechanical_values(MATERIALS[material.yield_function].of(parameters, material))
    return np.array([values[axis] for axis in examiner.response.axes])


def _parameters(examiner: Examiner, sheet: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Parameters (targets,) of mechanical values, and their derivatives (targets, axes)."""
    step = 1e-4
    points = np.vstack([sheet, sheet + step * np.eye(len(sheet))])
    found, solved = solve_tests(examiner.response.material, points)
    if not solved.all():
        raise Unsimulated("no sheet has the mechanical values that the fit arrived at")
    ordered = np.empty_like(found)
    ordered[:, list(examiner.campaign.columns)] = found
    return ordered[0], (ordered[1:] - ordered[0]).T / step
