"""The shipped alloys, by network and campaign; and AA2090, beyond its box, by the engine.

A coil is an alloy's sheet as the shipped measurements have it, simulated on a mesh much finer than
any campaign's, with noise of its own; several draws of the noise tell chance from bias.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import exp

import numpy as np
from numpy.typing import NDArray

from benchmarks.families.coils import R_VALUES, STRESSES, Answerer, Coil, exactly, measured, tested
from benchmarks.families.goals import judged
from benchmarks.kept import Kept
from hpc_jobs.contract.answers import STRESS, label_of
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.material import Material
from hpc_jobs.design.family import coordinates_of
from hpc_jobs.forward.natural import QUANTITIES
from hpc_jobs.identification.by_family import FamilyIdentifier
from hpc_jobs.identification.by_fem import SURE, WIDE
from hpc_jobs.identification.engine import Engine
from hpc_jobs.identification.outside import Descent
from hpc_jobs.identification.posterior import NormalPrior
from hpc_jobs.identification.quantities import log_stresses
from hpc_jobs.measurement.alloys import ALLOYS
from hpc_jobs.measurement.virtual_experiment import (
    FINE,
    STEPS_PER_OUTPUT,
    as_told,
    yield_parameters,
)

INSIDE = ("dp780", "tr1180", "dp600", "dc04", "aa6022")
SHIPPED = (*INSIDE, "aa2090")

FloatArray = NDArray[np.float64]
R_GOAL, STRESS_GOAL, CURVE_GOAL = 0.03, 0.01, 0.01
REFINEMENT = 2  # of the mesh, as campaigns that ship have it
AWAY, SIMULATIONS, STARTS, MANY = 0.5, 60, 5, 300


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What was said of an alloy, one row a draw of the noise; k(p) relative to the truth."""

    off: dict[str, FloatArray]  # (draws,) by quantity
    held: dict[str, NDArray[np.bool_]]  # (draws,): whether intervals hold the truth
    asked: int  # draws, answered or not

    def worst(self, names: Sequence[str]) -> float:
        """Median over the draws of the largest error among these."""
        return float(np.median(np.abs([self.off[name] for name in names]).max(0)))


def sheet_of(campaign: Campaign, name: str) -> Coil:
    """Simulate an alloy without noise, on the mesh of the shipped measurements."""
    material = material_of(campaign, name)
    told, _ = yield_parameters(ALLOYS[name], material.exponent)
    values = np.array([told[key] for key in material.parameters])
    fine = {"mesh": FINE, "steps_per_output": STEPS_PER_OUTPUT}
    coil = tested(campaign, values, material, campaign.specimens.model_copy(update=fine), FINE)
    assert coil is not None
    return coil


def material_of(campaign: Campaign, name: str) -> Material:
    """Return an alloy's own material."""
    alloy = ALLOYS[name]
    return Material(
        yield_function="yld2000_2d",
        exponent=alloy.exponent,
        youngs_modulus_mpa=alloy.youngs_modulus_mpa,
        poisson_ratio=campaign.sheet.poisson_ratio,
        hardening=alloy.hardening,
    )


def answers(
    campaign: Campaign, coil: Coil, ask: Answerer, draws: int, first: int = 0
) -> Answers | None:
    """Ask about so many noisy measurements of a coil; none if none is answered.

    first: seed of the first noise.
    """
    rows = []
    for seed in range(first, first + draws):
        found = ask(measured(campaign, coil.noisy(campaign, seed), exactly(coil.material)))
        if found:
            rows.append(found)
    if not rows:
        return None
    strains = {name: float(name[len(STRESS) :]) for name in rows[0] if name.startswith(STRESS)}
    logs = log_stresses(coil.material.hardening, list(strains.values()))
    truths = dict(zip(QUANTITIES, coil.truth.tolist(), strict=True))
    truths |= {name: exp(log) for name, log in zip(strains, logs, strict=True)}
    off, held = {}, {}
    for name, true in truths.items():
        said = [row[name] for row in rows if name in row]
        unit = true if name in strains else 1.0
        off[name] = np.array([(one.value - true) / unit for one in said])
        held[name] = np.array([one.low <= true <= one.high for one in said])
    return Answers(off, held, draws)


