"""Loopback ports of a test run's own, claimed for as long as the process lives.

That a port is free says nothing about a second later, when a server takes it: other tests run
beside this one and look for ports, too.
"""

import contextlib
import fcntl
import os
import random
import socket
from pathlib import Path
from typing import IO

BELOW_THE_KERNELS = range(17000, 32000)  # it hands out those from 32768 itself

_CLAIMS: dict[int, IO[str]] = {}


def claim_ports(number: int) -> list[int]:
    """Loopback ports that nobody uses, and that no other process can claim before this one ends."""
    folder = Path(f"/tmp/claimed-ports-{os.getuid()}")  # of all processes, whatever their TMPDIR
    folder.mkdir(exist_ok=True)
    found: list[int] = []
    for port in random.sample(BELOW_THE_KERNELS, len(BELOW_THE_KERNELS)):
        if len(found) == number:
            break
        if _claim(folder / str(port), port):
            found.append(port)
    if len(found) < number:
        raise OSError(f"{number} free ports wanted on 127.0.0.1, {len(found)} found")
    return found


def _claim(path: Path, port: int) -> bool:
    if port in _CLAIMS:
        return False
    claim = path.open("w")
    with contextlib.suppress(OSError), socket.socket() as probe:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        probe.bind(("127.0.0.1", port))
        _CLAIMS[port] = claim
        return True
    claim.close()
    return False
