"""One network for a family of sheets: its errors over the floor, and what it does with real coils.

    python -m benchmarks.family [--records 4800] [--test 400] [--mesh coarse] [--epochs 250]
                 [--all | --refined | --surrogate | --wrong | --curves | --alloys | --outside
                  | --exponent] [--minutes M] [--fresh]

Records are simulated once and kept below --cache, and answers beside them: a run that was cut, or
ended by --minutes, goes on where it was. After a change of the code, --fresh asks again. The floor
is the Cramer-Rao bound with the box's covariance as prior, at sheets of the test set, whose output
times are their own. Every goal is printed beside what was reached, met or not. Without a flag: the
network's errors over the floor, coverage and the curve, exponent and E given; --refined: the same
of what the engine makes of fresh sheets, which is what a campaign reports; --surrogate: of what the
surrogate alone makes of them, and what that costs; --alloys: the sheets that ship, by one lookup
and as a campaign reports them; --exponent: a second geometry, the exponent unknown.
"""

import argparse
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from benchmarks.families import alloys, curves, refined, wrong
from benchmarks.families.amortised import floor_of, report
from benchmarks.families.coils import (
    Answerer,
    by_campaign,
    by_engine,
    by_network,
    by_surrogate,
    remembered,
)
from benchmarks.families.goals import judged
from benchmarks.families.records import run_of, simulated
from benchmarks.kept import Kept
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
UPDATING = 80  # simulations of a coil's FEM updating
COILS = (10, 100, 1000)
TRAINING = "benchmark"
PARTS = ("refined", "surrogate", "wrong", "curves", "alloys", "outside", "exponent")


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


@dataclass(eq=False)
class Prepared:
    """A family's records, laid out as a run; network and surrogate are made when asked for."""

    campaign: Campaign
    run: RunFolder[Path]
    records: int
    tests: int
    kept: Kept  # what was answered so far

    @classmethod
    def of(cls, options: argparse.Namespace, changes: dict[str, object]) -> "Prepared":
        """Simulate what is not in the cache."""
        campaign = load(Campaign, CAMPAIGN, changes)
        train = simulated(options.cache, campaign, options.records, test=False)
        test = simulated(options.cache, campaign, options.test, test=True, first=options.first)
        run = run_of(options.cache, campaign, train, test, options.first)
        path = run.root / "answers.json"
        if options.fresh:
            path.unlink(missing_ok=True)
        kept = Kept(path, options.minutes)
        print(f"{len(train)} records on mesh '{options.mesh}', {len(kept.found)} answers kept")
        return cls(campaign, run, len(train), len(test), kept)

    @cached_property
    def model(self) -> TrainedModel:
        """The network."""
        return trained(self.run, self.campaign)

    @cached_property
    def identifier(self) -> FamilyIdentifier:
        """The surrogate."""
        return FamilyIdentifier.of(self.run)

    @cached_property
    def calibrated(self) -> FamilyIdentifier:
        """The surrogate with the factors by which its intervals are widened."""
        self.identifier.widen_by(self.kept.once("factors", self.identifier.factors))
        return self.identifier

    @cached_property
    def unwidened(self) -> FamilyIdentifier:
        """The surrogate for whom the engine answers: its own intervals count for nothing."""
        found = FamilyIdentifier.of(self.run)
        found.widen_by({})
        return found

    def asked(self, who: str) -> Answerer:
        """Who answers: "network", "surrogate", "engine", freed of its mesh, or "campaign"."""
        ask = {
            "network": lambda one: by_network(self.model, self.campaign)(one),
            "surrogate": lambda one: by_surrogate(self.calibrated)(one),
            "engine": lambda one: by_engine(self.identifier)(one),
            "engine, freed of its mesh": lambda one: by_campaign(
                self.unwidened, alloys.REFINEMENT, examine=False
            )(one),
            "campaign": lambda one: by_campaign(self.unwidened, alloys.REFINEMENT)(one),
        }[who]
        return remembered(self.kept, who, ask)


def amortised(prepared: Prepared, sheets: int, first: int) -> None:
    """Train, and compare the network with the floor at so many sheets."""
    campaign, model = prepared.campaign, prepared.model
    examples = test_examples(open_dataset(prepared.run, campaign.training.validation_fraction))
    bound = sensitivities(campaign, sheets, first=first)
    for what, known, seen in (
        ("given values known", given_exactly(campaign), examples),
        ("nothing known", {}, with_nothing_known(examples)),
    ):
        print(f"\nthe network, one lookup, {what}:")
        floor = floor_of(bound, known, examples, model.targets)
        report(model, campaign, seen, floor, prepared.records)
    if "exponent" in model.targets:
        expected = medians(bound.deviations(given_exactly(campaign)))
        judged("sigma_b, expected SD", expected["stress_ratio_biaxial"], BIAXIAL_GOAL)
        judged("exponent, expected SD", expected["exponent"], EXPONENT_GOAL)
    assert examples.known is not None
    asked = (examples.strains[:1], examples.forces[:1], examples.known[:1])
    begun = time.perf_counter()
    model.predict(*asked)
    lookup_s = time.perf_counter() - begun
    _speedup(bound.record_s, prepared.records + prepared.tests, lookup_s)


