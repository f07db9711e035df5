"""What an experiment will tell, before anything is simulated at scale.

At some sheets of the campaign's box the engine's slopes give the Cramer-Rao bound of every
coordinate, with the box's own covariance as what is known beforehand: no estimator has smaller
errors on average, and the networks and surrogates of this project come near it. So other
specimens, times, cameras and assumptions can be compared for the price of some thousand
simulations. Where the specimens have a timing, every sheet has its own output times, moved ones
too: that is what records show, and where a sheet necks tells of its hardening beyond the strains
that are reached.
"""

import multiprocessing
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.geometry import MESH_LEVELS, Mesh
from hpc_jobs.design.mechanical import draw
from hpc_jobs.design.sobol import TEST
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.forward.natural import QUANTITIES, Natural
from hpc_jobs.identification.engine import Engine, NoSheet
from hpc_jobs.identification.quantities import quantities_of

PRIOR_SHEETS = 256
SURE = 1e-3  # of a box's spread: known exactly

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivities:
    """Slopes of what one experiment measures, at some sheets of its campaign's box."""

    campaign: Campaign
    natural: Natural
    u: FloatArray  # (sheets, coordinates)
    slopes: tuple[FloatArray, ...]  # (values, coordinates) in units of the campaign's noise, each
    prior: FloatArray  # (coordinates, coordinates) covariance of the box
    left_out: tuple[str, ...]  # why, of sheets that could not be simulated
    record_s: float  # of one simulation, here

    def deviations(
        self,
        known: Mapping[str, float],
        *,
        strain_noise: float = 1.0,
        force_noise: float = 1.0,
    ) -> dict[str, FloatArray]:
        """Return expected standard deviations (sheets,) by quantity; of stresses relative.

        known: coordinate -> standard deviation with which measurements know it, 0 exactly; what
        is not named is known as the box has it. Noise is relative to the campaign's.
        """
        strains = self.campaign.specimens.strain_values
        precision = np.linalg.inv(self.prior)
        for name, sd in known.items():
            column = self.natural.names.index(name)
            middle = self.natural.natural(((self.natural.low + self.natural.high) / 2)[None])
            unit = self.natural.slopes(middle)[0, column] * self.natural.spread[column]
            precision[column, column] += max(sd / unit, SURE) ** -2
        found: dict[str, list[float]] = {}
        for u, slopes in zip(self.u, self.slopes, strict=True):
            seen = np.concatenate([slopes[:strains] / strain_noise, slopes[strains:] / force_noise])
            covariance = np.linalg.inv(seen.T @ seen + precision)
            for name, deviation in self._physical(u, covariance).items():
                found.setdefault(name, []).append(deviation)
        return {name: np.array(values) for name, values in found.items()}

    def _physical(self, u: FloatArray, covariance: FloatArray) -> dict[str, float]:
        natural = self.natural
        x = natural.centre + natural.spread * u
        unit = natural.spread * natural.slopes(x[None])[0]
        each = unit * np.sqrt(np.diag(covariance))
        found = {
            name: float(each[column])
            for column, name in enumerate(natural.names)
            if name in QUANTITIES or name in ("exponent", "youngs_modulus_mpa")
        }
        return found | self._stresses(covariance)

    def _stresses(self, covariance: FloatArray) -> dict[str, float]:
        """Relative standard deviations of k(p), whose logarithm is a sum of coordinates."""
        names = self.natural.names
        if "k05_over_e" not in names:
            return {}
        level = np.zeros(len(names))
        for name in ("k05_over_e", "youngs_modulus_mpa"):
            if name in names:
                level[names.index(name)] = self.natural.spread[names.index(name)]
        found = {"k(0.05)": level}
        for column, name in enumerate(names):
            if name.startswith("log_k_over_k05@"):
                one = level.copy()
                one[column] = self.natural.spread[column]
                found[f"k({name.partition('@')[2]})"] = one
        ordered = sorted(found, key=lambda name: float(name[2:-1]))
        return {name: float(np.sqrt(found[name] @ covariance @ found[name])) for name in ordered}


@dataclass(frozen=True, slots=True, eq=False)
class _AtSheet:
    """What came of one sheet."""

    slopes: FloatArray | None  # none: it could not be simulated
    reason: str
    seconds: float
    simulations: int


