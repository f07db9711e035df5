"""One Slurm cluster: slurmctld, a slurmd per node, a login node."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from quickstart.processes import Process
from tests.clusters.login import LoginNode
from tests.clusters.processes import Daemon, DaemonFailed, below, kill_all, listens, run
from tests.clusters.render import ETC, render

NODES = {"alpha": ("a1", "a2", "a3"), "beta": ("b1", "b2")}


class SlurmCluster:
    """Started and stopped by the site; the methods here play what goes wrong on a cluster."""

    def __init__(
        self, name: str, folder: Path, values: Mapping[str, object], ports: Iterator[int], key: Path
    ) -> None:
        self.name = name
        self.folder = folder
        node_ports = {node: next(ports) for node in NODES[name]}
        self.controller_port, login_port = next(ports), next(ports)
        settings = {
            **values,
            "name": name,
            "folder": folder,
            "controller_port": self.controller_port,
            "login_port": login_port,
            "login_address": LoginNode.host,
            "login_user": LoginNode.user,
            **{f"{node}_port": port for node, port in node_ports.items()},
        }
        for made in ("state", *(f"spool/{node}" for node in node_ports)):
            (folder / made).mkdir(parents=True)
        self.slurm_conf = render("slurm.conf", folder / "etc" / "slurm.conf", settings)
        render(f"{name}.conf", folder / "etc" / "cluster.conf", settings)
        render(f"memory-{values['memory']}.conf", folder / "etc" / "memory.conf", settings)
        render("cgroup.conf", folder / "etc" / "cgroup.conf", settings)
        if (ETC / f"{name}-gres.conf").exists():
            render(f"{name}-gres.conf", folder / "etc" / "gres.conf", settings)
        self.environment = {"SLURM_CONF": str(self.slurm_conf)}
        self.controller = Daemon(
            f"slurmctld of {name}",
            ["slurmctld", "-D", "-f", str(self.slurm_conf)],
            folder / "slurmctld",
            self._controller_answers,
            self.environment,
        )
        self.nodes = {node: self._node(node, port) for node, port in node_ports.items()}
        self.login = LoginNode(folder / "login", settings, login_port, key)

    def _node(self, name: str, port: int) -> Daemon:
        return Daemon(
            f"slurmd of {name}",
            ["slurmd", "-D", "-N", name, "-f", str(self.slurm_conf)],
            self.folder / "spool" / name,
            listens(port),
            self.environment,
        )

    def _controller_answers(self, _: Process) -> bool:
        with contextlib.suppress(DaemonFailed):
            return " is UP" in self.admin("scontrol", "ping")
        return False

    def admin(self, *argv: str) -> str:
        """Output of a Slurm command, as the administrator on this host."""
        return run(argv, self.environment)

    def start(self) -> None:
        """Start everything and wait until every node can take a job."""
        self.login.daemon.launch()
        self.controller.launch()
        for daemon in self.nodes.values():
            daemon.launch()
        self.controller.wait_ready()
        for daemon in (*self.nodes.values(), self.login.daemon):
            daemon.wait_ready()
        for node in self.nodes:
            self.wait_node(node, "IDLE")

    def stop(self) -> None:
        """End the daemons; the site looks after the jobs' processes."""
        self.login.stop()
        for daemon in (*self.nodes.values(), self.controller):
            daemon.resume()
            daemon.kill()  # nothing of their state is wanted any more

    def clear(self) -> None:
        """Cancel every job and wait until the nodes are free."""
        self.admin("scancel", f"--user={self.login.user}")
        for node in self.nodes:
            self.resume(node)

    def node_state(self, node: str) -> str:
        """Such as IDLE, MIXED, DOWN*, IDLE+DRAIN."""
        words = self.admin("scontrol", "--oneliner", "show", "node", node).split()
        return next(word.partition("=")[2] for word in words if word.startswith("State="))

    def wait_node(self, node: str, state: str, timeout_s: float = 60) -> None:
        """Wait until a node's state begins with `state`."""
        deadline = time.monotonic() + timeout_s
        while not (now := self.node_state(node)).startswith(state):
            if time.monotonic() > deadline:
                raise DaemonFailed(f"node {node} is {now}, not {state}\n{self.controller.tail()}")
            time.sleep(0.1)

    def drain(self, node: str) -> None:
        """Let what runs finish, take nothing new."""
        self._set_node(node, "DRAIN")

    def declare_down(self, node: str) -> None:
        """End the node's jobs with NODE_FAIL, now."""
        self._set_node(node, "DOWN")

    def resume(self, node: str) -> None:
        """Take the node into service again."""
        self.nodes[node].launch()
        self.nodes[node].wait_ready()
        if self.node_state(node).startswith(("DOWN", "IDLE+DRAIN", "DRAIN")):
            with contextlib.suppress(DaemonFailed):  # it may have come back by itself since
                self.admin("scontrol", "update", f"NodeName={node}", "State=RESUME")
        self.wait_node(node, "IDLE")
        if "DRAIN" in (now := self.node_state(node)):
            raise DaemonFailed(f"node {node} is {now}: it was not resumed")

    def power_off(self, node: str) -> None:
        """Pull the plug: slurmd and every process of its jobs die, and nobody tells slurmctld.

        Slurm itself notices after SlurmdTimeout (20 s); `declare_down` is faster.
        """
        self.nodes[node].kill()
        kill_all(lambda: below(self.folder / "spool" / node))

    def expire(self, job_id: str) -> None:
        """Let a running job's walltime be over; slurmctld acts within 30 s."""
        now = datetime.now().strftime("%Y-%m-%dT%H:%M:%S")
        self.admin("scontrol", "update", f"JobId={job_id}", f"EndTime={now}")

    def start_requeued(self, job_id: str) -> None:
        """Let elements begin that went back into the queue: Slurm would wait two minutes."""
        argv = ("squeue", "--noheader", "--array", "--states=PD", "--format=%A|%r")
        lines = self.admin(*argv, f"--jobs={job_id}").split()
        for element, reason in (line.split("|") for line in lines):
            if reason == "BeginTime":
                self.admin("scontrol", "update", f"JobId={element}", "StartTime=now")

    @contextlib.contextmanager
    def configured(self, **settings: object) -> Iterator[None]:
        """Let the controller run with other settings of slurm.conf for a while."""
        path = self.folder / "etc" / "cluster.conf"
        before = path.read_text()
        self.controller.stop()
        path.write_text(before + "".join(f"{key}={value}\n" for key, value in settings.items()))
        self.controller.start()
        try:
            yield
        finally:
            self.controller.stop()
            path.write_text(before)
            self.controller.start()

    @contextlib.contextmanager
    def jobs_limited_to(self, jobs: int) -> Iterator[None]:
        """Let the accounting allow a user so many jobs in the queue; an element counts as one."""
        self._limit(jobs)
        try:
            yield
        finally:
            self._limit(-1)

    def _limit(self, jobs: int) -> None:
        argv = ("sacctmgr", "--immediate", "modify", "user", self.login.user, "set")
        self.admin(*argv, f"MaxSubmitJobs={jobs}")

    @contextlib.contextmanager
    def hidden(self, partition: str) -> Iterator[None]:
        """Hide a partition from whoever does not ask for all."""
        self.admin("scontrol", "update", f"PartitionName={partition}", "Hidden=YES")
        try:
            yield
        finally:
            self.admin("scontrol", "update", f"PartitionName={partition}", "Hidden=NO")

    def _set_node(self, node: str, state: str) -> None:
        self.admin("scontrol", "update", f"NodeName={node}", f"State={state}", "Reason=test")