def _speedup(record_s: float, records: int, lookup_s: float) -> None:
    """Print ratios of total costs; training, minutes on one machine, is not among them."""
    sought_s = UPDATING * record_s
    print(f"\na new coil: {1e3 * lookup_s:.1f} ms by the network, {sought_s:.1f} s by FEM updating")
    for coils in COILS:
        ratio = coils * sought_s / (records * record_s + coils * lookup_s)
        print(f"{coils} coils: FEM updating costs {ratio:.2f} times the family's simulations")


def _surrogate(prepared: Prepared, coils: int) -> None:
    """Print what the surrogate alone answers, and what a coil costs by it."""
    campaign = prepared.campaign
    print("\nby the surrogate alone, given values known:")
    begun = time.process_time()
    prepared.identifier.surrogate(campaign.noise)
    fitted_s, begun = time.process_time() - begun, time.process_time()
    assert prepared.calibrated
    widened_s, begun = time.process_time() - begun, time.process_time()
    print(f"fitted in {fitted_s:.0f} core-seconds, intervals widened in {widened_s:.0f} (0: kept)",
          flush=True)  # fmt: skip
    found = refined.asked(campaign, prepared.asked("surrogate"), coils)
    each_s = (time.process_time() - begun) / max(len(found), 1)
    refined.report(found, "by the surrogate")
    print(f"a coil, with its test and its floor: {each_s:.1f} core-seconds (less: it was kept)")


def main() -> None:
    """Work through what was asked for."""
    options = arguments().parse_args()
    parts = [part for part in PARTS if options.all or getattr(options, part)]
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    changes: dict[str, object] = {
        "specimens": {"mesh": options.mesh},
        "training": {"epochs": options.epochs},
    }
    if set(parts) != {"exponent"}:
        family = Prepared.of(options, changes)
        if not parts or options.all:
            amortised(family, options.sheets, options.first)
        _work_through(parts, family, options)
    if "exponent" in parts:
        print("\nexponent unknown, two geometries:")
        specimens = {**TWO_GEOMETRIES["specimens"], "mesh": options.mesh}  # type: ignore[dict-item]
        both = Prepared.of(options, {**changes, **TWO_GEOMETRIES, "specimens": specimens})
        if not options.no_network:
            amortised(both, options.sheets, options.first)
        print("\nby the engine, E known:")
        answers = refined.asked(both.campaign, both.asked("engine"), options.coils)
        refined.report(answers, "two geometries, by the engine")


def _work_through(parts: Sequence[str], family: Prepared, options: argparse.Namespace) -> None:
    """Print the parts that ask about the family's own coils."""
    campaign = family.campaign
    who = ["engine"] if options.no_network else ["network", "engine"]
    if "refined" in parts:
        print("\nby the engine, given values known:")
        answers = refined.asked(campaign, family.asked("engine"), options.coils)
        refined.report(answers, "by the engine")
    if "surrogate" in parts:
        _surrogate(family, options.coils)
    if "wrong" in parts:
        wrong.compare({one: family.asked(one) for one in who}, campaign, options.coils)
    if "outside" in parts:
        alloys.outside(campaign, family.identifier, family.kept)
    if "curves" in parts:
        for one in who:
            curves.compare(one, family.asked(one), campaign, options.curve_sheets)
    if "alloys" in parts:
        for one, names, draws in (
            ("network", alloys.INSIDE, 0 if options.no_network else options.draws),
            ("engine, freed of its mesh", alloys.SHIPPED, options.draws),
            ("campaign", alloys.SHIPPED, options.examined),
        ):
            if draws:
                alloys.identify(one, family.asked(one), campaign, names, draws)


def arguments() -> argparse.ArgumentParser:
    """How much to simulate, and what to show."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--records", type=int, default=4800)
    parser.add_argument("--test", type=int, default=400)
    parser.add_argument("--first", type=int, default=0, help="test sheet, so that others are fresh")
    parser.add_argument("--mesh", default="coarse")
    parser.add_argument("--epochs", type=int, default=250)
    parser.add_argument("--sheets", type=int, default=60, help="at which the floor is worked out")
    parser.add_argument(
        "--coils", type=int, default=12, help="of --refined, --surrogate, --wrong, --exponent"
    )
    parser.add_argument("--curve-sheets", type=int, default=6, help="of --curves: ten answers each")
    parser.add_argument("--draws", type=int, default=5, help="of --alloys: of the noise")
    parser.add_argument(
        "--examined", type=int, default=1, help="of --alloys: draws whose answers are examined too"
    )
    parser.add_argument("--minutes", type=float, help="begin no answer after so many")
    parser.add_argument("--fresh", action="store_true", help="ask again what was answered before")
    parser.add_argument("--no-network", action="store_true", help="engine and campaign alone")
    parser.add_argument("--cache", type=Path, default=Path("benchmarks/.cache/family"))
    parser.add_argument("--all", action="store_true", help="the network and all of the following")
    for part in PARTS:
        parser.add_argument(f"--{part}", action="store_true")
    return parser


if __name__ == "__main__":
    main()
