"""The answer of the engine itself, with its price in simulations: outside the box, and in it.

A network and a surrogate miss by what they have learned wrongly; over a family that is more than
the noise. From their answer some thirty to sixty simulations lead to what the measurement says and
no more: the posterior's maximum, then its mean under the law by which sheets are drawn. Where no
record lies, outside the box, it is the only answer; what was simulated there is kept with it, and
`adopt` makes a round of it, so that the next dataset knows that corner.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import read_model
from hpc_jobs.contract.validation import Estimate, Estimates, OutsideAnswer
from hpc_jobs.design.rounds import adopt_points, read_round
from hpc_jobs.fem.records.shards import Assignment, solve_shard
from hpc_jobs.forward.natural import QUANTITIES, Natural
from hpc_jobs.identification.by_family import SheetPosterior, reported
from hpc_jobs.identification.engine import Engine, NoSheet, Simulated
from hpc_jobs.identification.mesh_bias import MeshBias, all_refined, on_mesh
from hpc_jobs.identification.outside import MOST_SIMULATIONS, Answer, Descent
from hpc_jobs.identification.posterior import NormalPrior
from hpc_jobs.identification.quadratic_posterior import draws_in_box
from hpc_jobs.measurement.file import Measurement

WIDE = 3.0
"""Standard deviations of the box that a sheet may lie away from its middle."""
SURE = 1e-3  # of the box: known exactly
DRAWS = 1000
CORRECTING = 8
"""Simulations at most for what a mesh's bias moves: less than where the search began."""
SEED = 29
STEP = 1e-4  # of u, for the slopes of the yield function's parameters

FloatArray = NDArray[np.float64]
Start = tuple[FloatArray, FloatArray | None]
"""u (coordinates,), and slopes (values, coordinates) there."""


class Unfreed(Exception):
    """What the mesh does to a sheet could not be taken off its answer; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Sharpened:
    """An answer, and by what its measurement is carried over to the campaign's mesh."""

    estimate: Estimate
    bias: MeshBias  # of that very sheet where the campaign refines; else the one that was given
    done: tuple[Simulated, ...] = ()


def answer_by_fem(
    campaign: Campaign,
    measurement: Measurement,
    bias: MeshBias,
    start: Start | None = None,
    most: int = MOST_SIMULATIONS,
) -> OutsideAnswer:
    """Identify by Gauss-Newton on the engine, in so many simulations at most.

    bias: the campaign's, with which the search begins. start: the answer of a network or surrogate,
    or its nearest sheet with its slopes; else the middle of what is known. Never fails: where no
    sheet is found, the estimate says so.
    """
    asked = ask_engine(campaign, measurement, bias, start, most)
    points = [[*one.parameters.tolist(), *one.sheet.tolist()] for one in asked.done]
    return OutsideAnswer(estimate=asked.estimate, points=tuple(tuple(point) for point in points))


def ask_engine(
    campaign: Campaign,
    measurement: Measurement,
    bias: MeshBias,
    start: Start | None = None,
    most: int = MOST_SIMULATIONS,
) -> Sharpened:
    """Do what answer_by_fem does; return with it the sheet's own bias, and what was simulated."""
    header, specimens = measurement.header, campaign.specimens
    if specimens.timing and header.specimens.pieces:
        specimens = specimens.model_copy(update={"pieces": header.specimens.pieces})
    engine = Engine(campaign, specimens, header.noise)
    finer = campaign.validation.mesh_refinement > 1
    first, freed, failed = most - (CORRECTING + 2) * finer, False, ""
    try:
        mean, deviation = engine.natural.told(dict(header.knowledge))
        prior = NormalPrior(mean, np.clip(deviation, SURE, WIDE))
        goal = _goal(engine, measurement, bias)
        found = Descent(engine, goal, prior, first).run(*(start or (mean, None)))
        if finer and found.converged:
            try:
                found, bias = _freed_of_mesh(engine, measurement, prior, found, most)
                freed = True
            except Unfreed as error:
                failed = f"the campaign's mesh still moves it: {error}"
        wide = np.where(np.isfinite(deviation), np.inf, WIDE)
        estimate = _estimate(engine, measurement, found, wide)
    except (NoSheet, BadInput, np.linalg.LinAlgError) as error:
        estimate = _withheld(engine, measurement, 0.0, f"the FEM found no sheet: {error}")
    estimate = estimate.model_copy(update={"freed": freed, "unsharpened": failed})
    return Sharpened(estimate, bias, tuple(engine.done))


