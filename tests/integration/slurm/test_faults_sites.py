"""Sites as people have them: limits, hidden partitions, settings of the login, a blind squeue.

Whatever the site does, no element is lost, and none is solved twice.
"""

import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from hpc_jobs.contract.layout import RunFolder
from operators.cluster.client import ArrayJob
from operators.cluster.job import ElementState as S
from operators.cluster.job import Resources
from operators.cluster.ledger import Snapshot
from operators.cluster.retry import worth_another_try
from operators.cluster.transports.ssh import SshTransport
from tests.clusters.slurm import SlurmCluster
from tests.integration.slurm.conftest import client
from tests.integration.slurm.trials import RESOURCES, array_job, follow, solved, until_running

NO_SACCT = "echo 'bash: sacct: command not found' >&2; exit 127"
WORK = """
while [ ! -e "$1" ]; do sleep 0.1; done
echo "$TASK_INDEX" >> "$2/solved"
mkdir -p results && echo '{}' > "results/$TASK_INDEX.json"
"""
BANNER = "Welcome to cluster7; your quota is 95% full"


def follow_a_campaign(job: ArrayJob, timeout_s: float) -> Snapshot:
    """What the operator does: fill up as there is room, try again what failed."""
    ledger, deadline, live_at_first = job.ledger(), time.monotonic() + timeout_s, -1
    while True:
        snapshot = job.look(ledger)
        assert time.monotonic() < deadline, snapshot.line
        live = snapshot.running + snapshot.pending
        live_at_first = max(live_at_first, live)
        if job.held_back and live <= live_at_first // 2:
            job.attach()
            ledger, live_at_first = job.ledger(), -1
        elif snapshot.settled:
            again = worth_another_try(snapshot.failed, job.records, 3)
            if not again:
                return snapshot
            job.try_again(again)
            ledger, live_at_first = job.ledger(), -1
        else:
            time.sleep(0.2)


@pytest.mark.slow
def test_jobs_in_a_hidden_partition_are_not_lost(beta: SlurmCluster, run: RunFolder[Path]) -> None:
    """Who is not root sees a hidden partition's jobs only with --all; here nobody keeps books."""
    for path in (run.root.parent, run.root, *run.root.parent.rglob("*")):
        path.chmod(0o777)
    transport = SshTransport(lambda: client(beta))
    with beta.login.played(user="nobody"), beta.hidden("gpu"):
        gate = run.root / "gate"
        job = array_job(beta, transport, run, 3)
        # Plain shell: nobody may not be allowed to run this Python.
        argv = ("sh", "-c", WORK, "work", str(gate), str(run.root))
        job.plan = replace(job.plan, script=replace(job.plan.script, argv=argv))
        job.attach()
        ledger = until_running(job)
        assert not transport.run(("squeue", "--me", "--noheader")).stdout, "it is hidden"
        until = time.monotonic() + job.plan.grace_s + 4
        while time.monotonic() < until:
            snapshot = job.look(ledger)
            assert not snapshot.failed and not snapshot.unknown, snapshot.line
            time.sleep(1)
        names = job.scheduler.parse_names(transport.run(job.scheduler.names_command()))
        assert set(names) == set(job.job_ids)
        gate.touch()
        assert follow(job).done == 3
        transport.close()
    assert solved(run) == [0, 1, 2]


@pytest.mark.slow
def test_the_login_s_own_variables_change_nothing(beta: SlurmCluster, run: RunFolder[Path]) -> None:
    transport = SshTransport(lambda: client(beta))
    variables = {
        **{"SQUEUE_PARTITION": "nosuch", "SQUEUE_ACCOUNT": "nobody", "SQUEUE_NAMES": "x"},
        **{"SQUEUE_STATES": "F", "SQUEUE_FORMAT": "%i", "SBATCH_PARTITION": "nosuch"},
        **{"SBATCH_JOB_NAME": "x", "SCANCEL_NAME": "x", "SLURM_CLUSTERS": "elsewhere"},
        **{"SBATCH_EXPORT": "NONE", "SBATCH_HOLD": "1"},
    }
    with beta.login.played(**variables):
        gate = run.root / "gate"
        job = array_job(beta, transport, run, 3, "--gate", str(gate))
        job.attach()
        ledger = until_running(job)
        until = time.monotonic() + job.plan.grace_s + 2
        while time.monotonic() < until:
            snapshot = job.look(ledger)
            assert not snapshot.failed and not snapshot.unknown, snapshot.line
            time.sleep(1)
        gate.touch()
        assert follow(job).done == 3
        transport.close()
    assert solved(run) == [0, 1, 2]


