"""Processes of this machine, named so that a reused process number is never taken for them.

Reads /proc, so Linux only; standard library only, since every batch element starts with it.
"""

import contextlib
import functools
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_LISTEN = "0A"  # include/net/tcp_states.h
_GIVE_UP_S = 3.0  # a process that waits for its disk takes its time to die


@dataclass(frozen=True, slots=True)
class Process:
    """A process as it was seen: its number, and when it began (boot and clock tick)."""

    pid: int
    began: str

    @property
    def alive(self) -> bool:
        """Whether that very process still runs; a zombie does not."""
        stat = _stat(self.pid)
        return stat is not None and stat.began == self.began and stat.state not in "ZX"

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


@dataclass(frozen=True, slots=True)
class _Stat:
    pid: int
    state: str
    session: int
    ticks: int
    resident_bytes: int

    @property
    def began(self) -> str:
        return f"{_boot()}/{self.ticks}"

    @property
    def process(self) -> Process:
        return Process(self.pid, self.began)


def identify(pid: int) -> Process | None:
    """Return the process that has this number now."""
    stat = _stat(pid)
    return stat.process if stat else None


def session_of(leader: Process) -> list[Process]:
    """List the session that `leader` began, itself excluded; it may be dead already.

    The kernel does not reuse a number while a session bears it. If another process has the
    number now, then the session is gone.
    """
    return [stat.process for stat in _session(leader)]


def session_resident_bytes(leader: Process) -> int:
    """Memory of a session; pages that its processes share count more than once."""
    return sum(stat.resident_bytes for stat in _session(leader))


def with_environment(name: str, value: str) -> list[Process]:
    """List the processes that were started with this environment variable at this value."""
    wanted = f"{name}={value}".encode()
    found = []
    for stat in _all():
        with contextlib.suppress(OSError):
            if wanted in (_PROC / str(stat.pid) / "environ").read_bytes().split(b"\0"):
                found.append(stat.process)
    return [process for process in found if process.pid != os.getpid() and process.alive]


def listens(leader: Process, port: int) -> bool:
    """Whether a process of the session that `leader` began listens on a TCP port.

    That something answers there says less: another program may have taken the port first.
    """
    sockets = _listening(port)
    members = [leader, *session_of(leader)]
    return bool(sockets) and any(sockets & _sockets(member.pid) for member in members)


def stop(processes: Iterable[Process], patience_s: float) -> None:
    """Ask them to end; after `patience_s` make them."""
    asked = list(processes)
    _stop(lambda: [process for process in asked if process.alive], patience_s)


def stop_session(leader: Process, patience_s: float) -> None:
    """Do so with all others of a session, what they start meanwhile included."""
    _stop(lambda: session_of(leader), patience_s)


def _stop(remaining: Callable[[], list[Process]], patience_s: float) -> None:
    for process in remaining():
        process.signal(signal.SIGTERM)
    patience_ends = time.monotonic() + patience_s
    while (processes := remaining()) and time.monotonic() < patience_ends + _GIVE_UP_S:
        if time.monotonic() >= patience_ends:
            for process in processes:
                process.signal(signal.SIGKILL)
        time.sleep(0.02)


def _listening(port: int) -> set[str]:
    """Sockets that listen on a port of any address, as /proc names them."""
    found = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):  # a kernel without IPv6
            for line in (_PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(f"socket:[{fields[9]}]")
    return found


def _sockets(pid: int) -> set[str]:
    """Open sockets of a process; none of one that has ended or is another user's."""
    found = set()
    with contextlib.suppress(OSError):
        for entry in (_PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(os.readlink(entry))
    return found


def _session(leader: Process) -> Iterator[_Stat]:
    now = _stat(leader.pid)
    if now is not None and now.began != leader.began:
        return
    for stat in _all():
        if stat.session == leader.pid and stat.pid != leader.pid and stat.state not in "ZX":
            yield stat


def _all() -> Iterator[_Stat]:
    for entry in os.listdir(_PROC):
        if entry.isdigit() and (stat := _stat(int(entry))):
            yield stat


def _stat(pid: int) -> _Stat | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return _Stat(
        pid=pid,
        state=fields[0],
        session=int(fields[3]),
        ticks=int(fields[19]),
        resident_bytes=int(fields[21]) * _PAGE_BYTES,
    )


@functools.cache
def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
