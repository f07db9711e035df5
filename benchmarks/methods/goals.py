"""What the accuracy benchmark promises, and what it found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.methods.protocols import ALONE, FORCES, MEAN, PROBABLE

PAPER = 38.6
"""The case study's error, x 10^-3: other FEM model, other data, other number of records."""
WELL_IDENTIFIED = 0.98
"""R2 at the Bayes floor, from which on a parameter counts as well identified."""
R2_OF_FEW = 0.957

Found = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure and what it should be below (<) or above (>)."""

    claim: str
    found: float
    sign: str
    limit: float

    @property
    def met(self) -> bool:
        """Whether it holds."""
        return self.found < self.limit if self.sign == "<" else self.found > self.limit


def goals_of(found: Found) -> Iterator[Goal]:
    """Yield all that can be said of what was run."""
    if "A" in found:
        best, error = _best(found["A"]["scores"])
        yield Goal(f"A: best method ({best}), against the paper's", error, "<", PAPER)
        yield Goal(f"A: best method ({best})", error, "<", 4)
    if "B" in found:
        yield from _goals_b(found["B"]["views"])
    if "C" in found:
        c = found["C"]
        count = list(c["scores"])[-1]
        ratio = c["scores"][count][MEAN]["error"] / c["floor"]["error"]
        yield Goal(f"C: {MEAN}, {count} fine records, over the floor", ratio, "<", 1.5)
    for alloy, one in found.get("D", {}).get("alloys", {}).items():
        errors = one["ways"]["refinement"]
        yield Goal(f"D: {alloy}, largest error of r", errors["r_value"], "<", 0.03)
        yield Goal(
            f"D: {alloy}, largest error of a stress ratio", errors["stress_ratio"], "<", 0.01
        )


def _goals_b(views: Found) -> Iterator[Goal]:
    for name in (FORCES, ALONE):
        view = views[name]
        if "floor" not in view:
            continue
        few, many = (list(view["curves"].items())[place] for place in (0, -1))
        best, error = _best(many[1])
        ratio = error / view["floor"]["error"]
        records = f"{int(many[0]):,} records, {name}"
        yield Goal(f"B: {best}, {records}, over the floor", ratio, "<", 1.1)
        if cnn := many[1].get("the paper's CNN"):
            ratio = cnn["error"] / view["floor"]["error"]
            yield Goal(f"B: the paper's CNN, {records}, over the floor", ratio, "<", 2)
        best, _ = _best(few[1])
        well = [
            r2
            for r2, least in zip(few[1][best]["r2"], view["floor"]["r2"], strict=True)
            if least > WELL_IDENTIFIED
        ]
        if well:
            claim = f"B: {best}, {few[0]} records, {name}, least R2 of {len(well)} well identified"
            yield Goal(claim, min(well), ">", R2_OF_FEW)
        for method in (MEAN, PROBABLE):
            if method in many[1]:
                shares = [100 * share for share in many[1][method]["coverage"]]
                claim = f"B: {method}, {records}, % covered by 90 % intervals"
                yield Goal(f"{claim}, least", min(shares), ">", 87)
                yield Goal(f"{claim}, most", max(shares), "<", 93)


def _best(scores: Found) -> tuple[str, float]:
    errors = {name: score["error"] for name, score in scores.items()}
    best = min(errors, key=lambda name: float(errors[name]))
    return best, errors[best]
