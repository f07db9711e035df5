"""The processes that train one network together, as torchrun, Slurm or PBS started them.

Only here is the launcher's environment read. Started by `torchrun`, by `srun` with a task per
GPU, or by `mpiexec`, every process runs the same job module; the one of rank 0 is the array
element that takes the lock and writes the result, the others follow it. Started alone on a machine
with several GPUs, the job calls torchrun itself.

They meet at a store that torch opens on the node of rank 0, on all its interfaces, unencrypted and
without a password. What can be done about that is done: the job's script draws the port and a name
of 128 bits, and every key of the store begins with that name. Who reaches the port can disturb the
start, but neither read nor replace what he cannot name; who can read the cluster's network can.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.learning.feed.order import Share
from hpc_jobs.learning.training.team import Team

PORT = 29_400  # and the job's number modulo a thousand: two jobs may share a node
BY_HAND = "by hand"  # the name where no script of ours has drawn one
JOIN_TIMEOUT = timedelta(minutes=10)

# rank, size, rank on the node; the first complete set counts. A batch script under Slurm has
# SLURM_PROCID too, but of one task: then the size is 1.
LAUNCHERS = (
    ("RANK", "WORLD_SIZE", "LOCAL_RANK"),  # torchrun
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),  # Open MPI
    ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),  # PBS mpiexec, Intel MPI, MPICH
    ("PALS_RANKID", "PALS_SIZE", "PALS_LOCAL_RANKID"),  # PBS on Cray
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID"),  # srun
)


@dataclass(frozen=True, slots=True)
class Rank:
    """One process among those that a launcher started."""

    rank: int = 0
    world: int = 1
    local: int = 0
    address: str = "127.0.0.1"
    port: int = PORT
    meeting: str = BY_HAND
    """name under which they meet"""


def rank_of(environment: Mapping[str, str]) -> Rank:
    """Read the launcher's variables; alone where there are none. Raises ConfigurationError."""
    for names in LAUNCHERS:
        if all(name in environment for name in names):
            rank, world, local = (int(environment[name]) for name in names)
            if not 0 <= rank < world:
                raise ConfigurationError(f"{names[0]}={rank} with {names[1]}={world}; start anew")
            if world == 1:
                return Rank()
            meeting = environment.get("HPC_MEETING") or BY_HAND
            place = _address(environment, names[0]), _port(environment)
            return Rank(rank, world, local, *place, meeting)
    return Rank()


def launch_on(gpus: int, rank: Rank, module: str, arguments: Sequence[str]) -> list[str] | None:
    """Command that starts a rank per GPU of this machine; None where a launcher did, or no need."""
    if rank.world > 1 or gpus < 2:
        return None
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return [*torchrun, f"--nproc-per-node={gpus}", "-m", module, *arguments]


@contextmanager
def joined(rank: Rank) -> Iterator[Team]:
    """Within this context the process group is up: NCCL between GPUs, gloo between CPUs."""
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", rank.local % torch.cuda.device_count())
        torch.cuda.set_device(device)
    team = Team(Share(rank.rank, rank.world), device)
    if team.alone:
        yield team
        return
    place = f"tcp://{rank.address}:{rank.port}"
    store, _, _ = next(rendezvous(place, rank.rank, rank.world, timeout=JOIN_TIMEOUT))
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=dist.PrefixStore(rank.meeting, store),  # type: ignore[attr-defined]
        rank=rank.rank,
        world_size=rank.world,
        timeout=JOIN_TIMEOUT,
    )
    try:
        yield team
    finally:
        dist.destroy_process_group()


def _address(environment: Mapping[str, str], launcher: str) -> str:
    """Host of rank 0: said by torchrun, else the first node that the scheduler gave."""
    if address := environment.get("MASTER_ADDR"):
        return address
    if launcher == "SLURM_PROCID" and (host := environment.get("SLURM_LAUNCH_NODE_IPADDR")):
        return host
    if (nodes := environment.get("PBS_NODEFILE")) and os.path.isfile(nodes):
        with open(nodes) as file:
            return file.readline().strip()
    return "127.0.0.1"


def _port(environment: Mapping[str, str]) -> int:
    if port := environment.get("MASTER_PORT"):
        return int(port)
    job = environment.get("SLURM_JOB_ID") or environment.get("PBS_JOBID", "0").partition(".")[0]
    digits = "".join(character for character in job if character.isdigit()) or "0"
    return PORT + int(digits) % 1000
