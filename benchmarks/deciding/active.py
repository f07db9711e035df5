"""Where simulations pay: targeted points beside Sobol's, random ones and disagreement's.

Each way adds so many records a sheet to those that fill the box. The even ways share theirs among
all sheets; targeted ones are drawn night by night around what was found with the records so far.
Repeats have sheets of their own; the even records are the same for all. An answer's distance to the
FEM's own most probable sheet is counted in posterior deviations of the FEM itself, squared: of each
mechanical value, in the mean over the seven; and beside it in all directions of the sheet's
posterior, curve and modulus included, where the stiffest direction decides.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
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
Distances = dict[str, dict[str, list[float]]]
"""By what is counted and by way, after ADDED records a sheet."""

SHEETS = 5
ADDED = (0, 20, 60, 200)
WAYS = ("targeted", "Sobol", "random", "disagreement")
COUNTED = ("mechanical", "all directions")
DRAWN = 3
"""Sheets that are drawn for each that is wanted: some are torn before they are seen."""
SPARE = 1.05
"""Sheets that are drawn for each record: some tear."""
FURTHER = 400_000
"""Where in the training stream points are taken that a cloud did not give."""
EXACT = 120
"""Simulations, at most, from a sheet to what its own record makes most probable."""


def records_of(campaign: Campaign, table: Table) -> FamilyRecords:
    """Return records in natural coordinates."""
    family = campaign.family
    rows = []
    for parameters, sheet in zip(table.parameters, table.sheet, strict=True):
        material = family.material_of(sheet.tolist())
        found = quantities_of(parameters[list(campaign.columns)], material)
        rows.append([found[name] for name in QUANTITIES])
    values = np.hstack([np.reshape(rows, (len(table), len(QUANTITIES))), table.sheet])
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
    records: FamilyRecords, whole: Surrogate, strains: FloatArray, forces: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Find a sheet by the surrogate over the box, then by the one fitted around it."""
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
    fitted: dict[tuple[str, int], Surrogate] = field(default_factory=dict)

    def known(self, way: str, added: int) -> FamilyRecords:
        """Return the records so far with so many of an even way."""
        return join(self.first, self.even[way].rows(np.arange(added))) if added else self.first

    def whole(self, way: str, added: int) -> Surrogate:
        """Return the surrogate of these over the box, which all sheets share."""
        key = (way if added else "", added)
        if key not in self.fitted:
            self.fitted[key] = fit_family(self.known(way, added), self.noise)
        return self.fitted[key]


def active(start: int, repeats: int, sheets: int, cache: Path, kept: Kept) -> None:
    """Print the distance to the FEM's own answer after so many further records a sheet, by way."""
    campaign = load(Campaign, CAMPAIGN, {"design": {"later_rounds": {"posteriors": 0.8}}})
    found: list[Distances] = []
    setting: Setting | None = None
    for repeat in range(repeats):
        for sheet in range(sheets):

            def measure(repeat: int = repeat, sheet: int = sheet) -> Distances:
                nonlocal setting
                if setting is None:
                    setting = _setting(campaign, start, sheets, cache)
                return _at_sheet(setting, (repeat, sheet, sheets), cache)

            found.append(kept.once(f"sheet {start} {sheets} {repeat} {sheet}", measure))
        for counted in COUNTED:
            _table(found, counted, repeat + 1)
    judge(found)


def judge(found: Sequence[Distances]) -> None:
    """Print the goal: over all sheets, 60 targeted records do more than 200 of Sobol's."""
    for counted in COUNTED:
        near, far = _column(found, counted, "targeted", 60), _column(found, counted, "Sobol", 200)
        goal = float(np.median(far))
        say(f"active, {counted}: 60 targeted a sheet, beside {goal:.2f} of 200 Sobol",
            float(np.median(near)), partial(operator.gt, goal), f"< {goal:.2f}",
            percent=False)  # fmt: skip
        random = np.random.default_rng(7)
        drawn = random.integers(0, len(near), (2000, len(near)))
        ratios = np.median(near[drawn], axis=1) / np.median(far[drawn], axis=1)
        low, high = (float(edge) for edge in np.quantile(ratios, [0.025, 0.975]))
        say(f"active: ratio of these medians, 95 % {low:.2f} to {high:.2f} over {len(near)} sheets",
            float(np.median(near)) / goal, partial(_surely, high), "whole interval < 1",
            percent=False)  # fmt: skip


def _surely(high: float, _: float) -> bool:
    """Whether an interval's upper end lies below one."""
    return high < 1


def _column(found: Sequence[Distances], counted: str, way: str, added: int) -> FloatArray:
    """Distances (sheets,) of one way after so many records."""
    return np.array([one[counted][way][ADDED.index(added)] for one in found])


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
        keep(path, make())
    with np.load(path) as stored:
        return Table(*(stored[name] for name in COLUMNS))


