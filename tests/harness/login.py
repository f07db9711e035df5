"""A login node of this project (quickstart.login_node) as a process of a test's own."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from quickstart.login_node import make_key, public_line
from tests.clusters.ports import claim_ports
from tests.harness.waiting import wait_until

CHECKOUT = Path(__file__).parents[2]
HOST = "127.0.0.1"


@dataclass
class LoopbackLogin:
    """Keys, a home and a port; the server can be stopped and started again where it was.

    Parameters
    ----------
    folder : keys lie here
    home : where commands run
    environment : of the commands, beside this process's own
    """

    folder: Path
    home: Path
    user: str = "researcher"
    environment: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    port: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.home.mkdir(parents=True, exist_ok=True)
        self.host_key_file, self.user_key_file = self.folder / "host-key", self.folder / "user-key"
        self.host_key, self.user_key = make_key(self.host_key_file), make_key(self.user_key_file)
        self.authorized = self.folder / "authorized"
        self.authorized.write_text(public_line(self.user_key) + "\n")
        (self.port,) = claim_ports(1)

    @property
    def pinned(self) -> str:
        """The host's public key as one line."""
        return public_line(self.host_key)

    def start(self) -> None:
        """Serve, and wait until it answers."""
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "quickstart.login_node"),
                *(f"--port={self.port}", f"--user={self.user}"),
                *(f"--host-key={self.host_key_file}", f"--authorized-keys={self.authorized}"),
            ],
            cwd=self.home,
            env=_outside_airflow() | {"PYTHONPATH": str(CHECKOUT)} | dict(self.environment),
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._answers, what=f"a login node on port {self.port}")

    def stop(self) -> None:
        """Kill the server, as a crash would; harmless if it does not run."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0


def _outside_airflow() -> dict[str, str]:
    """This process's environment as a cluster's login node would have it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
