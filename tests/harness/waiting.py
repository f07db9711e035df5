"""Waiting for what comes to pass: the one loop of all tests."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 180.0
"""Long enough for a machine with forty times the load it can bear; what comes, comes sooner."""


def wait_until(
    condition: Callable[[], T], timeout_s: float = PATIENCE_S, what: str = "the condition"
) -> T:
    """Return the first value of `condition` that is true; fails where there is none in time.

    Looks seldom at what takes long: looking costs those who are waited for.
    """
    began = time.monotonic()
    while not (value := condition()):
        waited_s = time.monotonic() - began
        assert waited_s < timeout_s, f"{what}: still not so after {timeout_s:.0f} s"
        time.sleep(min(0.05 + waited_s / 20, 1.0))
    return value