def identify(who: str, ask: Answerer, campaign: Campaign, names: Sequence[str], draws: int) -> None:
    """Print errors of r, stress ratios and k(p) of each alloy, and what lies outside intervals."""
    for alloy in names:
        first = zlib.crc32(alloy.encode())  # no two alloys share a noise
        found = answers(campaign, sheet_of(campaign, alloy), ask, draws, first)
        if found is None:
            print(f"{who}, {alloy}: no answer")
            continue
        curve = [name for name in found.off if name.startswith(STRESS)]
        reached = f"{who}, {alloy}, {len(found.off['r_value_0'])} of {draws} draws answered:"
        judged(f"{reached} r off by", found.worst(R_VALUES), R_GOAL)
        judged(f"{reached} stress ratio off by", found.worst(STRESSES), STRESS_GOAL)
        judged(f"{reached} k(p) up to the strain reached off by", found.worst(curve), CURVE_GOAL)
        for name, off in found.off.items():
            worst, held = off[np.abs(off).argmax()], found.held[name].mean()
            print(f"    {label_of(name):10} {off.mean():+.4f} +- {off.std():.4f}, at worst "
                  f"{worst:+.4f}, held {held:.2f}", flush=True)  # fmt: skip


def outside(campaign: Campaign, identifier: FamilyIdentifier, kept: Kept) -> None:
    """Print how near the posterior's maximum the engine comes for AA2090, in its deviations.

    A search begins at the surrogate's nearest sheet with its slopes, as a campaign's does. The
    maximum is what a search finds that begins at the truth and may simulate MANY times.
    """
    material = material_of(campaign, "aa2090")
    parameters = np.array(ALLOYS["aa2090"].alpha)
    coil = tested(campaign, parameters, material, campaign.specimens)
    assert coil is not None
    rows = []
    for seed in range(STARTS):
        search = partial(_searched, campaign, identifier, coil, seed)
        rows.append(kept.once(f"aa2090 outside, noise {seed}", search))
        away, simulations = rows[-1]
        print(f"aa2090, noise {seed}: {away:.2f} SD away, {simulations} simulations", flush=True)
    away, simulations = np.array(rows).max(0)
    judged(f"aa2090, farthest of {STARTS} from the maximum, in SD", away, AWAY)
    judged("aa2090, most simulations", simulations, SIMULATIONS)


def _searched(
    campaign: Campaign, identifier: FamilyIdentifier, coil: Coil, seed: int
) -> tuple[float, int]:
    """Largest distance of a mechanical value from the maximum, in deviations; simulations."""
    seen, known = coil.noisy(campaign, seed), exactly(coil.material)
    engine = Engine(campaign, as_told(seen.specimens), campaign.noise)
    natural = engine.natural
    mean, deviation = natural.told(known)
    prior = NormalPrior(mean, np.clip(deviation, SURE, WIDE))
    goal = engine.observed(seen.strains, seen.forces)
    begun = identifier.start(measured(campaign, seen, known))
    assert begun is not None
    found = Descent(engine, goal, prior, SIMULATIONS).run(*begun)
    sheet = coordinates_of(campaign.family, coil.material, seen.specimens)
    truth = natural.natural(np.append(coil.truth, sheet)[None])[0]
    best = Descent(engine, goal, prior, MANY).run((truth - natural.centre) / natural.spread)
    unit = np.sqrt(np.diag(best.covariance))[: len(QUANTITIES)]
    away = np.abs((found.u - best.u)[: len(QUANTITIES)] / unit).max()
    return float(away), found.simulations
