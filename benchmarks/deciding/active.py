"""Where simulations pay: targeted points beside Sobol's, random ones and disagreement's.

Each way adds so many records a sheet to those that fill the box. The even ways share theirs among
all sheets; targeted ones are drawn night by night around what was found with the records so far.
Repeats have sheets of their own; the even records are the same for all. An answer's distance to the
FEM's own most probable sheet is counted in posterior deviations of the FEM itself, squared, a
coordinate of the sheet.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.deciding.goals import say
from benchmarks.families.records import COLUMNS, Table, simulated, solved
from benchmarks.kept import Kept
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.loading import load
from hpc_jobs.design.family import places_of_sheets
from hpc_jobs.design.mechanical import draw, in_box, mechanical_axes, parameters_of
from hpc_jobs.design.mixture import Cloud, draw_mixture
from hpc_jobs.design.sobol import TRAIN
from hpc_jobs.forward.family import fit_around, fit_family
from hpc_jobs.forward.natural import QUANTITIES, Natural
from hpc_jobs.forward.records import FamilyRecords
from hpc_jobs.forward.surrogate import Surrogate
from hpc_jobs.identification.engine import Engine
from hpc_jobs.identification.outside import Descent
from hpc_jobs.identification.posterior import NormalPrior, refine
from hpc_jobs.identification.quantities import quantities_of

CAMPAIGN = Path(__file__).parent.with_name("family.yaml")
FloatArray = NDArray[np.float64]

SHEETS = 5
ADDED = (0, 20, 60, 200)
WAYS = ("targeted", "Sobol", "random", "disagreement")
DRAWN = 3
"""Sheets that are drawn for each that is wanted: some are torn before they are seen."""
SPARE = 1.05
"""Sheets that are drawn for each record: some tear."""
EXACT = 200
"""Simulations, at most, from a sheet to what its own record makes most probable."""


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


def stacked(tables: Sequence[Table]) -> Table:
    """Put tables together."""
    return Table(*(np.concatenate([getattr(one, name) for one in tables]) for name in COLUMNS))


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


@dataclass(frozen=True, slots=True)
class Setting:
    """What all sheets share: the records so far, and what each even way adds to them."""

    campaign: Campaign
    natural: Natural
    noise: tuple[float, float]
    first: FamilyRecords
    even: dict[str, FamilyRecords]  # way -> records added for all sheets together


def active(start: int, repeats: int, sheets: int, cache: Path, kept: Kept) -> None:
    """Print the distance to the FEM's own answer after so many further records a sheet, by way."""
    campaign = load(Campaign, CAMPAIGN, {"design": {"later_rounds": {"posteriors": 0.8}}})
    ways: dict[str, dict[int, list[float]]] = {way: {added: [] for added in ADDED} for way in WAYS}
    setting: Setting | None = None
    for repeat in range(repeats):
        for sheet in range(sheets):

            def measure(repeat: int = repeat, sheet: int = sheet) -> dict[str, list[float]]:
                nonlocal setting
                if setting is None:
                    setting = _setting(campaign, start, sheets, cache)
                name = f"active-targeted-{start}-{sheets}-{repeat}-{sheet}.npz"
                return _at_sheet(setting, repeat, sheet, sheets, cache / name)

            found = kept.once(f"active {start} {sheets} {repeat} {sheet}", measure)
            for way in WAYS:
                for added, value in zip(ADDED, found[way], strict=True):
                    ways[way][added].append(value)
        _table(ways, repeat + 1)
    judge(ways)


def judge(ways: dict[str, dict[int, list[float]]]) -> None:
    """Print the goal: at most of all sheets 60 targeted records do more than 200 of Sobol's."""
    near, far = np.array(ways["targeted"][60]), np.array(ways["Sobol"][200])
    say(f"active: 60 targeted a sheet, beside {np.median(far):.2f} of 200 Sobol",
        float(np.median(near)), lambda x: x < np.median(far), f"< {np.median(far):.2f}",
        percent=False)  # fmt: skip
    random = np.random.default_rng(7)
    drawn = random.integers(0, len(near), (2000, len(near)))
    ratios = np.median(near[drawn], axis=1) / np.median(far[drawn], axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    say(f"active: ratio of these medians, 95 % {low:.2f} to {high:.2f} over {len(near)} sheets",
        float(np.median(near) / np.median(far)), lambda x: high < 1, "whole interval < 1",
        percent=False)  # fmt: skip


def _setting(campaign: Campaign, start: int, sheets: int, cache: Path) -> Setting:
    noise = campaign.noise.strain, campaign.noise.force_relative
    most = max(ADDED) * sheets
    sobol = simulated(cache, campaign, round(SPARE * (start + most)), test=False)
    first = records_of(campaign, sobol.rows(slice(start)))
    drawn = {
        "random": lambda: _random(campaign, most),
        "disagreement": lambda: _disagreeing(campaign, first, noise, most),
    }
    even = {"Sobol": records_of(campaign, sobol.rows(slice(start, start + most)))} | {
        way: records_of(campaign, _once(cache / f"active-{way}-{start}-{most}.npz", make))
        for way, make in drawn.items()
    }
    return Setting(campaign, Natural.of(campaign), noise, first, even)


def _once(path: Path, make: Callable[[], Table]) -> Table:
    """Simulate records, or read those of this name that were simulated before."""
    if not path.exists():
        table = make()
        np.savez(path, **{name: getattr(table, name) for name in COLUMNS})
    with np.load(path) as stored:
        return Table(*(stored[name] for name in COLUMNS))


def sheet_of_interest(campaign: Campaign, repeat: int, sheet: int, sheets: int) -> Table:
    """Simulate one: the first that is not torn of those drawn for it."""
    drawn = draw(campaign, TRAIN, 500_000 + 1000 * repeat, DRAWN * sheets)
    rows = slice(DRAWN * sheet, DRAWN * (sheet + 1))
    return solved(campaign, drawn.parameters[rows], drawn.sheet[rows]).rows(slice(1))


def _at_sheet(
    one: Setting, repeat: int, sheet: int, sheets: int, targeted: Path
) -> dict[str, list[float]]:
    """Return by way the distances after ADDED records for each of so many sheets.

    targeted: where the records around this one are kept, for networks.
    """
    truth = records_of(one.campaign, sheet_of_interest(one.campaign, repeat, sheet, sheets))
    strains, forces = truth.strains[0].astype(np.float64), truth.forces[0]
    exact, floor = _by_fem(one, truth.u[0], strains, forces)
    wanted = ~one.natural.nuisance
    found: dict[str, list[float]] = {}
    aimed: list[Table] = []
    for way in WAYS:
        known, found[way] = one.first, []
        for before, added in zip((0, *ADDED), ADDED, strict=False):
            if way == "targeted":
                if added:
                    aimed.append(_around(one, known, (strains, forces), added - before, repeat))
                    known = join(known, records_of(one.campaign, aimed[-1]))
            else:
                known = join(one.first, one.even[way].rows(np.arange(added * sheets)))
            got, _ = local_answer(known, one.noise, strains, forces)
            away = (got - exact)[wanted]
            distance = away @ np.linalg.solve(floor[np.ix_(wanted, wanted)], away) / len(away)
            found[way].append(1 + float(distance))
    _once(targeted, lambda: stacked(aimed))
    return found


def _around(
    one: Setting,
    known: FamilyRecords,
    seen: tuple[FloatArray, FloatArray],
    count: int,
    seed: int,
) -> Table:
    """Simulate a night's records around what is found with those so far."""
    u, spread = local_answer(known, one.noise, *seen)
    return _of_cloud(one.campaign, cloud_at(one.campaign, one.natural, u, spread), count, seed)


def _by_fem(
    one: Setting, start: FloatArray, strains: FloatArray, forces: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Find the most probable sheet by Gauss-Newton on the FEM itself, and its covariance."""
    engine = Engine(one.campaign, one.campaign.specimens, one.campaign.noise, keep=False)
    prior = NormalPrior.of_training(len(start))
    goal = engine.observed(strains, forces)
    found = Descent(engine, goal, prior, EXACT).run(start)
    return found.u, found.covariance


def _exactly(campaign: Campaign, parameters: FloatArray, sheet: FloatArray, count: int) -> Table:
    """Simulate so many sheets that are not torn, of some more."""
    drawn = round(SPARE * count)
    return solved(campaign, parameters[:drawn], sheet[:drawn]).rows(slice(count))


def _random(campaign: Campaign, count: int) -> Table:
    """Points of the box by plain random numbers."""
    random = np.random.default_rng(9)
    width = len(mechanical_axes(campaign))
    values = in_box(campaign, random.random((4 * count, width + len(campaign.family.names))))
    parameters, reasons = parameters_of(campaign, values)
    good = np.flatnonzero([not reason for reason in reasons])
    return _exactly(campaign, parameters[good], values[good, width:], count)


def _of_cloud(campaign: Campaign, cloud: Cloud, count: int, seed: int) -> Table:
    """Draw targeted points alone: the mixture's share that fills the box is the start's."""
    mixed = draw_mixture(campaign, 0, round(count / 0.8), [cloud], [seed, count])
    rows = mixed.aim == 1
    return solved(campaign, mixed.parameters[rows], mixed.sheet[rows])


def _disagreeing(
    campaign: Campaign,
    first: FamilyRecords,
    noise: tuple[float, float],
    count: int,
) -> Table:
    """Simulate where two surrogates, each of half of the records, disagree most."""
    halves = [fit_family(first.rows(np.arange(k, len(first), 2)), noise) for k in (0, 1)]
    drawn = draw(campaign, TRAIN, 300_000, 4 * count)
    forces = np.ones((len(drawn.parameters), first.forces.shape[1]))
    strains = np.ones((len(drawn.parameters), first.strains.shape[1]), np.float32)
    empty = Table(drawn.parameters, drawn.sheet, strains, forces, forces)
    u = records_of(campaign, empty).u
    said = [one.observables.mean + one.components_at(u) @ one.observables.vectors.T
            for one in halves]  # fmt: skip
    worst = np.argsort(((said[0] - said[1]) ** 2).sum(1))[::-1]
    return _exactly(campaign, drawn.parameters[worst], drawn.sheet[worst], count)


def _table(ways: dict[str, dict[int, list[float]]], repeats: int) -> None:
    print(f"active, {repeats} repeats: median (20 to 80 %) of 1 + squared distance a coordinate")
    print("  added a sheet " + "".join(f"{added:>22}" for added in ADDED))
    for way, by in ways.items():
        cells = [np.quantile(by[added], [0.5, 0.2, 0.8]) for added in ADDED]
        print(f"  {way:14}" + "".join(f"{m:9.2f} ({a:.2f}-{b:.2f})".rjust(22) for m, a, b in cells))
