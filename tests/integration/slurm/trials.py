"""Array jobs of a made-up job on the clusters, without Airflow: submitted, followed, counted."""

import sys
import time
from pathlib import Path, PurePosixPath

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.layout import RunFolder, Workspace
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.records import publish_model
from operators.cluster.client import ArrayJob
from operators.cluster.errors import TransportError
from operators.cluster.job import Queue, Resources
from operators.cluster.launchers import Launch
from operators.cluster.ledger import Ledger, Snapshot
from operators.cluster.schedulers.slurm import Slurm
from operators.cluster.script import JobScript
from operators.cluster.submission import ArrayPlan
from operators.cluster.transports.ssh import SshTransport
from tests.clusters.slurm import SlurmCluster
from tests.harness.shipped_code import ship

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[2]
CODE = "0" * 64
LARGEST_ARRAY = {"alpha": 1000, "beta": 10}
RESOURCES = Resources(walltime_s=300, memory_mib=150)


def open_run(folder: Path, name: str = "trial") -> RunFolder[Path]:
    """A run folder that knows its campaign, beside shipped code: the trial job solves shards."""
    workspace = Workspace(folder)
    run = workspace.run(name)
    campaign = load(Campaign, CHECKOUT / "dags" / "campaigns" / "single_sheet.yaml")
    publish_model(run.campaign, FrozenCampaign(run_id=name, campaign=campaign, code_sha256=CODE))
    ship(workspace.code(CODE), HERE / "trial_job.py")
    return run


def array_job(
    cluster: SlurmCluster,
    transport: SshTransport,
    run: RunFolder[Path],
    elements: int,
    *arguments: str,
    resources: Resources = RESOURCES,
    name: str = "trial",
    module: str = "hpc_jobs.jobs.solve_shard",
    launch: Launch | None = None,
    largest_array: int | None = None,
) -> ArrayJob:
    """A job of the shipped code; any other module, with its libraries, is of the checkout."""
    remote = RunFolder(PurePosixPath(run.root))
    # A test's own name: whoever submits it again is led to the job that has it.
    token = f"{name}-{run.root.parent.name.split()[-1]}"
    folder = remote.job(token)
    script = JobScript(
        token=token,
        argv=(sys.executable, "-m", module, str(run.root), *arguments),
        folder=folder.root,
        code=PurePosixPath(
            run.root.parent / "code" / CODE if module.startswith("hpc_jobs") else CHECKOUT
        ),
        launch=launch,
    )
    plan = ArrayPlan(
        token=token,
        elements=elements,
        resources=resources,
        script=script,
        max_array_size=largest_array or LARGEST_ARRAY[cluster.name],
        grace_s=8,
    )
    return ArrayJob(transport, Slurm(), folder, plan)


def follow(job: ArrayJob, timeout_s: float = 120) -> Snapshot:
    """Look until all has ended; an outage is waited out, and its time does not count."""
    ledger, deadline = job.ledger(), time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            snapshot = job.look(ledger)
        except TransportError:
            ledger.interrupted()
        else:
            if snapshot.settled:
                return snapshot
        time.sleep(0.5)
    raise TimeoutError(f"not settled: {job.look(ledger).line}")


def until_running(job: ArrayJob, timeout_s: float = 60) -> Ledger:
    ledger, deadline = job.ledger(), time.monotonic() + timeout_s
    while not (snapshot := job.look(ledger)).running:
        assert time.monotonic() < deadline, snapshot.line
        time.sleep(0.2)
    return ledger


def solved(run: RunFolder[Path]) -> list[int]:
    """Every element as often as it was solved."""
    path = run.root / "solved"
    return sorted(map(int, path.read_text().split())) if path.exists() else []


def in_queue(job: ArrayJob) -> dict[str, str]:
    scheduler = job.scheduler
    return scheduler.parse_names(job.transport.run(scheduler.names_command()))


def history(job: ArrayJob) -> Queue:
    command = job.scheduler.history_command(job.job_ids, 3600.0)
    assert command is not None
    return job.scheduler.parse_history(job.transport.run(command))
