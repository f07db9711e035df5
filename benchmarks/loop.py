"""The loop's decisions: who may be champion, where simulations pay, when production has drifted.

    python -m benchmarks.loop gate                  # seconds: a thousand comparisons of each kind
    python -m benchmarks.loop drift                 # seconds: charts of production
    python -m benchmarks.loop active [--start 1000] [--repeats 5] [--cache DIR]

Goals are printed beside what was reached. `active` simulates: per repeat and way 200 records a
sheet, beside a reference of 400 at each. Not measured here: networks, and sheets outside the box.
"""

import argparse
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.families.records import Table, simulated, solved
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.gate import Comparison, Contestant, Gate, SealedSet, SheetAnswers
from hpc_jobs.contract.loading import load
from hpc_jobs.design.family import places_of_sheets
from hpc_jobs.design.mechanical import draw, in_box, mechanical_axes, parameters_of
from hpc_jobs.design.mixture import Cloud, draw_mixture
from hpc_jobs.design.sobol import TRAIN
from hpc_jobs.forward.family import fit_around, fit_family
from hpc_jobs.forward.natural import QUANTITIES, Natural
from hpc_jobs.forward.records import FamilyRecords
from hpc_jobs.forward.surrogate import Surrogate
from hpc_jobs.identification.posterior import NormalPrior, refine
from hpc_jobs.identification.quantities import quantities_of
from operators.promotion.control_chart import LEARNED_FROM, chart
from operators.promotion.gate import decide

CAMPAIGN = Path(__file__).with_name("family.yaml")
FloatArray = NDArray[np.float64]

SHEETS = 5
ADDED = (0, 20, 60, 200)
WAYS = ("targeted", "Sobol", "random", "disagreement")
REFERENCE = 400
"""Records at each sheet that no way is given: the surrogate of these stands for the FEM."""

# ------------------------------------------------------------------------------ the gate

HARDNESS, OWN, LUCK = 0.9, 0.35, 0.05
"""Of losses' logarithms: between records, of a network at a record, of a network at a sheet."""
SIZES = (300, 1000, 3000, 5000, 8000)
COMPARISONS = 1000
DRAWS = 200


def losses(random: np.random.Generator, hardness: FloatArray, error: float) -> tuple[float, ...]:
    """Draw losses of a network whose error is so large in the long run, not in this very set."""
    own = np.exp(OWN * random.standard_normal(len(hardness)) - OWN**2 / 2)
    return tuple((error * hardness * own).tolist())


def network(
    random: np.random.Generator,
    hardness: FloatArray,
    error: float,
    sheets: FloatArray,
    draws: FloatArray,
    sha: str,
) -> Contestant:
    """Make a network up; sheets (k,): how much worse it is at each measured sheet than on average.

    draws (k, DRAWS): how hard each draw of noise is there, for every network. Where it has luck at
    a sheet and where not is its own, as after another training.
    """
    records = len(hardness)
    answers = {}
    for number, worse in enumerate(sheets):
        luck = np.exp(LUCK * random.standard_normal() - LUCK**2 / 2)
        values = losses(random, draws[number], error * worse * luck)
        answers[f"sheet{number}"] = SheetAnswers(losses=values)
    inside = random.binomial(records, 0.9)
    return Contestant(
        run_id="run",
        model="mlp",
        sha256=sha * 64,
        losses=losses(random, hardness, error),
        covered={"MP1": int(inside)},
        level=0.9,
        asked_admissible=records,
        admissible=records,
        answers_per_s=float(1e4 * np.exp(0.1 * random.standard_normal())),
        sheets=answers,
    )


