"""How long a training waits for its batches."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


class InputMeter:
    """Counts seconds since it was made, and those spent in waiting for items."""

    def __init__(self) -> None:
        self.waited_s = 0.0
        self._begin_s = time.perf_counter()

    def metered(self, items: Iterable[Item]) -> Iterator[Item]:
        """Iterate over items; what their maker takes is waiting."""
        iterator = iter(items)
        while True:
            asked_s = time.perf_counter()
            item = next(iterator, None)
            self.waited_s += time.perf_counter() - asked_s
            if item is None:
                return
            yield item

    @property
    def elapsed_s(self) -> float:
        """Seconds since it was made."""
        return time.perf_counter() - self._begin_s
