"""One network for a family of sheets: its errors over the floor, and what it does with real coils.

    python -m benchmarks.family [--records 4800] [--test 400] [--mesh coarse] [--epochs 250]
                 [--all | --refined | --surrogate | --wrong | --curves | --alloys | --outside
                  | --exponent]

Records are simulated once and kept below --cache. The floor is the Cramer-Rao bound with the box's
covariance as prior, at sheets of the test set, whose output times are their own. Every goal is
printed beside what was reached, met or not. Without a flag: the network's errors over the floor,
coverage and the curve, exponent and E given; --refined: the same of what the engine makes of fresh
sheets, which is what a campaign reports; --surrogate: of what the surrogate alone makes of them,
and what that costs; --exponent: a second geometry, the exponent unknown.
"""

import argparse
import os
import time
from contextlib import suppress
from pathlib import Path

import torch

from benchmarks.families import alloys, curves, refined, wrong
from benchmarks.families.amortised import floor_of, report
from benchmarks.families.coils import by_engine, by_network, by_surrogate
from benchmarks.families.goals import judged
from benchmarks.families.records import run_of, simulated
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.training import members_of
from hpc_jobs.dataset.dataset import open_dataset, test_examples, with_nothing_known
from hpc_jobs.identification.by_family import FamilyIdentifier
from hpc_jobs.identification.experiment import given_exactly, medians, sensitivities
from hpc_jobs.learning.models.trained_model import TrainedModel, load_model
from hpc_jobs.learning.training.assembly import assemble_committee
from hpc_jobs.learning.training.experiment import train_network
from hpc_jobs.tracking.spool import Spool

CAMPAIGN = Path(__file__).with_name("family.yaml")
TWO_GEOMETRIES = {
    "name": "two-notches",
    "material": {"exponent": {"range": [5, 9], "role": "identified"}},
    "specimens": {"geometries": [{"name": "long"}, {"name": "short", "notch_length_mm": 12}]},
}
BIAXIAL_GOAL, EXPONENT_GOAL = 0.005, 0.12
UPDATING = 50  # simulations of a coil's FEM updating
COILS = (10, 100, 1000)
TRAINING = "benchmark"
PARTS = ("refined", "surrogate", "wrong", "curves", "alloys", "outside", "exponent")
NEED_THE_NETWORK = set(PARTS) - {"exponent"}


def trained(run: RunFolder[Path], campaign: Campaign) -> TrainedModel:
    """Load the campaign's first network, a committee mostly; what is not there is trained now."""
    spec = campaign.training.networks[0]
    name = f"{TRAINING}-{spec.name}"
    with suppress(CorruptFile):
        return load_model(run.model(name))
    for member in members_of(spec):
        own = f"{TRAINING}-{member.name}"
        with suppress(CorruptFile):
            load_model(run.model(own))
            continue
        with Spool(run.root / f"{own}.jsonl", name=own) as spool:
            train_network(
                run, campaign, member, own, spool=spool,
                progress=lambda *_: None, stop=lambda: False,
            )  # fmt: skip
    if spec.members > 1:
        assemble_committee(run, campaign, spec, TRAINING)
    return load_model(run.model(name))


def amortised(
    options: argparse.Namespace, changes: dict[str, object]
) -> tuple[TrainedModel, FamilyIdentifier]:
    """Simulate, train, compare with the floor; return the network, and what finds starts."""
    campaign = load(Campaign, CAMPAIGN, changes)
    begun = time.perf_counter()
    train = simulated(options.cache, campaign, options.records, test=False)
    test = simulated(options.cache, campaign, options.test, test=True)
    run = run_of(options.cache, campaign, train, test)
    model = trained(run, campaign)
    learnt_s = time.perf_counter() - begun
    print(f"{len(train)} records on mesh '{options.mesh}', {learnt_s:.0f} s (0: all was there)")
    examples = test_examples(open_dataset(run, campaign.training.validation_fraction))
    bound = sensitivities(campaign, options.sheets)
    for what, known, seen in (
        ("given values known", given_exactly(campaign), examples),
        ("nothing known", {}, with_nothing_known(examples)),
    ):
        print(f"\n{what}:")
        report(model, campaign, seen, floor_of(bound, known, examples, model.targets), len(train))
    if "exponent" in model.targets:
        expected = medians(bound.deviations(given_exactly(campaign)))
        judged("sigma_b, expected SD", expected["stress_ratio_biaxial"], BIAXIAL_GOAL)
        judged("exponent, expected SD", expected["exponent"], EXPONENT_GOAL)
    assert examples.known is not None
    asked = (examples.strains[:1], examples.forces[:1], examples.known[:1])
    begun = time.perf_counter()
    model.predict(*asked)
    _speedup(bound.record_s, len(train) + len(test), time.perf_counter() - begun)
    return model, FamilyIdentifier.of(run)