@pytest.mark.slow
def test_what_a_blind_squeue_loses_is_cancelled_before_it_is_tried_again(
    cluster: SlurmCluster, run: RunFolder[Path]
) -> None:
    """On alpha the accounting calls it running for ever; on beta nobody knows anything.

    The element runs. It is judged lost, cancelled by its id, which squeue's blindness does not
    hide, and only then tried again.
    """
    transport = SshTransport(lambda: client(cluster))
    blind, gate = run.root / "blind", run.root / "gate"
    with cluster.login.command("squeue", _unless(blind)):
        job = array_job(cluster, transport, run, 2, "--gate", str(gate))
        job.attach()
        until_running(job)
        blind.touch()
        snapshot = follow(job)
        assert snapshot.failed == {0: S.LOST, 1: S.LOST}, snapshot.line
        [first] = job.job_ids
        job.try_again(snapshot.failed)
        blind.unlink()
        told = cluster.admin("squeue", "--noheader", "--states=R,PD", "--format=%F")
        assert first not in told.split(), "its old job is gone"
        gate.touch()
        assert follow(job).done == 2
        transport.close()
    assert solved(run) == [0, 1]


def _unless(flag: Path) -> str:
    quoted = str(flag).replace("'", "'\\''")
    return f'if [ -e \'{quoted}\' ]; then exit 0; fi; exec "$REAL" "$@"'


@pytest.mark.slow
@pytest.mark.parametrize("memory", ["per_cpu", "none"])
def test_memory_is_asked_for_as_the_site_wants_it(
    alpha: SlurmCluster, run: RunFolder[Path], memory: str
) -> None:
    transport = SshTransport(lambda: client(alpha))
    script = 'case "$*" in *--mem=*) echo "sbatch: error: no --mem here" >&2; exit 1;; esac\n'
    asked = Resources(walltime_s=300, memory_mib=300, cpus=2, memory=memory)  # type: ignore[arg-type]
    with alpha.login.command("sbatch", script + 'exec "$REAL" "$@"'):
        job = array_job(alpha, transport, run, 1, resources=asked, name=f"memory-{memory}")
        job.attach()
        told = alpha.admin("scontrol", "show", "job", job.job_ids[0])
        assert ("MinMemoryCPU=150M" if memory == "per_cpu" else "MinMemoryCPU=100M") in told
        assert follow(job).done == 1
        transport.close()


@pytest.mark.slow
def test_a_controller_that_is_being_configured_is_waited_for(
    alpha: SlurmCluster, run: RunFolder[Path]
) -> None:
    from operators.cluster.errors import TransportError

    transport = SshTransport(lambda: client(alpha))
    words = "sbatch: fatal: Unable to process configuration file"
    job = array_job(alpha, transport, run, 1, resources=RESOURCES, name="reconfigured")
    with (
        alpha.login.command("sbatch", f"echo '{words}' >&2; exit 1"),
        pytest.raises(TransportError, match="Unable to process configuration file"),
    ):
        job.attach()
    job.attach()
    assert follow(job).done == 1 and solved(run) == [0]
    transport.close()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_campaign_under_tight_limits(alpha: SlurmCluster, run: RunFolder[Path]) -> None:
    """300 elements; MaxSubmitJobs=4, MaxArraySize=11, no requeue, no accounting, tcsh, a banner."""
    transport = SshTransport(lambda: client(alpha))
    with (
        alpha.configured(MaxArraySize=11, JobRequeue=0),
        alpha.jobs_limited_to(4),
        alpha.login.command("sacct", NO_SACCT),
        alpha.login.played(shell="tcsh", banner=BANNER),
    ):
        job = array_job(alpha, transport, run, 300, "--fail", "7", "133")
        job.attach()
        assert job.held_back, "more than there is room for"
        [waits] = [record.waits for record in job.records if record.waits]
        assert "AssocMaxSubmitJobLimit" in waits
        snapshot = follow_a_campaign(job, 1500)
        transport.close()
    assert snapshot.done == 300 and not snapshot.failed, "none is lost"
    assert Counter(solved(run)) == Counter(range(300)), "none is solved twice"
    assert not alpha.admin("squeue", "--noheader"), "nothing is left behind"
