"""Loopback ports of a test run's own, claimed for as long as the process lives.

That a port is free says nothing about a second later, when a server takes it: other tests run
beside this one and look for ports, too.
"""

import fcntl
import functools
import os
import random
import socket
from typing import IO

BELOW_THE_KERNELS = range(17000, 32000)  # it hands out those from 32768 itself

_CLAIMED: set[int] = set()


def claim_ports(number: int) -> list[int]:
    """Loopback ports that nobody uses, and that no other process can claim before this one ends."""
    found: list[int] = []
    for port in random.sample(BELOW_THE_KERNELS, len(BELOW_THE_KERNELS)):
        if len(found) == number:
            return found
        if port not in _CLAIMED and _claim(port):
            _CLAIMED.add(port)
            found.append(port)
    if len(found) < number:
        raise OSError(f"{number} free ports wanted on 127.0.0.1, {len(found)} found")
    return found


def _claim(port: int) -> bool:
    try:
        fcntl.lockf(_claims(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            fcntl.lockf(_claims(), fcntl.LOCK_UN, 1, port)
            return False
    return True


@functools.cache
def _claims() -> IO[bytes]:
    """One file for all processes, whatever their TMPDIR; a port is claimed by a lock on its byte.

    It stays open: to close it, even once more opened, would end all claims of the process.
    """
    return open(f"/tmp/claimed-ports-{os.getuid()}.lock", "ab")