def sensitivities(
    campaign: Campaign,
    sheets: int,
    *,
    mesh: Mesh | None = MESH_LEVELS["coarse"],
    same_times: bool = False,
    first: int = 0,
) -> Sensitivities:
    """Simulate the slopes at so many sheets of the box, on all cores; raises BadInput if none can.

    A coarse mesh serves: slopes depend little on it. None takes the campaign's own. same_times:
    moved sheets are drawn to the output times of the sheet that they were moved from, which takes
    half the time: nothing has to be found anew. first: where in the test stream the sheets begin.
    """
    if mesh is not None and mesh.elements < campaign.specimens.mesh.elements:
        coarse = campaign.specimens.model_copy(update={"mesh": mesh})
        campaign = campaign.model_copy(update={"specimens": coarse})
    natural, family = Natural.of(campaign), campaign.family
    drawn = draw(campaign, TEST, first, max(PRIOR_SHEETS, sheets))
    columns, values = list(campaign.columns), []
    for parameters, sheet in zip(drawn.parameters, drawn.sheet, strict=True):
        found = quantities_of(parameters[columns], family.material_of(sheet.tolist()))
        values.append([*(found[quantity] for quantity in QUANTITIES), *sheet])
    u = (natural.natural(np.array(values)) - natural.centre) / natural.spread
    backend_of(campaign.solver)  # a solver that is missing says so here, not in every process
    looked = _at_all(campaign, list(u[:sheets]), same_times)
    used = [one for one, at in zip(u[:sheets], looked, strict=True) if at.slopes is not None]
    slopes = [at.slopes for at in looked if at.slopes is not None]
    reasons = [at.reason for at in looked if at.reason]
    seconds = sum(at.seconds for at in looked)
    simulations = sum(at.simulations for at in looked)
    if not used:
        raise BadInput(
            f"none of {sheets} sheets of the campaign's box could be simulated; the first: "
            f"{reasons[0]}"
        )
    return Sensitivities(
        campaign=campaign,
        natural=natural,
        u=np.array(used),
        slopes=tuple(slopes),
        prior=_covariance(natural, u),
        left_out=tuple(reasons),
        record_s=seconds / max(simulations, 1),
    )


def _at_all(campaign: Campaign, points: list[FloatArray], same_times: bool) -> list[_AtSheet]:
    """Look at each sheet, as many at once as there are cores."""
    workers = min(len(os.sched_getaffinity(0)), len(points))
    if workers < 2:
        return [_at(campaign, same_times, u) for u in points]
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        return list(pool.map(partial(_at, campaign, same_times), points))


def _at(campaign: Campaign, same_times: bool, u: FloatArray) -> _AtSheet:
    """Simulate the slopes at one sheet."""
    engine = Engine(campaign, campaign.specimens, campaign.noise, keep=False)
    begun, slopes, reason = time.process_time(), None, ""
    try:
        if same_times:
            engine.specimens = engine.timed(u)
        slopes = engine.slopes(u, engine.observe(u))
    except NoSheet as error:
        reason = str(error)
    return _AtSheet(slopes, reason, time.process_time() - begun, engine.simulations)


def _covariance(natural: Natural, u: FloatArray) -> FloatArray:
    """Covariance of the box, nuisances normal and independent."""
    covariance = np.eye(u.shape[1])
    drawn = ~natural.nuisance
    covariance[np.ix_(drawn, drawn)] = np.cov(u[:, drawn].T) + 1e-6 * np.eye(int(drawn.sum()))
    return covariance


def changed(campaign: Campaign, specimens: Mapping[str, object]) -> Campaign:
    """Return the campaign with other specimens, validated anew; raises ValidationError."""
    settings = campaign.model_dump(by_alias=True)
    settings["specimens"] |= dict(specimens)
    return Campaign.model_validate(settings)


def medians(deviations: Mapping[str, FloatArray]) -> dict[str, float]:
    """Median over the sheets of each quantity."""
    return {name: float(np.median(values)) for name, values in deviations.items()}


def given_exactly(campaign: Campaign) -> dict[str, float]:
    """Return what every measurement is said to know: the given coordinates."""
    family = campaign.family
    return {family.names[column]: 0.0 for column in family.columns("given")}


def without(known: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """Return what is known but for some coordinates."""
    return {name: sd for name, sd in known.items() if name not in names}
