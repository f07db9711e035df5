"""What targeted records give a network, at the sheets that they were aimed at and elsewhere.

Three networks of one kind: of the records that fill the box, of these and AIMED more around each of
the sheets of interest (the first repeat's of `active`), drawn in two nights, and of these and so
many more of Sobol's sequence. All train for as many steps. They answer the same records: at each of
these sheets some, with nuisances and noise of their own, and of the box's test stream. Errors are
of the mechanical values, in ranges of the box.
"""

import operator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.deciding.active import (
    CAMPAIGN,
    cloud_at,
    join,
    keep,
    local_answer,
    of_cloud,
    records_of,
    sheet_of_interest,
    stacked,
)
from benchmarks.deciding.goals import say
from benchmarks.families.records import COLUMNS, Table, run_of, simulated, solved
from benchmarks.family import trained
from benchmarks.kept import Kept
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.loading import load
from hpc_jobs.dataset.dataset import open_dataset, test_examples
from hpc_jobs.forward.family import fit_family
from hpc_jobs.forward.natural import QUANTITIES, Natural
from hpc_jobs.forward.surrogate import Surrogate

AT_A_SHEET, ELSEWHERE = 30, 600
AIMED = (60, 180)
"""Records around a sheet after each night."""
DRAWS = 2000
MOST_LOST = 1.02
NETWORK = {
    "kind": "mlp", "hidden": [256, 256], "components": 80, "weight_decay": 0.1,
    "forces": True, "gaussian": True,
}  # fmt: skip
"""One member: three networks of each way would take three times as long and rank alike."""
FloatArray = NDArray[np.float64]
Losses = dict[str, list[float]]


def learned(sizes: tuple[int, int], mesh: str, sheets: int, cache: Path, kept: Kept) -> None:
    """Print each network's errors at the sheets and elsewhere, and the goals.

    sizes: records that fill the box, and how many more of Sobol's.
    """
    changes = {
        "specimens": {"mesh": mesh},
        "design": {"later_rounds": {"posteriors": 0.8}},
        "training": {"networks": [NETWORK]},
    }
    campaign = load(Campaign, CAMPAIGN, changes)
    start, more = sizes
    sobol = simulated(cache, campaign, start + more, test=False)
    first = sobol.rows(slice(start))
    aimed = _aimed(campaign, first, sheets, cache)
    ways = {"alone": first, "targeted": stacked([first, aimed]), "Sobol": sobol}
    asked = _asked(campaign, sheets, cache)
    found: dict[str, Losses] = {}
    for way, records in ways.items():

        def measure(way: str = way, records: Table = records) -> Losses:
            own = _as_long(campaign, start / len(records))
            return _losses(own, cache / f"learned-{way}", records, asked)

        found[way] = kept.once(f"learned {way} {mesh} {len(records)} {sheets}", measure)
        at, away = (np.mean(found[way][where]) ** 0.5 for where in ("at", "elsewhere"))
        print(f"learned, {way}, {len(records)} records: {at:.4f} there, {away:.4f} elsewhere")
    added = f"+ {len(aimed)} targeted"
    _judge(f"{added} over + {more} Sobol there", found["targeted"]["at"], found["Sobol"]["at"], 1)
    _judge(f"{added} over none there", found["targeted"]["at"], found["alone"]["at"], 1)
    _judge(
        f"{added} over none elsewhere", found["targeted"]["elsewhere"],
        found["alone"]["elsewhere"], MOST_LOST,
    )  # fmt: skip


def _as_long(campaign: Campaign, share: float) -> Campaign:
    """Return the campaign with a share of its epochs, so that all ways take as many steps."""
    epochs = round(share * campaign.training.epochs)
    training = campaign.training.model_copy(update={"epochs": epochs})
    return campaign.model_copy(update={"training": training})


def _judge(what: str, ours: list[float], theirs: list[float], most: float) -> None:
    ratio, low, high = _ratio(ours, theirs)
    say(f"learned: {what}, 95 % {low:.3f} to {high:.3f}", ratio, partial(operator.gt, most),
        f"< {most}", percent=False)  # fmt: skip


def _aimed(campaign: Campaign, first: Table, sheets: int, cache: Path) -> Table:
    """Simulate records around each sheet, night by night, or read those that are there."""
    natural, noise = Natural.of(campaign), (campaign.noise.strain, campaign.noise.force_relative)
    known = records_of(campaign, first)
    whole: Surrogate | None = None
    found: list[Table] = []
    for sheet in range(sheets):
        path = cache / f"learned-aimed-{campaign.question}-{len(first)}-{sheets}-{sheet}.npz"
        if not path.exists():
            whole = whole or fit_family(known, noise)
            seen = records_of(campaign, sheet_of_interest(campaign, 0, sheet, sheets))
            strains = seen.strains[0].astype(np.float64)
            own, own_records, so_far = [], known, 0
            for upto in AIMED:
                u, spread = local_answer(own_records, whole, strains, seen.forces[0])
                cloud = cloud_at(campaign, natural, u, spread)
                own.append(of_cloud(campaign, cloud, upto - so_far, sheet))
                own_records, so_far = join(own_records, records_of(campaign, own[-1])), upto
            keep(path, stacked(own))
        with np.load(path) as stored:
            found.append(Table(*(stored[name] for name in COLUMNS)))
    return stacked(found)


def _asked(campaign: Campaign, sheets: int, cache: Path) -> tuple[Table, Table]:
    """Simulate what all networks are asked, or read it: at the sheets, and elsewhere."""
    elsewhere = simulated(cache, campaign, ELSEWHERE, test=True)
    path = cache / f"learned-asked-{campaign.question}-{sheets}.npz"
    if path.exists():
        with np.load(path) as stored:
            return Table(*(stored[name] for name in COLUMNS)), elsewhere
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
    keep(path, at)
    return at, elsewhere


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