def _speedup(record_s: float, records: int, lookup_s: float) -> None:
    """Print ratios of total costs; training, minutes on one machine, is not among them."""
    sought_s = UPDATING * record_s
    print(f"\na new coil: {1e3 * lookup_s:.1f} ms by the network, {sought_s:.1f} s by FEM updating")
    for coils in COILS:
        ratio = coils * sought_s / (records * record_s + coils * lookup_s)
        print(f"{coils} coils: FEM updating costs {ratio:.2f} times the family's simulations")


def _surrogate(campaign: Campaign, identifier: FamilyIdentifier, coils: int) -> None:
    """Print what the surrogate alone answers, and what a coil costs by it."""
    print("\nby the surrogate alone, given values known:")
    begun = time.process_time()
    identifier.surrogate(campaign.noise)
    fitted_s, begun = time.process_time() - begun, time.process_time()
    identifier.factors()
    widened_s, begun = time.process_time() - begun, time.process_time()
    found = refined.asked(campaign, by_surrogate(identifier), coils)
    each_s = (time.process_time() - begun) / max(len(found), 1)
    refined.report(found, "by the surrogate")
    print(f"fitted in {fitted_s:.0f} core-seconds, intervals widened in {widened_s:.0f}; a coil, "
          f"with its test and its floor: {each_s:.1f}")  # fmt: skip


def main() -> None:
    """Work through what was asked for."""
    options = arguments().parse_args()
    parts = [part for part in PARTS if options.all or getattr(options, part)]
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    changes: dict[str, object] = {
        "specimens": {"mesh": options.mesh},
        "training": {"epochs": options.epochs},
    }
    campaign = load(Campaign, CAMPAIGN, changes)
    if not parts or set(parts) & NEED_THE_NETWORK:
        model, identifier = amortised(options, changes)
        answerers = {
            "network": by_network(model, campaign),
            "by the engine": by_engine(identifier),
        }
        if "refined" in parts:
            print("\nby the engine, given values known:")
            refined.report(refined.asked(campaign, answerers["by the engine"], options.coils),
                           "by the engine")  # fmt: skip
        if "surrogate" in parts:
            _surrogate(campaign, identifier, options.coils)
        if "wrong" in parts:
            wrong.compare(answerers, campaign, options.coils)
        if "outside" in parts:
            alloys.outside(campaign, identifier)
        for who, ask in answerers.items():
            if "curves" in parts:
                curves.compare(who, ask, campaign, options.coils)
            if "alloys" in parts:
                alloys.identify(who, ask, campaign)
    if "exponent" in parts:
        print("\nexponent unknown, two geometries:")
        specimens = {**TWO_GEOMETRIES["specimens"], "mesh": options.mesh}  # type: ignore[dict-item]
        both: dict[str, object] = {**changes, **TWO_GEOMETRIES, "specimens": specimens}
        _, identifier = amortised(options, both)
        print("\nby the engine, E known:")
        answers = refined.asked(identifier.campaign, by_engine(identifier), options.coils)
        refined.report(answers, "two geometries, by the engine")


def arguments() -> argparse.ArgumentParser:
    """How much to simulate, and what to show."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--records", type=int, default=4800)
    parser.add_argument("--test", type=int, default=400)
    parser.add_argument("--mesh", default="coarse")
    parser.add_argument("--epochs", type=int, default=250)
    parser.add_argument("--sheets", type=int, default=60, help="at which the floor is worked out")
    parser.add_argument("--coils", type=int, default=12, help="of --refined, --wrong and --curves")
    parser.add_argument("--cache", type=Path, default=Path("benchmarks/.cache/family"))
    parser.add_argument("--all", action="store_true", help="all of the following")
    for part in PARTS:
        parser.add_argument(f"--{part}", action="store_true")
    return parser


if __name__ == "__main__":
    main()