def _goal(engine: Engine, measurement: Measurement, bias: MeshBias) -> FloatArray:
    """Return what the campaign's mesh would have to show, (values,), over its noise."""
    carried = on_mesh(measurement, bias)
    forces = np.full(engine.specimens.force_values, np.nan)
    return engine.observed(carried.strains, forces if carried.forces is None else carried.forces)


def _freed_of_mesh(
    engine: Engine, measurement: Measurement, prior: NormalPrior, found: Answer, most: int
) -> tuple[Answer, MeshBias]:
    """Take off all that mesh and steps do to the very sheet that was found, and go on from there.

    That replaces a campaign's bias, which is of an isotropic sheet. The sheet is simulated once on
    a finer mesh in finer steps; mostly a few simulations on the campaign's own follow. Raises
    Unfreed where the sheet cannot be simulated so, and where the search does not settle again.
    """
    factor = engine.campaign.validation.mesh_refinement
    specimens = all_refined(engine.specimens, factor)
    fine = Engine(engine.campaign, specimens, engine.noise, keep=False)
    coarse = engine.simulate(found.u)
    try:
        bias = MeshBias.between(coarse, fine.simulate(found.u), factor)
    except NoSheet as error:
        raise Unfreed(f"on a mesh {factor} times finer {error}") from error
    finally:
        engine.simulations += fine.simulations
    goal = _goal(engine, measurement, bias)
    try:
        better = Descent(engine, goal, prior, CORRECTING).run(found.u, found.slopes)
        left = most - engine.simulations
        if not better.converged and left > 0:
            better = Descent(engine, goal, prior, left).run(better.u, better.slopes)
    except NoSheet as error:
        raise Unfreed(f"freed of it, the search found no sheet: {error}") from error
    if not better.converged:
        raise Unfreed(f"freed of it, the search did not settle in {engine.simulations} simulations")
    return better, bias


def start_at(campaign: Campaign, estimate: Estimate) -> Start | None:
    """Begin at an answer; none if it was withheld or lacks a mechanical value."""
    if estimate.parameters is None or not set(QUANTITIES) <= set(estimate.found):
        return None
    natural = Natural.of(campaign)
    values = [estimate.found[name].value for name in QUANTITIES]
    values += [estimate.coordinates[name] for name in natural.names[len(QUANTITIES) :]]
    x = natural.natural(np.array([values]))[0]
    return (x - natural.centre) / natural.spread, None


def _estimate(
    engine: Engine, measurement: Measurement, found: Answer, wide: FloatArray
) -> Estimate:
    campaign, limit = engine.campaign, engine.campaign.validation.strain_rms_tolerance
    if not found.converged:
        reason = f"Gauss-Newton on the FEM did not settle in {engine.simulations} simulations"
        return _withheld(engine, measurement, found.rms, reason)
    if not found.rms <= limit:
        reason = f"the nearest sheet misses the measurement by {found.rms:.3g} noise"
        return _withheld(engine, measurement, found.rms, reason)
    # What the sheet does not explain counts as if all noise were larger by so much
    wider = max(1.0, found.rms)
    covariance = wider**2 * found.covariance
    posterior = _posterior(engine, found, covariance, wide)
    natural = engine.natural
    parameters, sheet = _sheet(engine, posterior)
    slopes = _parameter_slopes(engine, found.u, parameters)
    order = np.argsort(list(campaign.columns))
    spread = (slopes @ covariance @ slopes.T)[np.ix_(order, order)]
    return Estimate(
        measurement=measurement.name,
        parameters=dict(zip(campaign.targets, parameters[order].tolist(), strict=True)),
        novelty=found.rms,
        novelty_limit=limit,
        covariance=tuple(tuple(row) for row in spread.tolist()),
        found=reported(campaign, posterior, measurement, {}),
        coordinates=dict(zip(natural.names[len(QUANTITIES) :], sheet.tolist(), strict=True)),
        method="fem",
        simulations=engine.simulations,
    )


def _posterior(
    engine: Engine, found: Answer, covariance: FloatArray, wide: FloatArray
) -> SheetPosterior:
    """Draw under the box's law; outside the box from the normal law about what was found.

    wide (coordinates,): deviations that stood in for the box in the search, infinite elsewhere.
    """
    natural = engine.natural
    drawn = draws_in_box(natural, found.u, covariance, wide)
    if drawn is None:
        random = np.random.default_rng(SEED)
        u = random.multivariate_normal(found.u, covariance, DRAWS)
        drawn = u, np.full(DRAWS, 1 / DRAWS)
    return SheetPosterior(
        names=natural.names,
        values=natural.physical(natural.centre + natural.spread * drawn[0]),
        weights=drawn[1],
        u=found.u,
        covariance=covariance,
        rms=found.rms,
        explained=True,
    )


