"""What stands around the clusters: munge, and the accounting's database and daemon."""

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from quickstart.processes import Process
from tests.clusters.processes import Daemon, DaemonFailed, listens
from tests.clusters.render import ETC, render


def munge(folder: Path) -> Daemon:
    """One munged with its own key and socket, for both clusters."""
    folder.mkdir(parents=True)
    key = folder / "key"
    key.touch(0o400)
    key.write_bytes(secrets.token_bytes(128))
    socket_path = folder / "socket"
    argv = [
        "munged",
        "--foreground",
        f"--socket={socket_path}",
        f"--key-file={key}",
        f"--pid-file={folder / 'pid'}",
        f"--seed-file={folder / 'seed'}",
        f"--log-file={folder / 'munged.log'}",
        "--num-threads=4",
    ]

    def answers(_: Process) -> bool:
        test = ["munge", "--no-input", f"--socket={socket_path}"]
        return subprocess.run(test, capture_output=True).returncode == 0

    return Daemon("munged", argv, folder, answers)


class Database(Daemon):
    """A MariaDB of its own, as small and as careless about a power cut as it can be."""

    def __init__(self, folder: Path, port: int) -> None:
        folder.mkdir(parents=True)
        self._options = [
            "--no-defaults",
            "--user=root",
            f"--datadir={folder / 'data'}",
            "--innodb-log-file-size=16M",
            "--innodb-buffer-pool-size=32M",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-lock-wait-timeout=900",  # slurmdbd complains about less
            "--skip-name-resolve",
        ]
        argv = [
            "mariadbd",
            *self._options,
            "--bind-address=127.0.0.1",
            f"--port={port}",
            f"--socket={folder / 'socket'}",
            f"--pid-file={folder / 'pid'}",
            f"--init-file={ETC / 'database.sql'}",
        ]
        super().__init__("mariadbd", argv, folder, listens(port))

    def install(self) -> Callable[[], None]:
        """Begin to create the system tables; call the answer to wait until they are there."""
        argv = ["mariadb-install-db", *self._options, "--skip-test-db"]
        with self.log.open("ab") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

        def finish() -> None:
            if process.wait(120) != 0:
                raise DaemonFailed(f"mariadb-install-db failed\n{self.tail()}")

        return finish


def accounting(folder: Path, values: Mapping[str, object], port: int) -> Daemon:
    """The slurmdbd of a cluster; it looks for its file beside the slurm.conf in SLURM_CONF."""
    render("slurmdbd.conf", folder / "etc" / "slurmdbd.conf", {**values, "folder": folder}, 0o600)
    environment = {"SLURM_CONF": str(folder / "etc" / "slurm.conf")}
    return Daemon("slurmdbd", ["slurmdbd", "-D"], folder / "slurmdbd", listens(port), environment)


def short_hostname() -> str:
    """This host as slurmctld and slurmdbd compare it with their files."""
    return socket.gethostname().split(".")[0]


def require() -> None:
    """Raise OSError with a remedy if this host cannot run the clusters."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    programs = ["slurmctld", "slurmd", "slurmdbd", "munged", "mariadbd", "sshd", "ssh-keygen"]
    missing = [name for name in programs if not shutil.which(name, path=path)]
    if missing:
        raise OSError(f"missing: {', '.join(missing)}; run tests/install.sh clusters as root")
    if os.geteuid() != 0:
        raise OSError("slurmd and sshd need root; run as root or in a container")
    os.environ["PATH"] = path
