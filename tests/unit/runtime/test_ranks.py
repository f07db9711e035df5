"""Ranks from the environment of each launcher, as recorded or as their manuals state it."""

import json
import os
import subprocess
import sys

import pytest

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.runtime.ranks import PORT, Rank, launch_on, rank_of
from tests.clusters.ports import claim_ports

TORCHRUN = {
    "RANK": "3",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "n07",
    "MASTER_PORT": "41235",
}
SRUN = {
    "SLURM_JOB_ID": "812345",
    "SLURM_PROCID": "5",
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_LOCALID": "1",
    "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.7",
}
OPEN_MPI = {
    "PBS_JOBID": "4711.hawk-pbs5",
    "OMPI_COMM_WORLD_RANK": "0",
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_LOCAL_RANK": "0",
}


def test_alone_without_a_launcher():
    assert rank_of({"PATH": "/bin"}) == Rank(0, 1, 0)


def test_torchrun_says_everything():
    assert rank_of(TORCHRUN) == Rank(3, 8, 1, "n07", 41235)


def test_srun_leaves_address_and_port_to_the_job():
    assert rank_of(SRUN) == Rank(5, 8, 1, "10.0.0.7", PORT + 345)


def test_a_batch_script_under_slurm_is_one_process():
    assert rank_of({"SLURM_JOB_ID": "8", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}) == Rank()
    assert rank_of(SRUN | {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}) == Rank()


def test_mpiexec_under_pbs_meets_at_the_first_node_of_the_job(tmp_path):
    nodes = tmp_path / "nodes"
    nodes.write_text("r12c3n4\nr12c3n5\n")
    found = rank_of(OPEN_MPI | {"PBS_NODEFILE": str(nodes)})
    assert found == Rank(0, 4, 0, "r12c3n4", PORT + 711)
    mpich = {"PMI_RANK": "2", "PMI_SIZE": "4", "MPI_LOCALRANKID": "0", "PBS_JOBID": "12[3].pbs"}
    assert rank_of(mpich) == Rank(2, 4, 0, "127.0.0.1", PORT + 123)


def test_they_meet_under_a_name_that_the_script_has_drawn():
    assert rank_of(SRUN | {"HPC_MEETING": "ab" * 16, "MASTER_PORT": "23456"}) == Rank(
        5, 8, 1, "10.0.0.7", 23456, "ab" * 16
    )


MEET = """
import json, os, sys
import torch, torch.distributed as dist
from hpc_jobs.runtime.ranks import joined, rank_of
rank = rank_of(os.environ)
with joined(rank):
    total = torch.ones(1) * (rank.rank + 1)
    dist.all_reduce(total)
    stranger = dist.TCPStore(rank.address, rank.port, is_master=False)
    print(json.dumps([float(total), sorted(stranger.list_keys())]))
    dist.barrier()
"""


def test_no_key_of_the_meeting_can_be_named_without_its_name():
    """Two real processes; a stranger who reaches the port asks as anybody can."""
    (port,) = claim_ports(1)
    known = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "HPC_MEETING": "cd" * 16}
    known |= {"WORLD_SIZE": "2", "CUDA_VISIBLE_DEVICES": ""}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", MEET],
            env=os.environ | known | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
        )
        for rank in range(2)
    ]
    for process in both:
        total, keys = json.loads(process.communicate(timeout=120)[0].splitlines()[-1])
        assert total == 3.0
        assert keys and all("cd" * 16 in key for key in keys)


def test_torchrun_inside_a_batch_job_counts_first():
    assert rank_of(SRUN | TORCHRUN).rank == 3


def test_a_rank_beyond_the_size_is_refused():
    with pytest.raises(ConfigurationError, match="RANK=8 with WORLD_SIZE=8"):
        rank_of(TORCHRUN | {"RANK": "8"})


def test_a_machine_with_several_gpus_gets_a_rank_for_each_unless_a_launcher_did_it():
    command = launch_on(4, Rank(), "hpc_jobs.jobs.train", ["a run", "--name", "x"])
    assert command is not None and command[-6:] == [
        *("--nproc-per-node=4", "-m", "hpc_jobs.jobs.train", "a run", "--name", "x"),
    ]
    assert launch_on(1, Rank(), "hpc_jobs.jobs.train", []) is None
    assert launch_on(4, Rank(0, 8), "hpc_jobs.jobs.train", []) is None
