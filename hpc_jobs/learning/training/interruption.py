"""A polite end: a signal or the clock sets a flag, and the training stops between two steps."""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class StopFlag:
    """False until one of the signals came or the deadline, by the monotonic clock, has passed."""

    def __init__(self, deadline_s: float = math.inf) -> None:
        self.signal: signal.Signals | None = None
        self._deadline_s = deadline_s

    def no_later_than(self, deadline_s: float) -> None:
        """Stop at that time, by the monotonic clock, whatever comes."""
        self._deadline_s = min(self._deadline_s, deadline_s)

    def __call__(self) -> bool:
        """Say whether to stop."""
        return self.signal is not None or time.monotonic() >= self._deadline_s


@contextmanager
def stop_on_signals(deadline_s: float = math.inf, *, last: bool = False) -> Iterator[StopFlag]:
    """Within this context SIGTERM and SIGUSR1 (walltime is near) only set the flag.

    The deadline needs no signal: not every scheduler sends one to the right process.
    last: nothing comes after it, and the signals are ignored until the process is gone.
    """
    flag = StopFlag(deadline_s)

    def note(number: int, frame: FrameType | None) -> None:
        flag.signal = signal.Signals(number)

    previous = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield flag
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_IGN if last else handler)
