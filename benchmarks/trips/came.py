"""What came back of a series, compared with the truth: lines of a file, rows of a table, sums."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.identification.nuisances.examine import Examined

HALF_90 = 1.645
GOAL_R, GOAL_STRESS = 0.03, 0.01


@dataclass(frozen=True, slots=True)
class Came:
    """One series, by quantity: what is missed by how much, deviation and floor."""

    case: str
    layout: str
    seed: int
    misses: dict[Quantity, float]
    deviations: dict[Quantity, float]
    floors: dict[Quantity, float]
    rms: float
    words: str
    seconds: tuple[float, float]  # of the import, and of the examination
    refused: str = ""

    @classmethod
    def of(
        cls,
        series: tuple[str, str, int],
        true: dict[Quantity, float],
        found: Examined,
        seconds: tuple[float, float],
    ) -> "Came":
        """Compare an examined answer with the truth; series is case, layout and seed."""
        told = found.examination
        suspects = "; ".join(
            f"{one.words} ({one.probability:.2f}, {one.sigmas:.1f} sigma)"
            for one in told.suspects[:2]
        )
        return cls(
            *series,
            misses={name: value - true[name] for name, (value, _) in told.quantities.items()},
            deviations={name: deviation for name, (_, deviation) in told.quantities.items()},
            floors=dict(found.floors),
            rms=told.rms,
            words=suspects or "-",
            seconds=seconds,
        )

    @classmethod
    def not_answered(cls, series: tuple[str, str, int], reason: str) -> "Came":
        """Note a series that was refused."""
        return cls(*series, {}, {}, {}, float("nan"), "", (0.0, 0.0), refused=reason)

    @property
    def key(self) -> tuple[str, str, int]:
        """Sheet, layout and seed."""
        return self.case, self.layout, self.seed

    def met(self, quantity: Quantity) -> bool:
        """Whether one quantity is as near as the goal, or its floor, asks."""
        goal = GOAL_R if quantity.startswith("r_value") else GOAL_STRESS
        return abs(self.misses[quantity]) <= max(goal, HALF_90 * self.floors[quantity])

    def covered(self, quantity: Quantity) -> bool:
        """Whether the 90 % interval holds the truth."""
        return abs(self.misses[quantity]) <= HALF_90 * self.deviations[quantity]

    def worst(self, start: str) -> str:
        """Largest miss of a kind of quantity, half its interval and its floor."""
        names = [name for name in self.misses if name.startswith(start)]
        name = max(names, key=lambda one: abs(self.misses[one]))
        return (
            f"{self.misses[name]:+.3f} | {HALF_90 * self.deviations[name]:.3f} | "
            f"{HALF_90 * self.floors[name]:.3f}"
        )

    def row(self) -> str:
        """Return a line of the table."""
        start = f"| {self.case} | {self.layout} | {self.seed} | "
        if self.refused:
            return f"{start}refused: {self.refused} |"
        met = "yes" if all(map(self.met, self.misses)) else "**no**"
        held = sum(map(self.covered, self.misses))
        return (
            f"{start}{self.worst('r_value')} | {self.worst('stress')} | {met} | "
            f"{held}/{len(self.misses)} | {self.rms:.2f} | {self.words} |"
        )


HEAD = (
    "| sheet | layout | seed | error of r | +- | floor | error of stress | +- | floor | met | "
    "covered | rms | examined |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def totals(rows: Iterable[Came]) -> str:
    """Sum up: series whose every quantity meets the goal, and the share of intervals that hold."""
    every = list(rows)
    done = [one for one in every if not one.refused]
    met = sum(all(map(one.met, one.misses)) for one in done)
    quantities = [(one, name) for one in done for name in one.misses]
    near = sum(one.met(name) for one, name in quantities)
    within = sum(
        abs(one.misses[name]) <= (GOAL_R if name.startswith("r_value") else GOAL_STRESS)
        for one, name in quantities
    )
    held = sum(one.covered(name) for one, name in quantities)
    count = max(len(quantities), 1)
    scores = [one.misses[name] / one.deviations[name] for one, name in quantities]
    if not done:
        return f"none of {len(every)} series was answered"
    seconds = np.mean([one.seconds for one in done], axis=0)
    return (
        f"{met} of {len(every)} series have all values within the goal or the floor: "
        f"{near / count:.1%} of their {count} values, {within / count:.1%} within the goal itself; "
        f"90 % intervals hold {held / count:.1%} of them (errors are "
        f"{np.sqrt(np.mean(np.square(scores))):.2f} deviations rms); {len(every) - len(done)} "
        f"series were not answered. A series was imported in {seconds[0]:.1f} s and examined in "
        f"{seconds[1]:.1f} s of processor time"
    )


def keep(row: Came, path: Path) -> None:
    """Append a series to a file of JSON lines; a line that a kill cut off is ended first."""
    cut_off = path.exists() and not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0
    with path.open("a") as file:
        file.write("\n" * cut_off + json.dumps(asdict(row)) + "\n")


def kept(path: Path) -> list[Came]:
    """Read the series of such a file; a line that a kill cut off is left out."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            found.append(Came(**json.loads(line)))
        except json.JSONDecodeError:
            continue
    return found
