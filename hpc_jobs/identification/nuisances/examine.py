"""Examine an answer: fit the sheet anew with everything that was not measured exactly.

Gauss-Newton on the engine itself: some twenty simulations of each specimen for a Jacobian, one for
each step between.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.examination import Examination, Suspect
from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.design.mechanical import solve_tests
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.yield_locus import mechanical_values
from hpc_jobs.identification.nuisances.kinds import KIND, Column, columns_of, in_words
from hpc_jobs.identification.nuisances.models import (
    MISTAKE,
    Explanation,
    Mistake,
    Problem,
    mixture,
    search,
    weights,
)
from hpc_jobs.identification.nuisances.noise import whitening
from hpc_jobs.identification.nuisances.response import Response, Unsimulated
from hpc_jobs.measurement.file import Measurement

CHANCE = 1e-3
"""Probability with which chance alone leaves more, or less, than the limits of a residual."""
TOO_GOOD = 0.7
"""Of the noise: a residual below this is as suspect as one that is too large."""
LINES, STEPS = 3, 4  # at most, and steps along each
SETTLED = 0.1  # of a posterior standard deviation that a last step may move
NEAR = 0.15  # of a mechanical value, within which a line serves
LARGE = 0.3  # of a mistake's size, beyond which a nuisance is simulated
HALVINGS = 5
LIKELY, POSSIBLE = 0.5, 0.1  # of a suspect's probability
NOTICED_SIGMAS = 3.0
MOST_SUSPECTS = 5

FloatArray = NDArray[np.float64]
Finding = Literal["fits", "misfit", "too_good"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Examined:
    """An examination, and the answer that comes of it."""

    examination: Examination
    parameters: FloatArray  # (targets,)
    covariance: FloatArray  # (targets, targets)
    simulations: int  # of one specimen each


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Derivatives by all unknowns, and where they were taken."""

    at: FloatArray  # (unknowns,)
    nuisances: FloatArray  # with which the engine simulates
    jacobian: FloatArray  # (values, unknowns)