def promoted(kind: str, records: int, count: int) -> float:
    """Share of comparisons of a kind that end in a promotion."""
    error = {"better": 0.95, "worse": 1.05, "one sheet": 0.95}.get(kind, 1.0)
    sheets = np.ones(SHEETS)
    if kind == "one sheet":
        sheets[2] = 2.0
    taken = 0
    for seed in range(count):
        random = np.random.default_rng([seed, records])
        hardness = np.exp(HARDNESS * random.standard_normal(records) - HARDNESS**2 / 2)
        draws = np.exp(HARDNESS * random.standard_normal((SHEETS, DRAWS)) - HARDNESS**2 / 2)
        old = network(random, hardness, 0.02, np.ones(SHEETS), draws, "a")
        new = network(random, hardness, 0.02 * error, sheets, draws, "b")
        foreign = kind == "other test set"
        comparison = Comparison(
            validation="v",
            sealed=SealedSet(
                question="0" * 16, version=1, sha256="c" * 64, records=records, source="run",
                targets=("MP1",), mean_loss=1.0,
            ),
            challenger=new,
            champion=None if foreign else old,
            not_comparable="it was tested on other records" if foreign else "",
            noise_seed=0,
        )  # fmt: skip
        taken += decide(comparison, Gate(require_validation=False), None).promoted
    return taken / count


