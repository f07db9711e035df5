"""One element as several processes: started by srun on two nodes, warned, continued, done."""

import time
from dataclasses import replace
from pathlib import Path

from hpc_jobs.contract.layout import RunFolder
from operators.cluster.job import ElementState
from operators.cluster.launchers import Launch
from operators.cluster.transports.ssh import SshTransport
from tests.clusters.slurm import SlurmCluster
from tests.integration.slurm.trials import RESOURCES, array_job, follow

TEAM = replace(RESOURCES, nodes=2, memory_mib=700, walltime_s=600)


def test_every_rank_hears_the_warning_and_a_second_job_ends_the_work(
    alpha: SlurmCluster, transport_to_alpha: SshTransport, run: RunFolder[Path]
) -> None:
    """The warning is Slurm's own, as before a walltime's end: to the step, not to the script."""
    gate = run.root / "gate"
    launch = Launch(kind="srun", nodes=2, tasks_per_node=1, cpus=1)
    job = array_job(
        alpha, transport_to_alpha, run, 1, "--gate", str(gate),
        resources=TEAM, module="tests.integration.slurm.team_job", launch=launch,
    )  # fmt: skip
    job.attach()
    ranks = [run.root / f"rank-{rank}" for rank in range(2)]
    deadline = time.monotonic() + 120
    while not all(rank.exists() for rank in ranks):
        assert time.monotonic() < deadline, job.log_tail(0)
        time.sleep(0.2)
    alpha.admin("scancel", "--signal=TERM", job.job_ids[0])
    snapshot = follow(job)
    assert snapshot.failed == {0: ElementState.HANDED_OVER}, job.log_tail(0)
    gate.touch()
    job.try_again(snapshot.failed)
    assert follow(job).done == 1
    [result] = job.results()
    assert result["facts"] == {"ranks": 2, "sum": 3.0}
    assert "was told to stop" in Path(job.folder.logs / f"{job.job_ids[0]}_0.out").read_text()
