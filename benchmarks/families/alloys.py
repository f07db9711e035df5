"""The shipped alloys, by network and engine; and AA2090, beyond its box, by the engine."""

from math import exp

import numpy as np

from benchmarks.families.coils import (
    R_VALUES,
    STRESSES,
    Answerer,
    columns_of,
    exactly,
    tested,
)
from benchmarks.families.coils import measured as measured_coil
from benchmarks.families.goals import judged
from hpc_jobs.contract.answers import STRESS, stress_name
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.geometry import Mesh
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
from hpc_jobs.measurement.file import Measurement
from hpc_jobs.measurement.virtual_experiment import as_told, virtual_experiment

INSIDE = ("dp780", "tr1180", "dp600", "dc04", "aa6022")
R_GOAL, STRESS_GOAL, CURVE_GOAL = 0.03, 0.01, 0.01
AWAY, SIMULATIONS, STARTS, MANY = 0.5, 60, 5, 300


def measured(campaign: Campaign, alloy: str, seed: int) -> Measurement:
    """Test an alloy on a mesh twice as fine as the campaign's."""
    own = campaign.specimens.mesh
    mesh = Mesh(along=2 * own.along, across=2 * own.across, grading=own.grading)
    return virtual_experiment(campaign, alloy, alloy, seed, mesh)


def identify(who: str, ask: Answerer, campaign: Campaign) -> None:
    """Print the largest errors of r, stress ratios and k(p) of each alloy."""
    for alloy in INSIDE:
        coil = measured(campaign, alloy, 77)
        truth = coil.header.truth
        assert truth is not None and truth.material is not None
        found = ask(coil)
        if not found:
            print(f"{who}, {alloy}: no answer")
            continue
        off = np.array([found[name].value - truth.quantities[name] for name in QUANTITIES])
        r, stress = (np.abs(off[columns_of(names)]).max() for names in (R_VALUES, STRESSES))
        strains = [float(name[len(STRESS) :]) for name in found if name.startswith(STRESS)]
        logs = log_stresses(truth.material.hardening, strains)
        true = {stress_name(strain): exp(log) for strain, log in zip(strains, logs, strict=True)}
        curve = max(abs(found[name].value / value - 1) for name, value in true.items())
        truths = truth.quantities | true
        missed = [n for n, one in found.items() if not one.low <= truths[n] <= one.high]
        judged(f"{who}, {alloy}: r off by", r, R_GOAL)
        judged(f"{who}, {alloy}: stress ratio off by", stress, STRESS_GOAL)
        judged(f"{who}, {alloy}: k(p) up to the strain reached, share", curve, CURVE_GOAL)
        print(f"{who}, {alloy}: outside their 90 % intervals: {', '.join(missed) or 'none'}")


def outside(campaign: Campaign, identifier: FamilyIdentifier) -> None:
    """Print how near the posterior's maximum the engine comes for AA2090, in its deviations.

    A search begins at the surrogate's nearest sheet with its slopes, as a campaign's does. The
    maximum is what a search finds that begins at the truth and may simulate MANY times.
    """
    alloy = ALLOYS["aa2090"]
    material = Material(
        yield_function="yld2000_2d",
        exponent=alloy.exponent,
        youngs_modulus_mpa=alloy.youngs_modulus_mpa,
        poisson_ratio=campaign.sheet.poisson_ratio,
        hardening=alloy.hardening,
    )
    coil = tested(campaign, np.array(alloy.alpha), material, campaign.specimens)
    assert coil is not None
    away, most = [], 0
    for seed in range(STARTS):
        seen = coil.noisy(campaign, seed)
        engine = Engine(campaign, as_told(seen.specimens), campaign.noise)
        natural = engine.natural
        mean, deviation = natural.told(exactly(material))
        prior = NormalPrior(mean, np.clip(deviation, SURE, WIDE))
        goal = engine.observed(seen.strains, seen.forces)
        begun = identifier.start(measured_coil(campaign, seen, exactly(material)))
        assert begun is not None
        found = Descent(engine, goal, prior, SIMULATIONS).run(*begun)
        sheet = coordinates_of(campaign.family, material, seen.specimens)
        truth = natural.natural(np.append(coil.truth, sheet)[None])[0]
        start = (truth - natural.centre) / natural.spread
        best = Descent(engine, goal, prior, MANY).run(start)
        unit = np.sqrt(np.diag(best.covariance))[: len(QUANTITIES)]
        away.append(float(np.abs((found.u - best.u)[: len(QUANTITIES)] / unit).max()))
        most = max(most, found.simulations)
        print(f"aa2090, noise {seed}: {away[-1]:.2f} SD away, {found.simulations} simulations")
    judged(f"aa2090, farthest of {STARTS} from the maximum, in SD", max(away), AWAY)
    judged("aa2090, most simulations", most, SIMULATIONS)
