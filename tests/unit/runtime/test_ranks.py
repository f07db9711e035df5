"""Ranks from the environment of each launcher, as recorded or as their manuals state it."""

import pytest

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.runtime.ranks import PORT, Rank, launch_on, rank_of

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
