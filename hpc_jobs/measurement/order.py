"""Frames in the order of their test: which are of another moment, and which are not there.

A specimen that is pulled stretches. One picture of another moment (a copy, two that changed places)
would silently shift every moment after it, since moments are found by the stretch; a picture that
is missing from the numbering shifts all later times.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput

Values = NDArray[np.float64]

SCATTER = 6.0  # deviations of the unloaded frames' extensions that are no change
SLACK = 3e-3  # of the largest extension, likewise
LEAP = 1.3  # usual steps beyond what was reached, from where a frame has leapt ahead
MOST_LEFT_OUT = 0.1  # of the frames may be broken, or begin a run that is of another moment


def in_order(extensions: Values, names: Sequence[str], unloaded: int) -> tuple[Values, list[str]]:
    """Extensions (frames,) mm with NaN where a frame is of another moment, and notes that say so.

    What follows the largest extension, such as a specimen that has torn, is left as it is. Raises
    BadInput where many frames are out of order.
    """
    known = np.flatnonzero(np.isfinite(extensions))
    known = known[: _peak(extensions[known]) + 1]
    values = extensions[known]
    still = extensions[:unloaded][np.isfinite(extensions[:unloaded])]
    scatter = SCATTER * float(np.std(still)) if len(still) > 1 else 0.0
    wrong = known[~_on_the_way(values, max(scatter, SLACK * float(np.ptp(values))))]
    if not len(wrong):
        return extensions, []
    runs = np.split(wrong, np.flatnonzero(np.diff(wrong) > 1) + 1)
    if len(runs) > max(2, MOST_LEFT_OUT * len(known)) or 2 * len(wrong) > len(known):
        raise BadInput(
            f"{len(wrong)} of {len(known)} frames show the specimen stretched more or less than "
            f"those around them, such as {names[wrong[0]]}; put the frames in the order of the "
            "test, each once"
        )
    notes = []
    for run in runs:
        before, after = known[known < run[0]], known[known > run[-1]]
        around = " and ".join(f"{extensions[i]:.3g}" for i in (*before[-1:], *after[:1]))
        many = len(run) > 1
        to = f" to {names[run[-1]]}" if many else ""
        why = "the specimen was unloaded, or they are" if many else "it is"
        notes.append(
            f"{names[run[0]]}{to} left out: the specimen is stretched by {extensions[run[0]]:.3g} "
            f"mm there, and by {around} mm around it: {why} of another moment"
        )
    found = extensions.copy()
    found[wrong] = np.nan
    return found, notes


def counted(names: Sequence[str]) -> tuple[Values, list[str]]:
    """Place of each frame in the camera's count, from 0, by the number in its name, and notes.

    Where names do not count, or leave none out, the places are 0, 1, 2 ...
    """
    plain = np.arange(len(names), dtype=np.float64)
    parts = [re.split(r"(\d+)", name) for name in names]
    if len({len(part) for part in parts}) != 1 or len(names) < 3:
        return plain, []
    changing = [i for i in range(len(parts[0])) if len({part[i] for part in parts}) > 1]
    if len(changing) != 1 or changing[0] % 2 == 0:
        return plain, []
    numbers = np.array([int(part[changing[0]]) for part in parts], dtype=np.float64)
    steps = np.diff(numbers)
    step = float(np.median(steps))
    if step <= 0 or (steps <= 0).any() or (steps % step).any() or (steps == step).all():
        return plain, []
    places = (numbers - numbers[0]) / step
    at = int(np.argmax(steps > step))
    gone = int(places[-1]) + 1 - len(names)
    return places, [
        f"{gone} of the numbered frames are not there, the first after {names[at]}: counted as "
        "taken"
    ]


def _peak(values: Values) -> int:
    """Last place of the largest value, of medians of three: one frame makes no peak."""
    if len(values) < 3:
        return len(values) - 1
    ends = np.concatenate((values[:1], values, values[-1:]))
    smooth = np.median(np.stack((ends[:-2], ends[1:-1], ends[2:])), axis=0)
    return int(len(smooth) - 1 - np.argmax(smooth[::-1]))


def _on_the_way(values: Values, slack: float) -> NDArray[np.bool_]:
    """Which (n,) values are on the way up: reached first, and not left again at once.

    A value below what was reached before is a picture of an earlier moment, or of an unloading; one
    that leaps ahead and is followed by lower ones is a picture of a later moment.
    """
    steps = np.diff(values)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    member, reached = np.ones(len(values), dtype=np.bool_), values[0]
    for i in range(1, len(values)):
        leaps = values[i] - reached > LEAP * usual + slack
        left = i + 1 < len(values) and values[i + 1] < values[i] - slack
        member[i] = values[i] >= reached - slack and not (leaps and left)
        if member[i]:
            reached = max(reached, values[i])
    return member