def _sheet(engine: Engine, posterior: SheetPosterior) -> tuple[FloatArray, FloatArray]:
    """Return the posterior's mean as a sheet, or its maximum if the mean of sheets is none."""
    natural = engine.natural
    x = natural.natural(posterior.mean()[None])[0]
    try:
        return engine.sheet((x - natural.centre) / natural.spread)
    except NoSheet:
        return engine.sheet(posterior.u)


def _parameter_slopes(engine: Engine, u: FloatArray, parameters: FloatArray) -> FloatArray:
    """Return derivatives (parameters, coordinates); 0 where a step leads to no sheet."""
    slopes = np.zeros((len(parameters), len(u)))
    for column in range(len(u)):
        step = np.zeros(len(u))
        step[column] = STEP
        try:
            slopes[:, column] = (engine.sheet(u + step)[0] - parameters) / STEP
        except NoSheet:
            slopes[:, column] = (parameters - engine.sheet(u - step)[0]) / STEP
    return slopes


def _withheld(engine: Engine, measurement: Measurement, rms: float, reason: str) -> Estimate:
    return Estimate(
        measurement=measurement.name,
        parameters=None,
        outside=(reason,),
        novelty=rms,
        novelty_limit=engine.campaign.validation.strain_rms_tolerance,
        method="fem",
        simulations=engine.simulations,
    )


def answered(run: RunFolder[Path], estimates: Estimates) -> tuple[Estimate, ...]:
    """Return the refinement's estimates, the engine's in place of those that it withheld."""
    found = []
    for one in estimates.refined:
        path = run.outside(estimates.validation, one.measurement)
        there = one.outside and path.exists()
        found.append(read_model(OutsideAnswer, path).estimate if there else one)
    return tuple(found)


def sharpened(
    campaign: Campaign, measurement: Measurement, estimate: Estimate, bias: MeshBias
) -> Sharpened:
    """Return the engine's answer from a surrogate's, as sure as the measurement allows.

    The surrogate's own stays where it was withheld, and where the engine finds no sheet: then it
    says why, and counts what was simulated. Mostly 30 to 60 simulations do; from a start far away
    it takes more.
    """
    if estimate.parameters is None:
        return Sharpened(estimate, bias)
    start = start_at(campaign, estimate)
    if start is None:
        lacking = ", ".join(sorted(set(QUANTITIES) - set(estimate.found)))
        reason = f"it is the surrogate's: without {lacking} the FEM has no sheet to begin from"
        return Sharpened(estimate.model_copy(update={"unsharpened": reason}), bias)
    found = ask_engine(campaign, measurement, bias, start, 2 * MOST_SIMULATIONS)
    if not found.estimate.outside:
        return found
    reason = "; ".join((*found.estimate.outside, *filter(None, [found.estimate.unsharpened])))
    kept = {
        "unsharpened": f"it is the surrogate's: {reason}",
        "simulations": estimate.simulations + found.estimate.simulations,
    }
    return Sharpened(estimate.model_copy(update=kept), bias, found.done)


def adopt(run: RunFolder[Path], frozen: FrozenCampaign) -> int | None:
    """Solve what was simulated outside the box as a round of its own; its number, if there is one.

    They are solved again, at output times of their own: records of a dataset obey one rule. Points
    that an earlier round has already are left out.
    """
    rows = [
        point
        for path in sorted((run.root / "validation").glob("*/outside/*.json"))
        for point in read_model(OutsideAnswer, path).points
    ]
    campaign = frozen.campaign
    number = adopt_points(run, campaign, np.array(rows)) if rows else None
    if number is None:
        return None
    chosen, size = read_round(run, number), campaign.design.records_per_shard
    for index in range(campaign.design.shards(len(chosen.point))):
        rows_of = slice(index * size, (index + 1) * size)
        work = Assignment(
            round=number,
            index=index,
            parameters=chosen.parameters[rows_of],
            sheet=chosen.sheet[rows_of],
            is_test=chosen.is_test[rows_of],
            point=chosen.point[rows_of],
            level=chosen.level[rows_of],
            weight=chosen.weight[rows_of],
        )
        solve_shard(run, frozen, work, lambda done, total: None)
    return number
