"""Daemons in the foreground, each a child of this process, and how to find what they left."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from quickstart import processes

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


Ready = Callable[[processes.Process], bool]
"""Whether a daemon's process answers."""


START_S = 180.0  # a busy machine takes its time


class DaemonFailed(Exception):
    """A daemon ended or did not answer in time; the message carries the end of its log."""


class Daemon:
    """One program that stays in the foreground, in its own session.

    It works and logs in `folder`, and dies with this process, however that ends.
    `ready` says whether that process answers.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        folder: Path,
        ready: Ready,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.folder = folder
        self.log = folder / "output.log"
        self.ready = ready
        self.environment = dict(environment or {})
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id; raises DaemonFailed when it is not running."""
        if self.process is None or self.process.poll() is not None:
            raise DaemonFailed(f"{self.name} is not running\n{self.tail()}")
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there (a paused one is)."""
        return self.process is not None and self.process.poll() is None

    def launch(self) -> None:
        """Start without waiting."""
        if self.running:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.argv,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **self.environment},
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def wait_ready(self, timeout_s: float = START_S) -> None:
        """Wait until it answers; raises DaemonFailed."""
        deadline = time.monotonic() + timeout_s
        while not self._answers():
            if not self.running:
                raise DaemonFailed(f"{self.name} ended while starting\n{self.tail()}")
            if time.monotonic() > deadline:
                raise DaemonFailed(f"{self.name} does not answer\n{self.tail()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        process = processes.identify(self.process.pid) if self.process else None
        return process is not None and self.ready(process)

    def start(self) -> None:
        """Start and wait until it answers."""
        self.launch()
        self.wait_ready()

    def stop(self, timeout_s: float = 10) -> None:
        """End it as a service manager would: SIGTERM, then SIGKILL."""
        if self.process is None:
            return
        self.resume()
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Stop answering, connections stay open (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        if self.running:
            os.kill(self.pid, signal.SIGCONT)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Do not answer for a while."""
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def tail(self, lines: int = 15) -> str:
        """End of the log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _die_with_parent() -> None:
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def listens(port: int) -> Ready:
    """Whether the daemon itself listens on a port: a stranger there would answer, too."""
    return lambda daemon: processes.listens(daemon, port)


def below(folder: Path) -> list[int]:
    """Processes that work below a folder, or name it in arguments or environment.

    With their children, except this very process. slurmstepd wipes its arguments and environment,
    but keeps the working directory of its slurmd.
    """
    name = os.fsencode(folder)
    found = set()
    for pid in _pids():
        with contextlib.suppress(OSError):
            place = Path(f"/proc/{pid}")
            if (
                os.fsencode(os.readlink(place / "cwd")).startswith(name)
                or name in (place / "cmdline").read_bytes()
                or name in (place / "environ").read_bytes()
            ):
                found |= {pid, *descendants(pid)}
    return sorted(found - {os.getpid()})


def descendants(pid: int) -> list[int]:
    """Children, their children, and so on."""
    children: dict[int, list[int]] = {}
    for child in _pids():
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{child}/stat").read_text()
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(child)
    found, todo = [], [pid]
    while todo:
        some = children.get(todo.pop(), [])
        found += some
        todo += some
    return found


def program(pid: int) -> str:
    """Name of a process's program, empty when it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def kill_all(find: Callable[[], list[int]], timeout_s: float = 10) -> None:
    """SIGKILL what `find` finds, until it finds nothing."""
    deadline = time.monotonic() + timeout_s
    while pids := find():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise DaemonFailed(f"processes {[(pid, program(pid)) for pid in pids]} do not die")
        time.sleep(0.05)


def run(argv: Sequence[str], environment: Mapping[str, str], timeout_s: float = 60) -> str:
    """Output of an administrator's command; raises DaemonFailed with its words."""
    done = subprocess.run(
        list(argv),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise DaemonFailed(f"{' '.join(argv)}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout
