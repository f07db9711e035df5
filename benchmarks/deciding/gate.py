"""The gate over made-up comparisons: whom it promotes, by how many sealed records."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.deciding.goals import say
from benchmarks.kept import Kept
from hpc_jobs.contract.gate import Comparison, Contestant, Gate, SealedSet, SheetAnswers
from hpc_jobs.dataset.sealed import draws_of
from operators.promotion.gate import decide

FloatArray = NDArray[np.float64]

HARDNESS, DRAW = 0.6, 0.45
"""Of losses' logarithms: between records, and between draws of noise on one, for every network."""
SKILL, NOISE, LUCK = 0.16, 0.14, 0.05
"""The same, but each network's own: at a record, at a draw, at a sheet. Two of 4,311 records, from
one seed and trained for 60 and 150 epochs, have .13 and .10."""
SIZES = (300, 500, 1000, 2000, 4000)
COMPARISONS = 1000
SHEETS = 5
"""Measured ones, at which a challenger must be no worse."""
SHEET_DRAWS = 200


def lognormal(random: np.random.Generator, spread: float, *shape: int) -> FloatArray:
    """Draw numbers of mean one whose logarithms have that standard deviation."""
    return np.asarray(np.exp(spread * random.standard_normal(shape) - spread**2 / 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Sealed records with their draws of noise, and sheets with theirs: as hard for everybody."""

    sealed: FloatArray  # (records, draws)
    sheets: FloatArray  # (SHEETS, SHEET_DRAWS)

    @classmethod
    def drawn(cls, random: np.random.Generator, records: int, draws: int) -> "Records":
        """Make them up."""
        hard = lognormal(random, HARDNESS, records, 1) * lognormal(random, DRAW, records, draws)
        return cls(sealed=hard, sheets=lognormal(random, DRAW, SHEETS, SHEET_DRAWS))


def network(
    random: np.random.Generator, records: Records, error: float, sheets: FloatArray, sha: str
) -> Contestant:
    """Make a network up; sheets (SHEETS,): how much worse it is at each of them than on average.

    Where it is good and where it has luck is its own, as after another training.
    """
    count, draws = records.sealed.shape
    own = lognormal(random, SKILL, count, 1) * lognormal(random, NOISE, count, draws)
    losses = error * (records.sealed * own).mean(1)
    at = lognormal(random, LUCK, SHEETS, 1) * lognormal(random, NOISE, SHEETS, SHEET_DRAWS)
    there = error * sheets[:, None] * records.sheets * at
    answers = {f"sheet{k}": SheetAnswers(losses=tuple(one.tolist())) for k, one in enumerate(there)}
    return Contestant(
        run_id="run",
        model="mlp",
        sha256=sha * 64,
        losses=tuple(losses.tolist()),
        covered={"MP1": int(random.binomial(count, 0.9))},
        level=0.9,
        asked_admissible=count,
        admissible=count,
        answers_per_s=float(1e4 * np.exp(0.1 * random.standard_normal())),
        sheets=answers,
    )


def promoted(kind: str, records: int, count: int, draws: int | None = None) -> float:
    """Share of comparisons of a kind that end in a promotion; draws: else as sets are sealed."""
    draws = draws or draws_of(records)
    error = {"better": 0.95, "worse": 1.05, "one sheet": 0.95}.get(kind, 1.0)
    sheets = np.ones(SHEETS)
    if kind == "one sheet":
        sheets[2] = 2.0
    taken = 0
    for seed in range(count):
        random = np.random.default_rng([seed, records])
        asked = Records.drawn(random, records, draws)
        old = network(random, asked, 0.02, np.ones(SHEETS), "a")
        new = network(random, asked, 0.02 * error, sheets, "b")
        foreign = kind == "other test set"
        comparison = Comparison(
            validation="v",
            sealed=SealedSet(
                question="0" * 16, version=1, sha256="c" * 64, records=records, draws=draws,
                source="run", targets=("MP1",), mean_loss=1.0,
            ),
            challenger=new,
            champion=None if foreign else old,
            not_comparable="it was tested on other records" if foreign else "",
            noise_seed=0,
        )  # fmt: skip
        taken += decide(comparison, Gate(require_validation=False), None).promoted
    return taken / count


def gate(count: int, kept: Kept) -> None:
    """Print how often the gate errs."""
    print(
        f"gate: {count} comparisons each; networks' own: {SKILL} a record, {NOISE} a draw of noise"
    )

    def share(kind: str, records: int, draws: int | None = None) -> float:
        name = f"{kind} {records} {draws or draws_of(records)} {count} {SKILL} {NOISE}"
        return float(kept.once(name, partial(promoted, kind, records, count, draws)))

    alone = share("better", SIZES[0], 1)
    print(f"  {SIZES[0]} test records, one draw: 5 % better is promoted in {alone:.1%}")
    for records in SIZES:
        power, draws = share("better", records), draws_of(records)
        print(f"  {records} test records, {draws} draws: 5 % better is promoted in {power:.1%}")
        if power > 0.9:
            break
    say("true promotion of 5 % better", power, lambda x: x > 0.9, f"> 90 % ({records} records)")
    # By as many records as true promotions take, and so are sealed
    for kind in ("equal", "worse", "one sheet", "other test set"):
        say(f"false promotion, {kind}, {records} records, {draws_of(records)} draws",
            share(kind, records), lambda x: x < 0.01, "< 1 %")  # fmt: skip