@dataclass(frozen=True, eq=False)
class Examiner:
    """One measurement with its unknowns: mechanical values, then nuisances."""

    campaign: Campaign
    measurement: Measurement
    response: Response
    prior_mean: FloatArray
    prior_covariance: FloatArray
    measured: FloatArray  # (values,) strains, then logarithms of forces; NaN where missing
    whiten: FloatArray  # (rows, rows) of the rows that were measured: its inverse root covariance

    @classmethod
    def of(cls, campaign: Campaign, measurement: Measurement) -> "Examiner":
        """Prepare; raises SolverMissing."""
        header, specimens = measurement.header, measurement.header.specimens
        tests, forces = campaign.specimens.tests, measurement.forces
        own = campaign.specimens.model_copy(
            update={"pieces": specimens.pieces, "warm_start": False, "outputs": ()}
        )
        axes: tuple[Quantity, ...] = MATERIALS[campaign.sheet.yield_function].tests
        columns = columns_of(
            campaign.validation.priors,
            campaign.nuisance.model_dump(),
            header.knowledge,
            tests,
            forces=forces is not None,
        )
        shares = np.tile(np.linspace(0, 1, specimens.output_times), (len(tests), 1))
        measured = measurement.strains
        if forces is not None:
            by_test = forces.reshape(campaign.specimens.force_shape)
            shares = by_test / by_test[:, -1:]
            measured = np.concatenate([measured, np.log(forces)])
        response = Response(
            backend=backend_of(campaign.solver)[1],
            material=header.material or campaign.material,
            specimens=own,
            axes=axes,
            columns=columns,
            force_shares=shares,
            forces_seen=forces is not None,
        )
        low, high = np.array([getattr(campaign.design.box, axis) for axis in axes]).T
        deviations = [column.deviation for column in columns]
        variances = np.concatenate([(high - low) ** 2 / 12, np.square(deviations)])
        mean = np.concatenate([(low + high) / 2, [column.mean for column in columns]])
        return cls(
            campaign, measurement, response, mean, np.diag(np.maximum(variances, 1e-18)),
            measured, whitening(measurement, campaign.validation.priors),
        )  # fmt: skip

    @property
    def sheets(self) -> int:
        """Number of unknowns of the sheet."""
        return len(self.response.axes)

    def whitened(self, values: FloatArray) -> FloatArray:
        """Drop missing rows, and bring the others to noise of variance one."""
        return np.asarray(self.whiten @ values[np.isfinite(self.measured)])

    def line(self, x: FloatArray) -> "Line":
        """Linearise in the nuisances about x, or about 0 where they are small."""
        large = np.abs(x[self.sheets :]) > LARGE * self._gross
        at = np.where(large & self._by_engine, x[self.sheets :], 0.0)
        return Line(x, at, self.response.jacobian(x[: self.sheets], at))

    def predict(self, x: FloatArray, line: "Line") -> FloatArray:
        """Prediction (values,): simulated in the sheet, linear in the nuisances."""
        simulated = self.response.predict(x[: self.sheets], line.nuisances)
        slopes = line.jacobian[:, self.sheets :]
        return np.asarray(simulated + slopes @ (x[self.sheets :] - line.nuisances))

    def problem(self, x: FloatArray, line: "Line") -> Problem:
        """Linearise about x."""
        return Problem(
            residual=self.whitened(self.measured - self.predict(x, line)),
            jacobian=self.whitened(line.jacobian),
            at=x,
            prior_mean=self.prior_mean,
            prior_covariance=self.prior_covariance,
            columns=self.response.columns,
            unknowns_of_sheet=self.sheets,
        )

    def fit(self, start: FloatArray) -> tuple[FloatArray, "Line"]:
        """Descend from unknowns `start`: the unknowns, and the line there; raises Unsimulated."""
        x, line = start, self.line(start)
        for _ in range(LINES):
            x = self.descend(x, line)
            far = np.abs(x - line.at)[: self.sheets].max(initial=0.0) > NEAR
            away = np.abs(x[self.sheets :] - line.nuisances)
            if not far and not (away > LARGE * self._gross)[self._by_engine].any():
                break
            line = self.line(x)
        return x, line

    def descend(self, x: FloatArray, line: "Line") -> FloatArray:
        """Go to the best explanation's most probable unknowns along one line."""
        for _ in range(STEPS):
            best = search(self.problem(x, line))[0]
            step = best.mean - x
            x = self._stepped(x, step, line)
            if (np.abs(step) < SETTLED * np.sqrt(np.diagonal(best.covariance))).all():
                break
        return x

    @cached_property
    def _gross(self) -> FloatArray:
        return np.array([column.kind.gross for column in self.response.columns])

    @cached_property
    def _by_engine(self) -> NDArray[np.bool_]:
        return np.array([not column.kind.linear for column in self.response.columns])

    def _stepped(self, x: FloatArray, step: FloatArray, line: "Line") -> FloatArray:
        """Go a step, or as much of it as can be simulated."""
        share = 1.0
        for _ in range(HALVINGS):
            there = x + share * step
            try:
                self.predict(there, line)
            except Unsimulated:
                share /= 2
            else:
                return there
        raise Unsimulated("the fit leads to sheets that cannot be simulated")


def examine(
    campaign: Campaign,
    measurement: Measurement,
    start: FloatArray | None = None,
    *,
    swaps: bool = True,
) -> Examined:
    """Examine the answer to a measurement, from parameters `start` (targets,) or the box's middle.

    swaps: also suspect that specimens have changed places. Raises Unsimulated where no sheet near
    can be simulated.
    """
    examiner = Examiner.of(campaign, measurement)
    x = examiner.prior_mean.copy()
    if start is not None:
        x[: examiner.sheets] = _mechanical(examiner, start[list(campaign.columns)])
    x, line = examiner.fit(x)
    problem = examiner.problem(x, line)
    usual = problem.explain(frozenset())
    changed = _swapped(examiner, x, line) if swaps else []
    return _report(examiner, problem, search(problem), usual, changed)


