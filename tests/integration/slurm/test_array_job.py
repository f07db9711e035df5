"""Array jobs of the control plane on both clusters: through sshd, by Slurm, to result files."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from hpc_jobs.contract.layout import RunFolder
from operators.cluster.errors import AmbiguousReply, SubmissionRefused, TransportError
from operators.cluster.job import ElementState, Resources
from operators.cluster.transports.ssh import SshTransport
from tests.clusters.hpc_site import Site
from tests.clusters.slurm import SlurmCluster
from tests.integration.slurm.trials import (
    RESOURCES,
    array_job,
    follow,
    history,
    in_queue,
    solved,
    until_running,
)

TIMED_OUT = """
echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2
exit 1
"""


def test_every_element_is_solved_once_and_tells_so(
    cluster: SlurmCluster, transport: SshTransport, run: RunFolder[Path]
) -> None:
    job = array_job(cluster, transport, run, 12)
    job.attach()
    assert len(job.submissions) == {"alpha": 1, "beta": 2}[cluster.name]  # MaxArraySize
    snapshot = follow(job)
    assert (snapshot.done, snapshot.failed) == (12, {})
    assert solved(run) == list(range(12))
    results = job.results()
    assert sorted(result["element"] for result in results) == list(range(12))
    assert {result["job_id"].partition("_")[0] for result in results} == set(job.job_ids)
    deadline = time.monotonic() + 20  # a result is there before Slurm has seen the end
    while in_queue(job):
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_accounting_tells_how_elements_ended_where_there_is_one(
    cluster: SlurmCluster, transport: SshTransport, run: RunFolder[Path]
) -> None:
    job = array_job(cluster, transport, run, 3, "--fail", "1")
    job.attach()
    follow(job)
    C, F = ElementState.COMPLETED, ElementState.FAILED
    told = {job.job_ids[0]: {0: C, 1: F, 2: C}}
    deadline = time.monotonic() + 20
    while (known := history(job)) != (told if cluster.name == "alpha" else {}):
        assert time.monotonic() < deadline, known
        time.sleep(0.5)


def test_only_what_failed_is_submitted_again(
    cluster: SlurmCluster, transport: SshTransport, run: RunFolder[Path]
) -> None:
    job = array_job(cluster, transport, run, 12, "--fail", "3", "11")
    job.attach()
    first = len(job.submissions)
    snapshot = follow(job)
    assert snapshot.failed == {3: ElementState.FAILED, 11: ElementState.FAILED}
    assert "told to fail once" in job.log_tail(3)
    job.try_again(snapshot.failed)
    assert [s.elements for s in job.submissions[first:]] == [(3, 11)]
    snapshot = follow(job)
    assert (snapshot.done, snapshot.failed) == (12, {})
    assert solved(run) == list(range(12))


def test_another_process_finds_the_job_and_submits_nothing(
    cluster: SlurmCluster, transport: SshTransport, run: RunFolder[Path]
) -> None:
    job = array_job(cluster, transport, run, 3, "--sleep-s", "2")
    job.attach()
    successor = array_job(cluster, transport, run, 3, "--sleep-s", "2")
    successor.attach()
    assert successor.job_ids == job.job_ids
    assert follow(successor).done == 3
    assert solved(run) == [0, 1, 2]


def test_a_restarted_controller_costs_nothing(
    cluster: SlurmCluster, transport: SshTransport, run: RunFolder[Path]
) -> None:
    job = array_job(cluster, transport, run, 6, "--sleep-s", "4")
    job.attach()
    ledger = until_running(job)
    cluster.controller.stop()
    with pytest.raises(TransportError, match="did not answer"):
        job.look(ledger)
    cluster.controller.start()
    snapshot = follow(job)
    assert (snapshot.done, snapshot.failed) == (6, {})
    assert solved(run) == list(range(6))


def test_a_submit_that_timed_out_is_found_and_not_repeated(
    cluster: SlurmCluster, transport: SshTransport, run: RunFolder[Path]
) -> None:
    job = array_job(cluster, transport, run, 3, "--sleep-s", "1")
    with cluster.login.command("sbatch", '"$REAL" "$@" >/dev/null; ' + TIMED_OUT):
        with pytest.raises(AmbiguousReply, match="Socket timed out"):
            job.attach()
        assert len(in_queue(job)) == 1
        successor = array_job(cluster, transport, run, 3, "--sleep-s", "1")
        successor.attach()
    assert len(successor.job_ids) == 1
    assert follow(successor).done == 3
    assert solved(run) == [0, 1, 2]


def test_a_submit_that_never_arrived_is_repeated_after_the_grace_period(
    cluster: SlurmCluster, transport: SshTransport, run: RunFolder[Path]
) -> None:
    job = array_job(cluster, transport, run, 2)
    with cluster.login.command("sbatch", TIMED_OUT), pytest.raises(AmbiguousReply):
        job.attach()
    assert in_queue(job) == {}
    successor = array_job(cluster, transport, run, 2)
    successor.attach()
    assert follow(successor).done == 2
    assert solved(run) == [0, 1]


def test_too_little_memory_is_answered_with_more(
    site: Site, cluster: SlurmCluster, transport: SshTransport, run: RunFolder[Path]
) -> None:
    job = array_job(cluster, transport, run, 2, "--eat-mib", "160")
    job.attach()
    snapshot = follow(job)
    if not site.out_of_memory_is_told:  # without cgroups, it looks like any other failure
        assert set(snapshot.failed.values()) == {ElementState.FAILED}
        return
    assert set(snapshot.failed.values()) == {ElementState.OUT_OF_MEMORY}
    job.try_again(snapshot.failed)
    assert job.records[-1].resources.memory_mib == 225
    assert follow(job).done == 2
    assert solved(run) == [0, 1]


def test_a_refusal_is_said_in_the_schedulers_words(
    cluster: SlurmCluster, transport: SshTransport, run: RunFolder[Path]
) -> None:
    job = array_job(cluster, transport, run, 2, resources=replace(RESOURCES, partition="nowhere"))
    with pytest.raises(SubmissionRefused, match="invalid partition specified: nowhere"):
        job.attach()
    assert in_queue(job) == {}


def test_a_cancelled_job_ends_and_says_so(
    cluster: SlurmCluster, transport: SshTransport, run: RunFolder[Path]
) -> None:
    job = array_job(cluster, transport, run, 3, "--sleep-s", "120")
    job.attach()
    until_running(job)
    job.cancel()
    assert set(follow(job).failed.values()) == {ElementState.CANCELLED}
    assert solved(run) == []


def test_a_refused_job_is_submitted_once_its_request_was_mended(
    cluster: SlurmCluster, transport: SshTransport, run: RunFolder[Path]
) -> None:
    """Slurm keeps what it refused for its memory in the queue: FAILED, and of the same name."""
    greedy = Resources(memory_mib=1 << 20)
    job = array_job(cluster, transport, run, 2, resources=greedy)
    with pytest.raises(SubmissionRefused, match="Memory specification can not be satisfied"):
        job.attach()
    mended = array_job(cluster, transport, run, 2)
    mended.attach()
    snapshot = follow(mended)
    assert (snapshot.done, snapshot.failed) == (2, {})
