"""Loopback ports: free ones are found once and remembered, so that addresses stay the same."""

import json
import socket
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The port of each service; the defaults are where the search begins."""

    airflow: int = 8080
    mlflow: int = 5000
    login_cpu: int = 2201
    login_ai: int = 2301

    @classmethod
    def load(cls, path: Path) -> "Ports | None":
        """Return the remembered ports, if there are."""
        return cls(**json.loads(path.read_text())) if path.exists() else None

    @classmethod
    def choose(cls, path: Path) -> "Ports":
        """Return the remembered ports where they are free, others elsewhere; remember those."""
        wanted = asdict(cls.load(path) or cls())
        chosen: dict[str, int] = {}
        for name, first in wanted.items():
            taken = chosen.values()
            chosen[name] = next(p for p in count(first) if p not in taken and is_free(p))
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(chosen, indent=1) + "\n")
        draft.replace(path)
        return cls(**chosen)

    def login(self, node: str) -> int:
        """Return the port of a node's login."""
        return self.login_cpu if node == "cpu" else self.login_ai


def is_free(port: int) -> bool:
    """Whether a server could listen on that loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not TIME_WAIT, as servers do
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
