"""What a job's process spends its time on beside its work: starting, importing, compiling.

Each second counts once: a compilation that an import sets off is a compilation. Only the main
thread is watched. Imports are watched from where `watch_imports` is called; what passed before, the
shell's and the interpreter's start, is the phase `start`.
"""

import builtins
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from hpc_jobs.contract.frozen import Frozen

START, IMPORT, COMPILE = "start", "import", "compile"


class Phases(Frozen):
    """Where the seconds of one element's process went; they add up to its life."""

    begun: Annotated[float, Field(description="Unix time by the node's clock, s")]
    start_s: Annotated[float, Field(ge=0, description="the shell and the interpreter")]
    import_s: Annotated[float, Field(ge=0)]
    compile_s: Annotated[float, Field(ge=0, description="numba, or the native library")]
    work_s: Annotated[float, Field(ge=0, description="all else")]

    @property
    def life_s(self) -> float:
        """From the process's begin to its result."""
        return self.start_s + self.import_s + self.compile_s + self.work_s


class Stopwatch:
    """Seconds by phase; a phase within a phase stops the outer one meanwhile."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._open: list[str] = []
        self._since = 0.0

    @property
    def current(self) -> str | None:
        """The phase that counts now, if any."""
        return self._open[-1] if self._open else None

    @contextmanager
    def spending(self, phase: str) -> Iterator[None]:
        """Count what passes within; of other threads nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self.enter(phase)
        try:
            yield
        finally:
            self.leave()

    def enter(self, phase: str) -> None:
        """Begin a phase."""
        self._count()
        self._open.append(phase)

    def leave(self) -> None:
        """End the phase that counts now."""
        self._count()
        self._open.pop()

    def _count(self) -> None:
        now = time.monotonic()
        if self._open:
            phase = self._open[-1]
            self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._since
        self._since = now


WATCH = Stopwatch()
"""Of this process."""
_began: list[float] = []


def watch_imports() -> None:
    """Count imports from now on; what passed since the process began is its start."""
    if _began:
        return
    _began.append(process_began())
    WATCH.seconds[START] = max(0.0, time.time() - _began[0])
    plain = builtins.__import__

    def counted(*args: Any, **kwargs: Any) -> Any:
        if WATCH.current == IMPORT or threading.current_thread() is not threading.main_thread():
            return plain(*args, **kwargs)
        WATCH.enter(IMPORT)
        try:
            return plain(*args, **kwargs)
        finally:
            WATCH.leave()

    builtins.__import__ = counted


def phases_so_far() -> Phases | None:
    """Return where this process's time went; None where imports are not watched."""
    if not _began:
        return None
    spent = {phase: WATCH.seconds.get(phase, 0.0) for phase in (START, IMPORT, COMPILE)}
    life = time.time() - _began[0]
    return Phases(
        begun=_began[0],
        start_s=round(spent[START], 3),
        import_s=round(spent[IMPORT], 3),
        compile_s=round(spent[COMPILE], 3),
        work_s=round(max(0.0, life - sum(spent.values())), 3),
    )


def process_began() -> float:
    """Unix time at which this process began; now, where the system does not say."""
    try:
        stat = Path("/proc/self/stat").read_text()
        ticks = int(stat.rpartition(")")[2].split()[19])
        up = float(Path("/proc/uptime").read_text().split()[0])
        return time.time() - up + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return time.time()
