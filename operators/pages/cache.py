"""What was read from a cluster, kept for a moment: many who look cost one look."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")

ENTRIES = 200


class Cache(Generic[Value]):
    """Remembers values for some seconds; of those who ask for one at once, one reads it.

    Parameters
    ----------
    keep_s
        How long a value counts.
    """

    def __init__(self, keep_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._keep_s, self._clock = keep_s, clock
        self._values: dict[Hashable, tuple[float, Value]] = {}
        self._locks: dict[Hashable, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, key: Hashable, read: Callable[[], Value]) -> tuple[Value, float]:
        """Return a value and its age in s; what `read` raises passes through, and is not kept."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            known = self._values.get(key)
            now = self._clock()
            if known is not None and now - known[0] < self._keep_s:
                return known[1], now - known[0]
            value = read()
            self._values[key] = (self._clock(), value)
        self._tidy()
        return value, 0.0

    def _tidy(self) -> None:
        with self._guard:
            for key in sorted(self._values, key=lambda each: self._values[each][0])[:-ENTRIES]:
                del self._values[key]
                self._locks.pop(key, None)
