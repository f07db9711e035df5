"""A batch queue in a temporary folder, driven as its users drive it: by its command."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quickstart.batchq.store import Store
from quickstart.processes import stop_session
from tests.harness.waiting import wait_until


class Queue:
    """One queue: its state folder, its daemon when there is one, and its command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.logs = folder / "logs"
        self.daemon: subprocess.Popen[bytes] | None = None

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "quickstart.batchq.cli", *arguments],
            env=os.environ | {"BATCHQ_STATE": str(self.state)},
            cwd=self.folder,
            capture_output=True,
            text=True,
        )

    def serve(self, slots: int = 2) -> None:
        self.daemon = subprocess.Popen(
            [sys.executable, "-m", "quickstart.batchq.cli", "serve", "--slots", str(slots)],
            env=os.environ | {"BATCHQ_STATE": str(self.state)},
        )

    def kill_daemon(self) -> None:
        assert self.daemon is not None
        self.daemon.kill()
        self.daemon.wait()
        self.daemon = None

    def submit(self, body: str, **options: Any) -> str:
        script = self.folder / "it's a script.sh"
        script.write_text(f"#!/bin/sh\n{body}\n")
        defaults = {"name": "job", "log_dir": self.logs, "walltime_s": 60, "memory_mib": 200}
        flags = [
            f"--{key.replace('_', '-')}={value}" for key, value in (defaults | options).items()
        ]
        reply = self.run("submit", str(script), *flags)
        assert reply.returncode == 0, reply.stderr
        assert reply.stdout.strip().isdigit()
        return reply.stdout.strip()

    def elements(self, number: str) -> list[dict[str, Any]]:
        reply = self.run("status", "--json", number)
        [job] = json.loads(reply.stdout)["jobs"]
        assert job["id"] == number
        return list(job["elements"])

    def states(self, number: str) -> list[str]:
        return [element["state"] for element in self.elements(number)]

    def wait(self, number: str, timeout_s: float = 20.0) -> list[str]:
        ended = lambda: all(e["ended"] for e in self.elements(number))  # noqa: E731
        wait_until(ended, timeout_s)
        return self.states(number)

    def close(self) -> None:
        if self.daemon:
            self.kill_daemon()
        for job in Store(self.state).live_jobs():
            for runner in filter(None, (element.runner() for element in job.elements)):
                stop_session(runner, patience_s=0.0)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    queue = Queue(tmp_path)
    yield queue
    queue.close()
