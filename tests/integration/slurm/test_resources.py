"""What a job asks for is what Slurm grants; asked through the dialect, read back from Slurm."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpc_jobs.contract.layout import RunFolder
from operators.cluster.errors import SubmissionRefused
from operators.cluster.job import ElementState, Resources
from operators.cluster.transports.ssh import SshTransport
from tests.clusters.slurm import SlurmCluster
from tests.integration.slurm.trials import RESOURCES, array_job, follow, in_queue


def granted(cluster: SlurmCluster, job_id: str) -> dict[str, str]:
    """The first element as Slurm describes it."""
    text = cluster.admin("scontrol", "--oneliner", "show", "job", job_id).splitlines()[0]
    return dict(word.split("=", 1) for word in text.split() if "=" in word)


def test_alpha_grants_what_was_asked_for(
    alpha: SlurmCluster, transport_to_alpha: SshTransport, run: RunFolder[Path]
) -> None:
    asked = Resources(
        **{"walltime_s": 300, "memory_mib": 150, "cpus": 1, "nodes": 2, "tasks_per_node": 2},
        **{"partition": "idle", "account": "materials", "qos": "normal", "exclusive": True},
        **{"mail": "nobody@example.org", "running_at_most": 1, "signal_before_end_s": 60},
        options=("--nice=7", "--comment=it's $(touch canary); `id`"),
    )
    job = array_job(alpha, transport_to_alpha, run, 2, "--sleep-s", "30", resources=asked)
    job.attach()
    found = granted(alpha, job.job_ids[0])
    wanted: dict[str, Any] = {
        **{"NumNodes": "2", "NumTasks": "4", "CPUs/Task": "1", "MinMemoryNode": "150M"},
        **{"TimeLimit": "00:05:00", "Partition": "idle", "Account": "materials"},
        **{"QOS": "normal", "OverSubscribe": "NO", "ArrayTaskThrottle": "1"},
        **{"MailUser": "nobody@example.org", "Comment": "it's"},
    }
    told = {key: found.get(key) for key in wanted}
    if told["NumNodes"] == "2-2":  # while it waits
        told["NumNodes"] = "2"
    assert told == wanted
    assert "$(touch canary);" in cluster_line(alpha, job.job_ids[0])
    assert not list(run.root.parent.rglob("canary"))


def cluster_line(cluster: SlurmCluster, job_id: str) -> str:
    return cluster.admin("scontrol", "--oneliner", "show", "job", job_id)


def test_an_element_is_warned_before_its_walltime_is_over(
    alpha: SlurmCluster, transport_to_alpha: SshTransport, run: RunFolder[Path]
) -> None:
    """SIGTERM reaches the element itself, which dies of it here: no result, no walltime spent."""
    asked = replace(RESOURCES, walltime_s=120, signal_before_end_s=110)
    job = array_job(alpha, transport_to_alpha, run, 1, "--sleep-s", "600", resources=asked)
    job.attach()
    snapshot = follow(job)
    assert list(snapshot.failed) == [0]
    assert snapshot.failed[0] is not ElementState.TIMEOUT, "it was warned before"


def test_a_dependency_that_cannot_be_met_ends_the_job(
    alpha: SlurmCluster, transport_to_alpha: SshTransport, run: RunFolder[Path]
) -> None:
    first = array_job(alpha, transport_to_alpha, run, 1, "--sleep-s", "600")
    first.attach()
    after = replace(RESOURCES, after=tuple(first.job_ids))
    second = array_job(alpha, transport_to_alpha, run, 1, resources=after, name="second")
    second.attach()
    assert granted(alpha, second.job_ids[0])["Dependency"].startswith(
        f"afterok:{first.job_ids[0]}_"
    )
    first.cancel()
    assert list(follow(second).failed) == [0]
    assert in_queue(second) == {}


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"reservation": "nosuch"}, "reservation"),
        ({"constraint": "nosuch"}, "feature"),
        ({"qos": "nosuch"}, "qos"),
        ({"account": "nosuch"}, "account"),
        ({"gpus": 1}, "gres"),
    ],
)
def test_what_the_site_does_not_have_is_refused_in_its_words(
    alpha: SlurmCluster,
    transport_to_alpha: SshTransport,
    run: RunFolder[Path],
    wish: dict[str, Any],
    words: str,
) -> None:
    asked = replace(RESOURCES, **wish)
    job = array_job(alpha, transport_to_alpha, run, 1, resources=asked)
    with pytest.raises(SubmissionRefused, match=f"(?i){words}"):
        job.attach()
