"""What targeted records give a network, at the sheets that they were aimed at and elsewhere.

Three networks of one kind: of the records that fill the box, of these and as many more of Sobol's,
and of these and those that `active` drew around the first repeat's sheets. All answer the same
records: at each of these sheets some, with nuisances and noise of their own, and of the box's test
stream. Errors are of the mechanical values, in ranges of the box.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.deciding.active import ADDED, CAMPAIGN, SPARE, sheet_of_interest, stacked
from benchmarks.deciding.goals import say
from benchmarks.families.records import COLUMNS, Table, run_of, simulated, solved
from benchmarks.family import trained
from benchmarks.kept import Kept
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.loading import load
from hpc_jobs.dataset.dataset import open_dataset, test_examples
from hpc_jobs.forward.natural import QUANTITIES

AT_A_SHEET, ELSEWHERE = 30, 400
DRAWS = 2000
FloatArray = NDArray[np.float64]
Losses = dict[str, list[float]]


def learned(start: int, sheets: int, cache: Path, kept: Kept) -> None:
    """Print each network's errors at the sheets and elsewhere, and the goals."""
    campaign = load(Campaign, CAMPAIGN, {})
    most = max(ADDED) * sheets
    sobol = simulated(cache, campaign, round(SPARE * (start + most)), test=False)
    first = sobol.rows(slice(start))
    aimed = [_read(cache / f"active-targeted-{start}-{sheets}-0-{k}.npz") for k in range(sheets)]
    count = sum(len(one) for one in aimed)
    ways = {
        "alone": first,
        "Sobol": sobol.rows(slice(start + count)),
        "targeted": stacked([first, *aimed]),
    }
    asked = _asked(campaign, sheets, cache)
    found: dict[str, Losses] = {}
    for way, records in ways.items():

        def measure(way: str = way, records: Table = records) -> Losses:
            return _losses(campaign, cache / f"learned-{way}", records, asked)

        found[way] = kept.once(f"learned {way} {start} {sheets} {count}", measure)
        at, away = (np.mean(found[way][where]) ** 0.5 for where in ("at", "elsewhere"))
        print(f"learned, {way}, {len(records)} records: {at:.4f} there, {away:.4f} elsewhere")
    ratio, low, high = _ratio(found["targeted"]["at"], found["Sobol"]["at"])
    say(f"learned: + {count} targeted over + {count} Sobol there, 95 % {low:.3f} to {high:.3f}",
        ratio, lambda x: high < 1, "whole interval < 1", percent=False)  # fmt: skip
    ratio, low, high = _ratio(found["targeted"]["elsewhere"], found["alone"]["elsewhere"])
    say(f"learned: + {count} targeted over none elsewhere, 95 % {low:.3f} to {high:.3f}",
        ratio, lambda x: x < 1.02, "< 1.02", percent=False)  # fmt: skip


def _read(path: Path) -> Table:
    if not path.exists():
        raise SystemExit(f"{path} is missing: run the part `active` of this size first")
    with np.load(path) as stored:
        return Table(*(stored[name] for name in COLUMNS))


def _asked(campaign: Campaign, sheets: int, cache: Path) -> tuple[Table, Table]:
    """Simulate what all networks are asked: at the sheets, and elsewhere."""
    random, family = np.random.default_rng(17), campaign.family
    nuisance = list(family.columns("nuisance"))
    deviation = np.array([family.coordinates[column].sd for column in nuisance])
    parameters, values = [], []
    for sheet in range(sheets):
        one = sheet_of_interest(campaign, 0, sheet, sheets)
        own = np.repeat(one.sheet, AT_A_SHEET, axis=0)
        own[:, nuisance] = deviation * random.standard_normal((AT_A_SHEET, len(nuisance)))
        parameters.append(np.repeat(one.parameters, AT_A_SHEET, axis=0))
        values.append(own)
    at = solved(campaign, np.vstack(parameters), np.vstack(values))
    return at, simulated(cache, campaign, ELSEWHERE, test=True)


def _losses(campaign: Campaign, cache: Path, records: Table, asked: tuple[Table, Table]) -> Losses:
    """Train a network, and return its squared errors record by record."""
    run = run_of(cache, campaign, records, stacked(asked))
    model = trained(run, campaign)
    examples = test_examples(open_dataset(run, campaign.training.validation_fraction))
    columns = [model.targets.index(name) for name in QUANTITIES]
    box = np.array([getattr(campaign.design.box, name) for name in QUANTITIES])
    answers = model.predict(examples.strains, examples.forces, examples.known)
    off = (answers - examples.physical)[:, columns] / (box[:, 1] - box[:, 0])
    aimed = {row.tobytes() for row in asked[0].parameters.astype(np.float32)}
    own = examples.physical[:, : len(campaign.targets)].astype(np.float32)
    there = np.array([row.tobytes() in aimed for row in own])
    losses = (off**2).mean(1)
    return {"at": losses[there].tolist(), "elsewhere": losses[~there].tolist()}


def _ratio(one: list[float], other: list[float]) -> tuple[float, float, float]:
    """Ratio of rms errors, and its 95 % interval by a paired bootstrap over the records."""
    ours, theirs = np.array(one), np.array(other)
    rows = np.random.default_rng(7).integers(0, len(ours), (DRAWS, len(ours)))
    drawn = np.sqrt(ours[rows].mean(1) / theirs[rows].mean(1))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(np.sqrt(ours.mean() / theirs.mean())), float(low), float(high)
