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
MOST_LEFT_OUT = 0.1  # of the frames; with more the series is in no order
NAMED = 3  # frames of a kind that a note names


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
    wrong = known[~_longest_rise(values, max(scatter, SLACK * float(np.ptp(values))))]
    if not len(wrong):
        return extensions, []
    if len(wrong) > max(1, MOST_LEFT_OUT * len(known)):
        raise BadInput(
            f"{len(wrong)} of {len(known)} frames show the specimen stretched more or less than "
            f"those around them, such as {names[wrong[0]]}; put the frames in the order of the "
            "test, each once"
        )
    notes = []
    for at in wrong[:NAMED]:
        before, after = known[known < at], known[known > at]
        around = [f"{extensions[i]:.3g}" for i in (*before[-1:], *after[:1])]
        notes.append(
            f"{names[at]} left out: the specimen is stretched by {extensions[at]:.3g} mm in it, "
            f"and by {' and '.join(around)} mm around it: a picture of another moment"
        )
    if len(wrong) > NAMED:
        notes.append(f"and {len(wrong) - NAMED} more frames likewise")
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


def _longest_rise(values: Values, slack: float) -> NDArray[np.bool_]:
    """Members (n,) of the longest series of values that falls by no more than slack."""
    count = len(values)
    length, before = np.ones(count, dtype=np.int64), np.full(count, -1)
    for i in range(1, count):
        fits = np.flatnonzero(values[:i] <= values[i] + slack)
        if len(fits):
            best = fits[len(fits) - 1 - np.argmax(length[fits][::-1])]
            length[i], before[i] = length[best] + 1, best
    member = np.zeros(count, dtype=np.bool_)
    at = int(count - 1 - np.argmax(length[::-1]))
    while at >= 0:
        member[at] = True
        at = int(before[at])
    return member
