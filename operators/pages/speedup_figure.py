"""The figure of a campaign's effective speedups: an SVG, which the control host draws itself."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from hpc_jobs.contract.speedup import Costs

Report = Mapping[str, Any]

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 40, 300
MOST = 7  # decades of lookups
INK, FAINT, EDGE = "#1d2733", "#5d6b7a", "#9aa5b1"  # as hpc_jobs.figure_style has them
COLOURS = {"network": "#2166ac", "refinement": "#e08214", "surrogate": "#5aae61"}
LABELS = {
    "network": "network for FEM updating",
    "refinement": "refinement for FEM updating",
    "surrogate": "surrogate for one simulation",
}


def draw_speedups(found: Report) -> str:
    """Return an SVG: S against the number of lookups, log-log, break-evens marked."""
    from jinja2 import Environment, PackageLoader

    curves = {name: _costs(answer) for name, answer in found["answers"].items()}
    values = [costs.effective_speedup(10**n) for costs in curves.values() for n in range(MOST + 1)]
    low = math.floor(math.log10(min(1.0, *values)))
    high = math.ceil(math.log10(max(10.0, *values)))
    scale = _Scale(low, high)
    template = Environment(loader=PackageLoader("operators.pages"), autoescape=True).get_template(
        "speedup.svg.j2"
    )
    return template.render(
        width=WIDTH, height=HEIGHT, left=LEFT, right=WIDTH - RIGHT, top=TOP, bottom=BOTTOM,
        ink=INK, faint=FAINT, edge=EDGE, scale=scale, decades=range(MOST + 1),
        powers=range(low, high + 1), curves=list(_curves(curves, scale)),
    )  # fmt: skip


class _Scale:
    """Decades to pixels."""

    def __init__(self, low: int, high: int) -> None:
        self._low, self._high = low, high

    def x(self, decade: float) -> float:
        return round(LEFT + (WIDTH - RIGHT - LEFT) * decade / MOST, 1)

    def y(self, decade: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (decade - self._low) / (self._high - self._low), 1)


def _curves(curves: Mapping[str, Costs], scale: _Scale) -> Iterator[dict[str, Any]]:
    for name, costs in curves.items():
        steps = [MOST * step / 70 for step in range(71)]
        points = [(scale.x(d), scale.y(_decades(costs, 10**d))) for d in steps]
        even = costs.break_even
        shown = not math.isinf(even) and even <= 10**MOST
        decade = math.log10(max(even, 1)) if shown else 0.0
        yield {
            "label": LABELS[name],
            "colour": COLOURS[name],
            "points": " ".join(f"{x},{y}" for x, y in points),
            "end": points[-1],
            "even": (scale.x(decade), scale.y(_decades(costs, even)), int(even)) if shown else None,
        }


def _decades(costs: Costs, lookups: float) -> float:
    return math.log10(costs.effective_speedup(round(lookups)))


def _costs(answer: Report) -> Costs:
    names = ("sequential_s", "lookup_s", "train_s", "learn_s", "train_records")
    return Costs(**{name: answer[name] for name in names})
