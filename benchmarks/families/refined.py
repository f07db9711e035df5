"""The engine's answers at test sheets, beside the floor at the very same sheets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from benchmarks.families.amortised import COVERAGE_GOAL, CURVE_GOAL, CURVE_STRAIN, GOAL
from benchmarks.families.coils import Answerer, Coil, drawn, exactly, measured, tested
from benchmarks.families.goals import judged
from hpc_jobs.contract.answers import STRESS, label_of, stress_name
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.validation import Found
from hpc_jobs.design.family import coordinates_of
from hpc_jobs.forward.natural import QUANTITIES
from hpc_jobs.identification.engine import Engine, NoSheet
from hpc_jobs.identification.experiment import Sensitivities, given_exactly
from hpc_jobs.identification.quantities import log_stresses
from hpc_jobs.measurement.virtual_experiment import as_told

START = 7000  # of the test stream: no test set reaches it

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """One test sheet: what was found, what is true, and the floor's variances; k(p) as ln k."""

    found: Mapping[str, Found]
    true: Mapping[str, float]
    floor: Mapping[str, float]


def asked(campaign: Campaign, ask: Answerer, sheets: int) -> list[Answered]:
    """Measure and ask about sheets that nobody has seen; the floor is worked out at each of them.

    Those that cannot be simulated, or are not answered, are left out, and said to be.
    """
    found, family = [], campaign.family
    for seed, (parameters, sheet) in enumerate(drawn(campaign, sheets, START)):
        material = family.material_of(sheet.tolist())
        coil = tested(campaign, parameters, material, campaign.specimens)
        if coil is None:
            print(f"sheet {seed} cannot be simulated: left out")
            continue
        told = {name: exactly(material)[name] for name in given_exactly(campaign)}
        measurement = measured(campaign, coil.noisy(campaign, seed), told)
        said = ask(measurement)
        if not said:
            print(f"sheet {seed} is not answered: left out")
            continue
        if (one := _beside_floor(campaign, coil, said)) is not None:
            found.append(one)
        print(f"sheet {seed} is answered", flush=True)
    return found


def _beside_floor(campaign: Campaign, coil: Coil, said: Mapping[str, Found]) -> Answered | None:
    """Work the floor out at the coil, drawn as it was; none where its slopes fail."""
    engine = Engine(campaign, as_told(coil.specimens), campaign.noise, keep=False)
    natural, material = engine.natural, coil.material
    sheet = coordinates_of(campaign.family, material, coil.specimens)
    u = (natural.natural(np.append(coil.truth, sheet)[None])[0] - natural.centre) / natural.spread
    try:
        slopes = engine.slopes(u, engine.observe(u))
    except NoSheet:
        return None
    at = Sensitivities(
        campaign=campaign,
        natural=natural,
        u=u[None],
        slopes=(slopes,),
        prior=np.eye(len(u)),
        left_out=(),
        record_s=0.0,
    )
    deviations = at.deviations(given_exactly(campaign))
    floor = {_name(name): float(sd[0] ** 2) for name, sd in deviations.items()}
    strains = [float(name[len(STRESS) :]) for name in floor if name.startswith(STRESS)]
    logs = log_stresses(material.hardening, strains)
    true = dict(zip(QUANTITIES, coil.truth.tolist(), strict=True))
    if "exponent" not in given_exactly(campaign):
        true["exponent"] = material.exponent
    stresses = {stress_name(strain): log for strain, log in zip(strains, logs, strict=True)}
    asked_of = {name: floor[name] for name in (*true, *stresses)}
    return Answered(found=said, true=true | stresses, floor=asked_of)


def _name(quantity: str) -> str:
    return stress_name(float(quantity[2:-1])) if quantity.startswith("k(") else quantity


def report(sheets: Sequence[Answered], what: str) -> None:
    """Print each quantity's error over its floor, and how often intervals hold the truth."""
    print(f"{'':24}{'rms':>9}{'floor':>9}{'MSE ratio':>11}{'covered':>9}")
    ratios, medians, shares = [], {}, []
    for name in sheets[0].floor:
        off, least, held = _of(sheets, name)
        if not len(off):
            continue
        ratio = float((off**2).mean() / least.mean())
        shares.append(float(held.mean()))
        print(f"{label_of(name):24}{(off**2).mean() ** 0.5:9.4f}{least.mean() ** 0.5:9.4f}"
              f"{ratio:11.2f}{shares[-1]:9.3f}")  # fmt: skip
        if name in QUANTITIES:
            ratios.append(ratio)
        elif name.startswith(STRESS) and float(name[len(STRESS) :]) <= CURVE_STRAIN:
            medians[name] = float(np.median(np.abs(off)))
    judged(f"{what}: mechanical values over the floor, {len(sheets)} sheets",
           float(np.mean(ratios)), min(GOAL.values()))  # fmt: skip
    worst = max(medians, key=lambda name: medians[name])
    judged(f"{what}: k(p), p <= {CURVE_STRAIN:g}, worst {label_of(worst)}", medians[worst],
           CURVE_GOAL)  # fmt: skip
    low, high = COVERAGE_GOAL
    print(f"{what}: all intervals together hold {np.mean(shares):.3f}; goal {low} to {high}")


def _of(sheets: Sequence[Answered], name: str) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Errors, floor's variances, and whether intervals hold, where the quantity was answered."""
    rows = []
    for one in sheets:
        if (said := one.found.get(name)) is None:
            continue
        value, low, high = said.value, said.low, said.high
        if name.startswith(STRESS):
            value, low, high = log(value), log(low), log(high)
        true = one.true[name]
        rows.append((value - true, one.floor[name], low <= true <= high))
    off, least, held = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    return off, least, held.astype(bool)
