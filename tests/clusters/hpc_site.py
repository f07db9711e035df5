"""Two clusters, their login nodes and the workspace filesystem that both see, on one host."""

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.clusters import services
from tests.clusters.login import generate_key
from tests.clusters.memory import MemoryCgroups
from tests.clusters.ports import claim_ports
from tests.clusters.processes import below, kill_all
from tests.clusters.slurm import SlurmCluster


class Site:
    """alpha (CPU, accounting) and beta (GPU, none), below one private folder.

    >>> with Site() as site:
    ...     site.alpha.login.port, site.key_file, site.alpha.login.host_key
    """

    def __init__(self, *, memory_cgroups: bool = True) -> None:
        services.require()
        # Not below pytest's long and private folders: a socket's path has 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="site-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.shared = self.folder / "shared"
        self.shared.mkdir()
        self.key_file = self.folder / "key"
        generate_key(self.key_file)
        ports = iter(claim_ports(11))
        self.accounting_port, database_port = next(ports), next(ports)
        self.hostname = services.short_hostname()
        self._cgroups = MemoryCgroups()
        self.out_of_memory_is_told = memory_cgroups and self._cgroups.claim()
        values = {
            "memory": "cgroup" if self.out_of_memory_is_told else "polling",
            "hostname": self.hostname,
            "munge_socket": self.folder / "munge" / "socket",
            "accounting_port": self.accounting_port,
            "database_port": database_port,
        }
        self.alpha = SlurmCluster("alpha", self.folder / "alpha", values, ports, self.key_file)
        self.beta = SlurmCluster("beta", self.folder / "beta", values, ports, self.key_file)
        self.munge = services.munge(self.folder / "munge")
        self.database = services.Database(self.folder / "database", database_port)
        self.accounting = services.accounting(self.folder / "alpha", values, self.accounting_port)

    @property
    def clusters(self) -> tuple[SlurmCluster, SlurmCluster]:
        """Both."""
        return self.alpha, self.beta

    def start(self) -> Self:
        """Start everything; returns when every node takes jobs."""
        installed = self.database.install()  # takes longest, and beta does not need it
        self.munge.start()
        self.beta.start()
        installed()
        self.database.start()
        self.accounting.start()
        for argv in (
            ("add", "cluster", "alpha"),
            ("add", "account", "materials", "Description=materials", "Organization=yieldloop"),
            ("add", "user", self.alpha.login.user, "Account=materials"),
        ):
            self.alpha.admin("sacctmgr", "--immediate", *argv)
        self.alpha.start()
        return self

    def stop(self) -> None:
        """End every process that this site started, jobs included, and remove its folder."""
        for cluster in self.clusters:
            cluster.stop()
        for daemon in (self.accounting, self.database, self.munge):
            daemon.resume()
            daemon.kill()
        kill_all(lambda: below(self.folder))
        self._cgroups.release(node for cluster in self.clusters for node in cluster.nodes)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
