"""Starts what is missing, says what runs, and stops what was started."""

import contextlib
import fcntl
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from quickstart.batchq.store import Store
from quickstart.processes import stop, with_environment
from quickstart.stack import airflow_settings, components, mlflow_settings
from quickstart.stack.airflow_api import AirflowApi, publish_connections
from quickstart.stack.components import Component
from quickstart.stack.layout import NODES, Layout
from quickstart.stack.ports import Ports, is_free
from quickstart.stack.roster import Roster

START_TIMEOUT_S = 180.0
POLL_S = 0.2
PATIENCE_S = 10.0


class StackError(Exception):
    """A component that could not be started; the message ends with the tail of its log."""


@dataclass(frozen=True)
class Stack:
    """All components of one layout."""

    layout: Layout
    say: Callable[[str], None] = print
    start_timeout_s: float = START_TIMEOUT_S

    @property
    def roster(self) -> Roster:
        """The processes."""
        return Roster(self.layout)

    @property
    def ports(self) -> Ports:
        """The ports, if the stack was ever started; else the defaults."""
        return Ports.load(self.layout.ports) or Ports()

    @property
    def components(self) -> list[Component]:
        """The parts of this stack."""
        return components.components(self.layout, self.ports)

    def api(self) -> AirflowApi:
        """Return a session with this stack's Airflow."""
        password = airflow_settings.password(self.layout)
        return AirflowApi(airflow_settings.url(self.ports), airflow_settings.USER, password)

    def up(self) -> None:
        """Start what does not run, and wait until all is healthy; raises StackError."""
        self.layout.make()
        with self._only_one():
            missing = [part for part in self.components if not self.roster.running(part.name)]
            for part in missing:
                self.roster.clear(part.name)
            self._prepare(missing)
            _Start(self).run()
            with self.api() as api:
                publish_connections(api, self.layout, self.ports)

    def down(self, *names: str) -> None:
        """Stop these components, or all with everything that they started, batch jobs too."""
        self.layout.make()
        with self._only_one():
            parts = [part for part in self.components if not names or part.name in names]
            for stage in sorted({part.stage for part in parts}, reverse=True):
                together = [part.name for part in parts if part.stage == stage]
                self.say(f"  stopping {', '.join(together)}")
                self.roster.stop(together, PATIENCE_S)
            if not names:
                self._stop_elements()
                marked = with_environment(components.MARK, str(self.layout.root))
                stop(marked, patience_s=2.0)

    def kill(self, name: str) -> None:
        """Kill a component's process, and nothing else, as a crash would."""
        entry = self.roster.running(name)
        if entry:
            entry.process.signal(signal.SIGKILL)

    def _prepare(self, missing: list[Component]) -> None:
        from quickstart.login_node import make_key, public_line  # asyncssh takes its time

        if len(missing) == len(self.components):
            Ports.choose(self.layout.ports)
        for part in missing:
            if part.port and len(missing) < len(self.components) and not is_free(part.port):
                raise StackError(
                    f"port {part.port} of {part.name} is taken by another program while the rest "
                    "of the stack runs; stop that program, or run `make down` first"
                )
        for node in NODES:
            make_key(self.layout.host_key(node))
        line = public_line(make_key(self.layout.client_key))
        self.layout.authorized_keys.write_text(f"{line} {components.login_user()}\n")
        airflow_settings.write(self.layout, self.ports)
        mlflow_settings.write(self.layout)

    def _stop_elements(self) -> None:
        """End running batch elements by their runners, which note that the node went down."""
        runners = []
        for node in NODES:
            for job in Store(self.layout.node_queue(node)).live_jobs():
                runners += [runner for element in job.elements if (runner := element.runner())]
        stop(runners, PATIENCE_S)

    @contextlib.contextmanager
    def _only_one(self) -> Iterator[None]:
        with (self.layout.root / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.say("  another up or down is at work; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class _Start:
    """One start: everything side by side, Airflow's parts once its database is there."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.roster = stack, stack.roster
        self.began = time.monotonic()
        self.waiting = list(stack.components)
        self.starting: list[Component] = []
        self.migration = self._begin_migration()

    def run(self) -> None:
        while self.waiting or self.starting:
            if self.migration is not None:
                self._look_at_migration(self.migration)
            for part in [part for part in self.waiting if not (part.airflow and self.migration)]:
                self._launch(part)
            for part in [part for part in self.starting if self._is_ready(part)]:
                self.starting.remove(part)
            if self._seconds() > self.stack.start_timeout_s:
                late = self.starting + self.waiting
                names, tail = ", ".join(part.name for part in late), self.roster.tail(late[0].name)
                raise StackError(f"not ready after {self._seconds():.0f} s: {names}\n{tail}")
            time.sleep(POLL_S)

    def _launch(self, part: Component) -> None:
        if not self.roster.running(part.name):
            self.roster.start(part.name, part.command, part.environment, part.folder)
        self.waiting.remove(part)
        self.starting.append(part)

    def _is_ready(self, part: Component) -> bool:
        entry = self.roster.running(part.name)
        if entry is None:
            raise StackError(f"{part.name} ended while starting\n{self.roster.tail(part.name)}")
        if not part.healthy(entry):
            return False
        self.stack.say(f"  {part.name:<22} ready after {self._seconds():4.1f} s  {part.address}")
        return True

    def _seconds(self) -> float:
        return time.monotonic() - self.began

    def _begin_migration(self) -> subprocess.Popen[bytes] | None:
        layout = self.stack.layout
        if self._marker().exists() and self._marker().read_text() == version("apache-airflow"):
            return None
        if any(self.roster.running(part.name) for part in self.waiting if part.airflow):
            raise StackError("Airflow's database is of another version; run `make down` first")
        self.roster.stop(["airflow-db"], PATIENCE_S)  # of a start that was interrupted
        command = components.python("airflow", "db", "migrate")
        environment = components.airflow_environment(layout, self.stack.ports)
        return self.roster.start("airflow-db", command, environment, layout.airflow)

    def _look_at_migration(self, migration: subprocess.Popen[bytes]) -> None:
        code = migration.poll()
        if code is None:
            return
        if code:
            tail = self.roster.tail("airflow-db")
            raise StackError(f"airflow db migrate ended with exit code {code}\n{tail}")
        with contextlib.closing(sqlite3.connect(self.stack.layout.airflow_database)) as database:
            database.execute("PRAGMA journal_mode=WAL")  # readers and a writer side by side
        self._marker().write_text(version("apache-airflow"))
        self.stack.say(f"  {'airflow-db':<22} migrated after {self._seconds():4.1f} s")
        self.migration = None

    def _marker(self) -> Path:
        return self.stack.layout.airflow / "migrated"