@dataclass(frozen=True, slots=True, eq=False)
class Swap:
    """Two specimens taken for one another, and what then explains the measurement best."""

    specimens: tuple[int, int]
    best: Explanation
    log_evidence: float


def _swapped(examiner: Examiner, x: FloatArray, line: Line) -> list[Swap]:
    """Fit every measurement in which two specimens of one geometry have changed places."""
    specimens = examiner.campaign.specimens
    angles = len(specimens.angles_deg)
    found = []
    for one, other in combinations(range(len(specimens.tests)), 2):
        if one // angles != other // angles:
            continue
        order = list(range(len(specimens.tests)))
        order[one], order[other] = other, one
        strains = examiner.measured[: specimens.strain_values].reshape(specimens.strain_shape)
        parts = [strains[:, order].ravel()]
        if examiner.response.forces_seen:
            forces = examiner.measured[specimens.strain_values :].reshape(specimens.force_shape)
            parts.append(forces[order].ravel())
        try:
            other_way = replace(examiner, measured=np.concatenate(parts))
            there = other_way.descend(x, line)
            best = search(other_way.problem(there, line))[0]
        except Unsimulated:
            continue
        found.append(Swap((one, other), best, best.log_evidence + float(np.log(MISTAKE))))
    return found


def _report(
    examiner: Examiner,
    problem: Problem,
    explanations: list[Explanation],
    usual: Explanation,
    swaps: list[Swap],
) -> Examined:
    rows = len(problem.residual)
    lowest, highest = np.sqrt(chdtri(rows, [1 - CHANCE, CHANCE]) / rows)
    rms = float(np.sqrt(explanations[0].chi_square / rows))
    widened = max(1.0, rms) if rms > highest else 1.0
    if widened > 1:
        problem = replace(problem, noise_factor=widened, _kept={})
        explanations = search(problem)
    everything = [*explanations, *(_as_explanation(swap) for swap in swaps)]
    mean, covariance = mixture(everything)
    suspects = _suspects(examiner, problem, everything, usual)
    finding: Finding = (
        "misfit" if rms > highest else "too_good" if rms < TOO_GOOD * lowest else "fits"
    )
    undone = tuple(one.words for one in suspects if one.probability > LIKELY)
    reservations = _reservations(finding, rms, (lowest, highest), suspects)
    deviations = np.sqrt(np.diagonal(covariance))
    sheets, columns = examiner.sheets, examiner.response.columns
    tests = examiner.campaign.specimens.tests
    parameters, slopes = _parameters(examiner, mean[:sheets])
    examination = Examination(
        finding=finding,
        rms=rms,
        rms_limits=(float(TOO_GOOD * lowest), float(highest)),
        values=rows,
        widened=widened,
        undone=undone,
        suspects=suspects,
        nuisances={
            column.label(tests): (float(mean[sheets + i]), float(deviations[sheets + i]))
            for i, column in enumerate(columns)
        },
        quantities={
            axis: (float(mean[i]), float(deviations[i]))
            for i, axis in enumerate(examiner.response.axes)
        },
        residuals=_residual_map(examiner, problem, explanations[0]),
        reservations=reservations,
    )
    return Examined(
        examination=examination,
        parameters=parameters,
        covariance=slopes @ covariance[:sheets, :sheets] @ slopes.T,
        simulations=examiner.response.simulations,
    )


def _as_explanation(swap: Swap) -> Explanation:
    name: Mistake = (f"swapped {swap.specimens[0]} {swap.specimens[1]}", None)
    return replace(swap.best, mistakes=swap.best.mistakes | {name}, log_evidence=swap.log_evidence)


def _suspects(
    examiner: Examiner, problem: Problem, explanations: list[Explanation], usual: Explanation
) -> tuple[Suspect, ...]:
    """Mistakes by probability, then by what they explain."""
    tests, columns = examiner.campaign.specimens.tests, examiner.response.columns
    shares = weights(explanations)
    found = []
    for mistake in sorted({m for one in explanations for m in one.mistakes}, key=str):
        with_it = [i for i, one in enumerate(explanations) if mistake in one.mistakes]
        probability = float(sum(shares[i] for i in with_it))
        best = explanations[min(with_it)]
        alone = problem.explain(frozenset({mistake})) if mistake[0] in KIND else best
        fall = usual.chi_square / problem.noise_factor**2 - alone.chi_square
        sigmas = float(np.sqrt(max(fall, 0.0)))
        if probability < POSSIBLE and sigmas < NOTICED_SIGMAS:
            continue
        found.append(_suspect(mistake, probability, sigmas, best, examiner, columns))
    del tests
    found.sort(key=lambda one: (-one.probability, -one.sigmas))
    return tuple(found[:MOST_SUSPECTS])


def _suspect(
    mistake: Mistake,
    probability: float,
    sigmas: float,
    best: Explanation,
    examiner: Examiner,
    columns: tuple[Column, ...],
) -> Suspect:
    name, specimen = mistake
    tests = examiner.campaign.specimens.tests
    if name not in KIND:
        one, other = (tests[int(number)].label for number in name.split()[1:])
        return Suspect(
            name=f"swapped@{one}-{other}",
            words=f"as if the specimens {one} and {other} had changed places",
            sigmas=sigmas,
            probability=probability,
            value=1.0,
            deviation=0.0,
            unit="1",
        )
    at = [
        examiner.sheets + i
        for i, column in enumerate(columns)
        if column.kind.name == name and specimen in (None, column.specimen)
    ]
    value = float(np.mean(best.mean[at]))
    deviation = float(np.sqrt(best.covariance[at[0], at[0]]))
    kind = KIND[name]
    test = tests[specimen] if specimen is not None else None
    whole = "" if specimen is not None or kind.shared else "all specimens: "
    said = in_words(kind, value, test if test or kind.shared else tests[0])
    if whole:
        said = whole + said.split(": ", 1)[-1]
    label = name if specimen is None else f"{name}@{tests[specimen].label.replace(' ', '-')}"
    return Suspect(
        name=label,
        words=said,
        sigmas=sigmas,
        probability=min(probability, 1.0),
        value=value,
        deviation=deviation,
        unit=kind.unit,
    )


def _reservations(
    finding: str, rms: float, limits: tuple[float, float], suspects: tuple[Suspect, ...]
) -> tuple[str, ...]:
    found = []
    if finding == "misfit":
        found.append(
            f"what no sheet and no likely error explains is {rms:.2f} noise, and chance leaves at "
            f"most {limits[1]:.2f}: the intervals are {rms:.2f} times wider for it"
        )
    if finding == "too_good":
        found.append(
            f"what is left is {rms:.2f} noise, far less than chance leaves: is the noise "
            "overstated, or were the strains smoothed?"
        )
    for one in suspects:
        if one.probability > LIKELY:
            found.append(f"the measurement looks {one.words} ({one.sigmas:.1f} sigma): undone")
        elif one.probability > POSSIBLE:
            found.append(
                f"the measurement may look {one.words} ({one.sigmas:.1f} sigma): the intervals "
                "cover it"
            )
    return tuple(found)


def _residual_map(
    examiner: Examiner, problem: Problem, best: Explanation
) -> tuple[float | None, ...]:
    """Rms of both strains at [specimen, patch, time] in units of the noise."""
    left = problem.residual + problem.jacobian @ (problem.at - best.mean)
    every = np.full(len(examiner.measured), np.nan)
    every[np.isfinite(examiner.measured)] = left
    specimens = examiner.campaign.specimens
    strains = every[: specimens.strain_values].reshape(2, -1)
    rms = np.sqrt((strains**2).mean(axis=0))
    return tuple(round(float(value), 2) if np.isfinite(value) else None for value in rms)


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
