"""A test's daemons get ports that nobody else does, and a stranger is not taken for one of them."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clusters.ports import claim_ports
from tests.clusters.processes import Daemon, DaemonFailed, listens

CLAIM = """
import sys
from tests.clusters import ports
ports.BELOW_THE_KERNELS = range(int(sys.argv[1]), int(sys.argv[1]) + 1)
ports.claim_ports(1)
"""


def test_a_claimed_port_is_nobody_elses_though_nothing_listens_yet() -> None:
    first, second = claim_ports(2)
    assert first != second
    other = subprocess.run(
        [sys.executable, "-c", CLAIM, str(first)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
    )
    assert "1 free ports wanted on 127.0.0.1, 0 found" in other.stderr


def test_a_stranger_at_the_port_is_not_taken_for_the_daemon(tmp_path: Path) -> None:
    (port,) = claim_ports(1)
    argv = [sys.executable, "-m", "http.server", "--bind=127.0.0.1", str(port)]
    daemon = Daemon("a server", argv, tmp_path / "server", listens(port))
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        with pytest.raises(DaemonFailed, match=r"(?s)a server ended while starting.*in use"):
            daemon.start()
    daemon.start()
    assert daemon.running
    daemon.kill()
