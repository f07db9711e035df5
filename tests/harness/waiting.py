"""Waiting for what comes to pass: the one loop of all tests."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 180.0
"""Long enough for a machine with forty times the load it can bear; what comes, comes sooner."""


def wait_until(
    condition: Callable[[], T],
    timeout_s: float = PATIENCE_S,
    what: str = "the condition",
    pause_s: float = 0.05,
) -> T:
    """Return the first value of `condition` that is true; fails where there is none in time.

    A longer pause between two looks is for those that cost something, such as a process each.
    """
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: still not so after {timeout_s:.0f} s"
        time.sleep(pause_s)
    return value
