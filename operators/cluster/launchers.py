"""What starts the processes of an element that has several: srun, or an mpiexec.

A launcher only gives words: argv before the element's command. The processes learn their rank from
the environment that the launcher gives them (hpc_jobs.runtime.ranks); no MPI is involved.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Argv = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How one element becomes nodes x tasks_per_node processes of so many cpus each."""

    kind: str
    """a key of LAUNCHERS"""
    nodes: int
    tasks_per_node: int
    cpus: int
    options: Argv = ()
    """words of the site's own, after those that are set here"""

    @property
    def tasks(self) -> int:
        """Processes in all."""
        return self.nodes * self.tasks_per_node

    @property
    def meets(self) -> bool:
        """Whether the script must say where the processes meet: only srun tells them."""
        return self.kind != "srun"

    def words(self, exported: Sequence[str]) -> Argv:
        """Argv that goes before the command; exported: variables that every process needs."""
        return (*LAUNCHERS[self.kind](self, exported), *self.options)


def _srun(launch: Launch, exported: Sequence[str]) -> Argv:
    """Of one that fails the others are ended; the first that is done waits for the last."""
    return (
        *("srun", f"--nodes={launch.nodes}", f"--ntasks={launch.tasks}"),
        *(f"--ntasks-per-node={launch.tasks_per_node}", f"--cpus-per-task={launch.cpus}"),
        *("--kill-on-bad-exit=1", "--wait=0"),
        # Where jobs are submitted with --export=NONE, srun would hand on nothing of ours, either.
        "--export=ALL",
    )


def _openmpi(launch: Launch, exported: Sequence[str]) -> Argv:
    """Open MPI hands on no variable unasked, and binds to one core unless told otherwise."""
    names = (word for name in exported for word in ("-x", name))
    places = ("--map-by", f"ppr:{launch.tasks_per_node}:node", "--bind-to", "none")
    return ("mpiexec", "-n", str(launch.tasks), *places, *names)


def _mpich(launch: Launch, exported: Sequence[str]) -> Argv:
    """MPICH, Intel MPI and Cray PALS: they hand on the whole environment."""
    return ("mpiexec", "-n", str(launch.tasks), "-ppn", str(launch.tasks_per_node))


LAUNCHERS: dict[str, Callable[[Launch, Sequence[str]], Argv]] = {
    "srun": _srun,
    "openmpi": _openmpi,
    "mpich": _mpich,
}
