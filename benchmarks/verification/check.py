"""One line of the report: a reference, where it is from, what we get, and whether that is met."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A reference against our value; deviation and tolerance are relative if `relative`."""

    group: str
    name: str
    source: str
    expected: float
    found: float
    tolerance: float
    relative: bool = False
    digits: int = 4  # after the point, of the reference as it is printed

    @property
    def deviation(self) -> float:
        """Found minus expected, or that over expected."""
        difference = self.found - self.expected
        return difference / abs(self.expected) if self.relative else difference

    @property
    def met(self) -> bool:
        """Whether the deviation is within the tolerance; nan is not."""
        return abs(self.deviation) <= self.tolerance

    @property
    def cells(self) -> tuple[str, ...]:
        """What the table's row says."""
        return (
            self.name,
            self.source,
            number(self.expected, self.digits),
            number(self.found, self.digits + 1),
            measure(self.deviation, self.relative),
            measure(self.tolerance, self.relative),
            "met" if self.met else "**MISSED**",
        )


HEADINGS = ("reference", "source", "value", "ours", "deviation", "tolerance", "")


def number(value: float, digits: int) -> str:
    """Print as a reference is printed; 0 is the target of an error, which is printed small."""
    return f"{value:.{digits}f}" if value == 0 or abs(value) >= 0.01 else f"{value:.1e}"


def measure(value: float, relative: bool) -> str:
    """Print a deviation: per cent if relative."""
    if relative:
        return f"{100 * value:.3g} %"
    return f"{value:.1e}"


def table(checks: Sequence[Check]) -> str:
    """Lay checks of one group out as Markdown."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *(check.cells for check in checks)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def grouped(checks: Sequence[Check]) -> dict[str, list[Check]]:
    """Group checks by their group, in the order of first appearance."""
    groups: dict[str, list[Check]] = {}
    for check in checks:
        groups.setdefault(check.group, []).append(check)
    return groups
