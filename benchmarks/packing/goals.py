"""The goals of benchmarks.scale, and what was reached beside them."""

from statistics import median
from typing import Any, NamedTuple

STEPS = ("packing", "hashing", "epoch", "evaluation")
GROWTH, MOVED = 1.2, 2.5
SLOWER = {"packing": 1.3, "epoch": 1.1}
TENTH = 1.3


class Goal(NamedTuple):
    """A figure that shall be no larger than so much."""

    name: str
    value: float
    most: float

    @property
    def met(self) -> bool:
        """Whether it is."""
        return self.value <= self.most


def of_sizes(many: list[dict[str, Any]]) -> list[Goal]:
    """Compare costs a record, memory and bytes moved; many: sizes in ascending order."""
    goals = []
    for name in STEPS:
        costs = [one["us_a_record"][name] for one in many]
        goals.append(Goal(f"{name}: dearest record over the smallest size's",
                          max(costs) / costs[0], GROWTH))  # fmt: skip
    peaks = [max(one["steps"][name]["anonymous_mb"] for name in STEPS) for one in many]
    goals.append(Goal("peak anonymous memory over the smallest's", max(peaks) / peaks[0], GROWTH))
    for way in ("read", "written"):
        worst = max(one[f"{way}_over_size"] for one in many)
        goals.append(Goal(f"bytes {way} to pack over the dataset's size", worst, MOVED))
    return goals


def of_limit(ratios: dict[str, float], memory: str) -> list[Goal]:
    """Compare seconds in so little memory with those without a limit."""
    return [Goal(f"{name} in {memory} over without a limit", ratio, SLOWER[name])
            for name, ratio in ratios.items()]  # fmt: skip


def of_rounds(costs: list[float]) -> list[Goal]:
    """Compare the last of ten rounds with the second."""
    return [Goal("tenth round over second", costs[-1] / costs[1], TENTH)]


def of_kills(killed: int, same: bool) -> list[Goal]:
    """Say in how many files, per cent, those of a killed run differ: 0 or 100."""
    return [Goal(f"killed {killed} times: files that differ", 0.0 if same else 100.0, 0.0)]


def ratios_of(turns: list[dict[str, Any]], clock: str) -> list[float]:
    """Seconds with a limit over those without, turn by turn."""
    return [one["limited"][clock] / one["free"][clock] for one in turns]


def limit_lines(
    records: str,
    mib: str,
    packing: tuple[dict[str, float], dict[str, float]],
    turns: list[dict[str, Any]],
) -> list[str]:
    """Lay out what a limit costs; packing: without it and within it."""
    lines = []
    for clock in ("wall", "CPU"):
        without, within = (one[clock] for one in packing)
        line = f"{records} records, {clock} s: packing {without:.1f}, in {mib} MiB {within:.1f}"
        if turns:
            free = median(one["free"][clock] for one in turns)
            ratios = " ".join(f"{one:.2f}" for one in sorted(ratios_of(turns, clock)))
            line += f"; epoch {free:.2f}, in {mib} MiB times {ratios}"
        lines.append(line)
    return lines
