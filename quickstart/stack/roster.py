"""Which process each component is: started detached, remembered in a file, found again later."""

import json
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from quickstart.processes import Process, identify, stop, stop_session
from quickstart.stack.layout import Layout

TAIL_LINES = 30
_DETACHED: list[subprocess.Popen[bytes]] = []  # kept: Python complains when it forgets a child


@dataclass(frozen=True, slots=True)
class Entry:
    """A component's process, and when it was started (Unix time)."""

    process: Process
    since: float


@dataclass(frozen=True, slots=True)
class Roster:
    """The processes of one stack."""

    layout: Layout

    def recorded(self, name: str) -> Entry | None:
        """Return the process that was last started under that name; it may be dead."""
        path = self.layout.process(name)
        if not path.exists():
            return None
        document = json.loads(path.read_text())
        return Entry(Process(**document["process"]), document["since"])

    def running(self, name: str) -> Entry | None:
        """Return the process of that name, if it is alive."""
        entry = self.recorded(name)
        return entry if entry and entry.process.alive else None

    def start(
        self, name: str, command: Iterable[str], environment: Mapping[str, str], folder: Path
    ) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own, its output appended to its log."""
        since = time.time()
        with self.layout.log(name).open("ab") as log:
            log.write(f"--- {time.strftime('%F %T')} {name} starts\n".encode())
            log.flush()
            child = subprocess.Popen(
                list(command),
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _DETACHED.append(child)
        process = identify(child.pid)
        assert process is not None  # dead or not, it has a number until it is polled
        draft = self.layout.process(name).with_suffix(".draft")
        draft.write_text(json.dumps({"process": asdict(process), "since": since}))
        draft.replace(self.layout.process(name))
        return child

    def stop(self, names: Iterable[str], patience_s: float) -> None:
        """Stop these side by side, and then what remains of their sessions."""
        entries = [entry for entry in map(self.recorded, names) if entry]
        stop([entry.process for entry in entries], patience_s)
        for entry in entries:
            stop_session(entry.process, patience_s=0.0)
        for name in names:
            self.layout.process(name).unlink(missing_ok=True)

    def clear(self, name: str) -> None:
        """End what a killed process left behind in its session: orphans that wait for it."""
        entry = self.recorded(name)
        if entry and not entry.process.alive:
            stop_session(entry.process, patience_s=0.0)

    def tail(self, name: str) -> str:
        """Return the last lines of a component's log, under its path."""
        path = self.layout.log(name)
        lines = path.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join([f"the end of {path}:", *(f"    {line}" for line in lines)])