def keep(path: Path, table: Table) -> None:
    """Write records down."""
    np.savez(path, **{name: getattr(table, name) for name in COLUMNS})


def sheet_of_interest(campaign: Campaign, repeat: int, sheet: int, sheets: int) -> Table:
    """Simulate one: the first that is not torn of those drawn for it."""
    drawn = draw(campaign, TRAIN, 500_000 + 1000 * repeat, DRAWN * sheets)
    rows = slice(DRAWN * sheet, DRAWN * (sheet + 1))
    return solved(campaign, drawn.parameters[rows], drawn.sheet[rows]).rows(slice(1))


def _at_sheet(one: Setting, which: tuple[int, int, int], cache: Path) -> Distances:
    """Return the distances after ADDED records for each sheet of a repeat.

    which: repeat, sheet, and how many sheets a repeat has. The records around the sheet are kept in
    the cache, for networks, and so is what the FEM itself makes of the sheet.
    """
    _, _, sheets = which
    name = "-".join(str(number) for number in (len(one.first), *which))
    strains, forces, exact, floor = _by_fem(one, which, cache / f"active-exact-{name}.npz")
    found: Distances = {counted: {way: [] for way in WAYS} for counted in COUNTED}

    def count(way: str, got: FloatArray) -> None:
        for counted, distance in zip(COUNTED, _distances(one, got - exact, floor), strict=True):
            found[counted][way].append(1 + distance)

    for way in one.even:
        for added in ADDED:
            known, whole = one.known(way, added * sheets), one.whole(way, added * sheets)
            count(way, local_answer(known, whole, strains, forces)[0])
    known, aimed = one.first, []
    whole = one.whole("", 0)
    for added, upto in zip(ADDED, (*ADDED[1:], None), strict=True):
        u, spread = local_answer(known, whole, strains, forces)
        count("targeted", u)
        if upto is not None:
            cloud = cloud_at(one.campaign, one.natural, u, spread)
            aimed.append(of_cloud(one.campaign, cloud, upto - added, which[0]))
            known = join(known, records_of(one.campaign, aimed[-1]))
            whole = fit_family(known, one.noise)
    keep(cache / f"active-targeted-{len(one.first)}-{sheets}-{which[0]}-{which[1]}.npz",
          stacked(aimed))  # fmt: skip
    return found


def _distances(one: Setting, away: FloatArray, floor: FloatArray) -> tuple[float, float]:
    """Squared distances in deviations: of the mechanical values, and in all directions."""
    tests, wanted = len(QUANTITIES), ~one.natural.nuisance
    mechanical = float((away[:tests] ** 2 / np.diag(floor)[:tests]).mean())
    within = floor[np.ix_(wanted, wanted)]
    return mechanical, float(away[wanted] @ np.linalg.solve(within, away[wanted]) / wanted.sum())


def _by_fem(
    one: Setting, which: tuple[int, int, int], path: Path
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Simulate a sheet of interest, and find the most probable one by Gauss-Newton on the FEM.

    Returns strains and forces of its record, u of the most probable sheet, and its covariance.
    """
    if not path.exists():
        truth = records_of(one.campaign, sheet_of_interest(one.campaign, *which))
        strains, forces = truth.strains[0].astype(np.float64), truth.forces[0]
        engine = Engine(one.campaign, one.campaign.specimens, one.campaign.noise, keep=False)
        prior = NormalPrior.of_training(truth.u.shape[1])
        found = Descent(engine, engine.observed(strains, forces), prior, EXACT).run(truth.u[0])
        np.savez(path, strains=strains, forces=forces, u=found.u, covariance=found.covariance)
    with np.load(path) as kept:
        return kept["strains"], kept["forces"], kept["u"], kept["covariance"]


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


def of_cloud(campaign: Campaign, cloud: Cloud, count: int, seed: int) -> Table:
    """Simulate targeted points; what a cloud outside all that is a sheet cannot give, fill the box.

    The mixture's share that fills the box anyway is left out: it is the start's.
    """
    mixed = draw_mixture(
        campaign, FURTHER + 1000 * seed, round(count / 0.8), [cloud], [seed, count]
    )
    rows = np.argsort(mixed.aim != 1, kind="stable")[:count]
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


def _table(found: Sequence[Distances], counted: str, repeats: int) -> None:
    print(f"active, {repeats} repeats, {counted}: median (20 to 80 %) of 1 + squared distance")
    print("  added a sheet " + "".join(f"{added:>22}" for added in ADDED))
    for way in WAYS:
        columns = [_column(found, counted, way, added) for added in ADDED]
        cells = [np.quantile(column, [0.5, 0.2, 0.8]) for column in columns]
        print(f"  {way:14}" + "".join(f"{m:9.2f} ({a:.2f}-{b:.2f})".rjust(22) for m, a, b in cells))
