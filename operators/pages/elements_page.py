"""What the Elements tab of a task shows: squares by state, failures by cause, one element.

A square stands for one element, or for several where there are more than fit on a page: the
answer's size is bounded whatever the array's.
"""

from collections.abc import Mapping
from typing import Any

from operators.array.report import ranges
from operators.pages.array_view import STATES, ArrayView

SQUARES = 2_500
GROUPS = 20
SAID = 600


def elements_document(view: ArrayView, first: int = 0, last: int | None = None) -> dict[str, Any]:
    """Squares for the elements from `first` to `last`, and all that concerns the whole array.

    `squares` is a letter each where a square is one element, else counts in the order of `states`.
    """
    whole = len(view.states)
    end = whole if last is None else min(last + 1, whole)
    begin = max(0, min(first, end))
    shown = view.states[begin:end]
    size = max(1, -(-len(shown) // SQUARES))
    counts = {letter: view.states.count(letter.encode()) for letter in STATES}
    return {
        "array": True,
        "job": view.job,
        "elements": whole,
        "counts": counts,
        "states": STATES,
        "first": begin,
        "size": size,
        "squares": _letters(shown) if size == 1 else _counted(shown, size),
        "failures": failures(view.causes),
        "waits": sorted(set(view.waits.values()))[:GROUPS],
        "names": list(view.names)[:SQUARES],
        "submissions": len(view.records),
        "trouble": view.trouble,
    }


def failures(causes: Mapping[int, str]) -> list[dict[str, Any]]:
    """Group what failed by its cause, the most frequent first."""
    groups: dict[str, list[int]] = {}
    for element, cause in sorted(causes.items()):
        groups.setdefault(cause, []).append(element)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))[:GROUPS]
    return [
        {
            "cause": cause[:SAID],
            "count": len(members),
            "elements": ranges(members),
            "first": members[0],
        }
        for cause, members in ordered
    ]


def _letters(states: bytes) -> list[str]:
    return list(states.decode())


def _counted(states: bytes, size: int) -> list[str]:
    letters = STATES.encode()
    chunks = (states[start : start + size] for start in range(0, len(states), size))
    return [",".join(str(chunk.count(letter)) for letter in letters) for chunk in chunks]