def gate(count: int) -> None:
    """Print how often the gate errs."""
    print(f"gate: {count} comparisons each, errors' logarithms vary by {OWN} a record and network")
    for records in SIZES:
        power = promoted("better", records, count // 5)
        print(f"  {records} test records: 5 % better is promoted in {power:.1%}")
        if power > 0.9:
            break
    say("true promotion of 5 % better", power, lambda x: x > 0.9, f"> 90 % ({records} records)")
    for kind in ("equal", "worse", "one sheet", "other test set"):
        share = promoted(kind, 300, count)
        say(f"false promotion, {kind}, 300 records", share, lambda x: x < 0.01, "< 1 %")


# ----------------------------------------------------------------------------- production


def drift(count: int) -> None:
    """Print how soon charts alarm, and how often for nothing."""
    quiet = [_first_alarm(seed, 0.0) for seed in range(count)]
    false = float(np.mean([day <= 30 for day in quiet]))
    say("production: false alarm of a chart within 30 coils", false, lambda x: x < 0.05, "< 5 %")
    for shift, most in ((1.5, 15), (2.5, 6)):
        days = float(np.median([_first_alarm(seed, shift) for seed in range(count)]))
        say(f"production: coils until a shift of {shift} sd alarms", days, lambda x, m=most: x <= m,
            f"<= {most}", percent=False)  # fmt: skip


def _first_alarm(seed: int, shift: float, days: int = 60) -> int:
    drawn = 1 + 0.1 * np.random.default_rng(seed).standard_normal(LEARNED_FROM + days)
    drawn[LEARNED_FROM:] += 0.1 * shift
    at = [str(day) for day in range(len(drawn))]
    for day in range(1, days + 1):
        seen = LEARNED_FROM + day
        if chart("coil", "residual", at[:seen], drawn[:seen].tolist()).alarm:
            return day
    return days + 1


# -------------------------------------------------------------------------- where to simulate


def records_of(campaign: Campaign, table: Table) -> FamilyRecords:
    """Return records in natural coordinates."""
    family = campaign.family
    rows = []
    for parameters, sheet in zip(table.parameters, table.sheet, strict=True):
        material = family.material_of(sheet.tolist())
        found = quantities_of(parameters[list(campaign.columns)], material)
        rows.append([found[name] for name in QUANTITIES])
    values = np.hstack([np.array(rows), table.sheet])
    return FamilyRecords.of(Natural.of(campaign), values, table.strains, table.forces)


def join(one: FamilyRecords, other: FamilyRecords) -> FamilyRecords:
    """Put records together."""
    return replace(
        one,
        u=np.vstack([one.u, other.u]),
        strains=np.vstack([one.strains, other.strains]),
        forces=np.vstack([one.forces, other.forces]),
    )


def most_probable(
    surrogate: Surrogate, strains: FloatArray, forces: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """U (coordinates,) of the sheet that explains a record best, and its covariance."""
    prior = NormalPrior.of_training(surrogate.axes.shape[1])
    found = refine(surrogate, strains[None], forces[None], prior=prior)
    return found.u[0], found.covariance[0]


def local_answer(
    records: FamilyRecords, noise: tuple[float, float], strains: FloatArray, forces: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Find a sheet by the surrogate over the box, then by the one fitted around it."""
    whole = fit_family(records, noise)
    u, covariance = most_probable(whole, strains, forces)
    return most_probable(fit_around(records, whole, u, covariance), strains, forces)


def cloud_at(campaign: Campaign, natural: Natural, u: FloatArray, spread: FloatArray) -> Cloud:
    """Return a posterior of u as a cloud in places of the box."""
    random = np.random.default_rng(5)
    drawn = np.vstack([u, random.multivariate_normal(u, spread, 200)])
    values = natural.physical(natural.centre + natural.spread * drawn)
    tests = values[:, : len(mechanical_axes(campaign))]
    box = np.array([getattr(campaign.design.box, name) for name in mechanical_axes(campaign)])
    places = np.hstack([
        (tests - box[:, 0]) / (box[:, 1] - box[:, 0]),
        places_of_sheets(campaign.family, values[:, tests.shape[1] :]),
    ])  # fmt: skip
    covariance = np.cov(places[1:].T) + 1e-4 * np.eye(places.shape[1])
    wide = campaign.design.later_rounds.widening**2 * covariance
    return Cloud("posteriors", places[:1], np.ones(1), wide[None], beyond=True)


def active(start: int, repeats: int, sheets: int, cache: Path) -> None:
    """Print the distance to the FEM's own answer after so many further records a sheet, by way."""
    campaign = load(Campaign, CAMPAIGN, {"design": {"later_rounds": {"posteriors": 0.8}}})
    noise = campaign.noise.strain, campaign.noise.force_relative
    first = records_of(campaign, simulated(cache, campaign, start, test=False))
    ways: dict[str, dict[int, list[float]]] = {
        way: {added: [] for added in ADDED}
        for way in ("targeted", "Sobol", "random", "disagreement")
    }
    natural = Natural.of(campaign)
    for repeat in range(repeats):
        drawn = draw(campaign, TRAIN, 500_000 + 1000 * repeat, sheets)
        truths = solved(campaign, drawn.parameters, drawn.sheet)
        most = max(ADDED) * sheets
        sobol = records_of(campaign, _even(campaign, 100_000 + 5000 * repeat, most))
        shaken = records_of(campaign, _random(campaign, repeat, most))
        unsure = _disagreeing(campaign, first, noise, most, repeat)
        for sheet in range(len(truths)):
            strains = truths.strains[sheet].astype(np.float64)
            forces = truths.forces[sheet]
            u, spread = local_answer(first, noise, strains, forces)
            cloud = cloud_at(campaign, natural, u, spread)
            aimed = _of_cloud(campaign, cloud, max(ADDED), repeat)
            exact, floor = _by_reference(campaign, records_of(campaign, truths.rows(
                slice(sheet, sheet + 1))), noise, strains, forces, repeat)  # fmt: skip
            for added in ADDED:
                shares = {
                    "targeted": aimed.rows(np.arange(min(added, len(aimed)))),
                    "Sobol": sobol.rows(np.arange(added * sheets)),
                    "random": shaken.rows(np.arange(added * sheets)),
                    "disagreement": unsure.rows(np.arange(min(added * sheets, len(unsure)))),
                }
                for way, more in shares.items():
                    got, _ = local_answer(join(first, more), noise, strains, forces)
                    away = (got - exact)[~natural.nuisance]
                    inside = np.ix_(~natural.nuisance, ~natural.nuisance)
                    distance = away @ np.linalg.solve(floor[inside], away) / len(away)
                    ways[way][added].append(1 + float(distance))
        _table(ways, repeat + 1)
    far = float(np.median(ways["Sobol"][200]))
    near = float(np.median(ways["targeted"][60]))
    say(f"active: 60 targeted a sheet, beside {far:.2f} of 200 Sobol", near, lambda x: x < far,
        f"< {far:.2f}", percent=False)  # fmt: skip


def _even(campaign: Campaign, start: int, count: int) -> Table:
    drawn = draw(campaign, TRAIN, start, count)
    return solved(campaign, drawn.parameters, drawn.sheet)


def _random(campaign: Campaign, seed: int, count: int) -> Table:
    """Points of the box by plain random numbers."""
    random = np.random.default_rng([seed, 9])
    width = len(mechanical_axes(campaign))
    values = in_box(campaign, random.random((4 * count, width + len(campaign.family.names))))
    parameters, reasons = parameters_of(campaign, values)
    good = np.flatnonzero([not reason for reason in reasons])[:count]
    return solved(campaign, parameters[good], values[good, width:])


def _of_cloud(campaign: Campaign, cloud: Cloud, count: int, seed: int) -> FamilyRecords:
    """Draw targeted points alone: the mixture's share that fills the box is the start's."""
    mixed = draw_mixture(campaign, 0, round(count / 0.8), [cloud], [seed])
    rows = mixed.aim == 1
    return records_of(campaign, solved(campaign, mixed.parameters[rows], mixed.sheet[rows]))


def _disagreeing(
    campaign: Campaign,
    first: FamilyRecords,
    noise: tuple[float, float],
    count: int,
    seed: int,
) -> FamilyRecords:
    """Simulate where two surrogates, each of half of the records, disagree most."""
    halves = [fit_family(first.rows(np.arange(k, len(first), 2)), noise) for k in (0, 1)]
    drawn = draw(campaign, TRAIN, 300_000 + 5000 * seed, 4 * count)
    empty = Table(drawn.parameters, drawn.sheet, *(
        np.ones((len(drawn.parameters), n), np.float32)
        for n in (first.strains.shape[1], first.forces.shape[1])
    ))  # fmt: skip
    u = records_of(campaign, empty).u
    said = [one.observables.mean + one.components_at(u) @ one.observables.vectors.T
            for one in halves]  # fmt: skip
    worst = np.argsort(((said[0] - said[1]) ** 2).sum(1))[::-1][:count]
    return records_of(campaign, solved(campaign, drawn.parameters[worst], drawn.sheet[worst]))


def _by_reference(
    campaign: Campaign,
    truth: FamilyRecords,
    noise: tuple[float, float],
    strains: FloatArray,
    forces: FloatArray,
    seed: int,
) -> tuple[FloatArray, FloatArray]:
    """Find the sheet by a surrogate of records that lie around it alone; the FEM's own, nearly."""
    natural = Natural.of(campaign)
    width = np.where(natural.nuisance, 0.3, 0.1)
    cloud = cloud_at(campaign, natural, truth.u[0], np.diag(width**2))
    near = _of_cloud(campaign, cloud, REFERENCE, 100 + seed)
    return most_probable(fit_family(near, noise, degrees=(1, 2)), strains, forces)


def _table(ways: dict[str, dict[int, list[float]]], repeats: int) -> None:
    print(f"active, {repeats} repeats: median (20 to 80 %) of 1 + squared distance a coordinate")
    print("  added a sheet " + "".join(f"{added:>22}" for added in ADDED))
    for way, by in ways.items():
        cells = [np.quantile(by[added], [0.5, 0.2, 0.8]) for added in ADDED]
        print(f"  {way:14}" + "".join(f"{m:9.2f} ({a:.2f}-{b:.2f})".rjust(22) for m, a, b in cells))


def say(
    what: str, value: float, met: Callable[[float], bool], goal: str, *, percent: bool = True
) -> None:
    """Print one figure beside its goal."""
    shown = f"{value:.1%}" if percent else f"{value:.3g}"
    print(f"{what}: {shown} (goal {goal}): {'met' if met(value) else 'NOT met'}", flush=True)


def main() -> None:
    """Run the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=("gate", "drift", "active"))
    parser.add_argument("--count", type=int, default=COMPARISONS, help="comparisons a kind")
    parser.add_argument("--start", type=int, default=1000, help="records that fill the box")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sheets", type=int, default=SHEETS, help="of interest, in each repeat")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "yieldloop-loop")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    if "gate" in options.parts:
        gate(options.count)
    if "drift" in options.parts:
        drift(max(options.count // 5, 20))
    if "active" in options.parts:
        active(options.start, options.repeats, options.sheets, options.cache)


if __name__ == "__main__":
    main()
