"""A polite end: a signal sets a flag, and the training stops between two steps."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class StopFlag:
    """False until one of the signals came."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def __call__(self) -> bool:
        """Say whether to stop."""
        return self.signal is not None


@contextmanager
def stop_on_signals() -> Iterator[StopFlag]:
    """Within this context SIGTERM and SIGUSR1 (walltime is near) only set the flag."""
    flag = StopFlag()

    def note(number: int, frame: FrameType | None) -> None:
        flag.signal = signal.Signals(number)

    previous = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield flag
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
