"""From a judged answer to the identified sheet: all that pages and cards need to know of it."""

from dataclasses import replace
from datetime import UTC, datetime
from statistics import NormalDist

import numpy as np

from hpc_jobs.contract.answers import STRESS
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.identified import IdentifiedSheet, Value
from hpc_jobs.contract.measurement import Truth
from hpc_jobs.contract.validation import INTERVAL_LEVEL, Estimate, Found, Judgement
from hpc_jobs.identification.anisotropy import by_parameter
from hpc_jobs.identification.family_answer import material_of, strain_reached
from hpc_jobs.identification.verdict import Case

SCALARS = ("exponent", "youngs_modulus_mpa")
SHARE_OF_A_NORMAL_LAW = NormalDist().inv_cdf((1 + INTERVAL_LEVEL) / 2)
LEAST_STRAIN = 1e-4  # of a test that is said to have reached any


def better_of(network: Case, refined: Case | None) -> Case | None:
    """Choose the answer that people get: the refinement's if there is one, else the network's."""
    cases = [refined, network] if refined else [network]
    return next((case for case in cases if case.identified is not None), None)


def judged(case: Case, judgement: Judgement) -> Case:
    """Return the case with the judgement of the verdict, which weighs all answers together."""
    return replace(case, judgement=judgement)


def identified_sheet(
    campaign: Campaign, case: Case, *, run_id: str, validation: str, model: str
) -> IdentifiedSheet:
    """Put together what was identified; the case must be an answered one.

    Intervals of parameters are those of a normal law with the estimate's covariance.
    """
    estimate, judgement, header = case.field.estimate, case.judgement, case.measurement.header
    reached = strain_reached(case.measurement.strains, header.specimens, header.noise.strain)
    return IdentifiedSheet(
        measurement=case.measurement.name,
        campaign=campaign.name,
        run_id=run_id,
        validation=validation,
        model=model,
        identified_on=datetime.now(UTC).date().isoformat(),
        method=judgement.method if judgement.method == "fem" or not case.refined else "surrogate",
        simulations=judgement.simulations,
        verdict=judgement.verdict,
        reasons=judgement.reasons,
        material=material_of(campaign, estimate),
        hardening="identified" if _curve_is_identified(campaign) else "given",
        parameters=_parameters(campaign, estimate, header.truth),
        targets={parameter: target for target, parameter in campaign.targets.items()},
        quantities={
            quantity: _value(found, judgement.intervals.get(quantity), true)
            for quantity, (found, true) in judgement.quantities.items()
            if found is not None
        },
        scalars={name: _told(judgement.found[name]) for name in SCALARS if name in judgement.found},
        stresses=tuple(
            (float(name.removeprefix(STRESS)), _told(found))
            for name, found in judgement.found.items()
            if name.startswith(STRESS)
        ),
        strain_reached=max(reached, LEAST_STRAIN),
    )


def _curve_is_identified(campaign: Campaign) -> bool:
    return any(
        one.role == "identified" and one.specimen is None and one.name not in SCALARS
        for one in campaign.family.coordinates
    )


def _parameters(campaign: Campaign, estimate: Estimate, truth: Truth | None) -> dict[str, Value]:
    """Name them as the yield function does, in its order."""
    assert estimate.parameters is not None
    names = list(estimate.parameters)
    halves: list[float | None] = [None] * len(names)
    if estimate.covariance is not None:
        variances = np.maximum(np.diagonal(np.array(estimate.covariance)), 0)
        halves = list(SHARE_OF_A_NORMAL_LAW * np.sqrt(variances))
    half_of = {
        campaign.targets[name]: half
        for name, half in zip(names, halves, strict=True)
        if name in campaign.targets
    }
    found = by_parameter(campaign, estimate.parameters)
    known = (truth.parameters if truth else None) or {}
    told = {}
    for name in campaign.sheet.parameters:
        value, half = found[name], half_of[name]
        ends = None if half is None else (value - half, value + half)
        told[name] = _value(value, ends, known.get(name))
    return told


def _told(found: Found) -> Value:
    return Value(value=found.value, low=found.low, high=found.high, true=found.true)


def _value(value: float, ends: tuple[float, float] | None, true: float | None) -> Value:
    low, high = ends or (None, None)
    return Value(value=value, low=low, high=high, true=true)
