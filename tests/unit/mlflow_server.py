"""The real MLflow server, on SQLite and loopback, which a test may kill and start again."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.clusters.ports import claim_ports

START_S = 300  # a busy machine takes its time
END_S = 60
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy is set


class MlflowServer:
    """One server, at one address, with what it was told in one folder; with users if told whose."""

    def __init__(self, folder: Path, users: Path | None = None) -> None:
        (self._port,) = claim_ports(1)
        self.address = f"http://127.0.0.1:{self._port}"
        self._folder = folder
        self._users = users
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it answers."""
        options = {
            "--host": "127.0.0.1",
            "--port": str(self._port),
            "--workers": "1",
            "--backend-store-uri": f"sqlite:///{self._folder}/mlflow.db",
            "--artifacts-destination": str(self._folder / "artifacts"),
        }
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        if self._users:
            options["--app-name"] = "basic-auth"
            environment["MLFLOW_AUTH_CONFIG_PATH"] = str(self._users)
            environment["MLFLOW_FLASK_SERVER_SECRET_KEY"] = "of-a-test"
        with (self._folder / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *itertools.chain(*options.items())],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                start_new_session=True,
            )
        self._wait(self._process)

    def kill(self) -> None:
        """Kill it and its workers, in the middle of whatever they are doing."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Let it end in peace."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process:
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(self._process.pid, how)
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(END_S)
            self._process = None

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and process.poll() is None:
            try:
                with DIRECT.open(f"{self.address}/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.3)
        log = (self._folder / "server.log").read_text()
        raise RuntimeError(f"the MLflow server did not start:\n{log[-4000:]}")
