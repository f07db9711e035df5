"""Resources on a cluster: the campaign's wishes, the site's defaults, and what is refused."""

from pathlib import Path
from typing import get_args

import pytest

from hpc_jobs.contract.cluster import Cluster, Launcher
from hpc_jobs.contract.execution import ON_GPU_CLUSTER, Execution, Job, ResourceRequest
from operators.cluster.errors import SubmissionRefused
from operators.cluster.job import Resources
from operators.cluster.launchers import LAUNCHERS, Launch
from operators.runs.resources import launch_on, refused_resources, resources_on

SITE = Cluster.model_validate(
    {
        "name": "here",
        "description": "a site",
        "scheduler": "slurm",
        "workspaces": {"kind": "directory", "root": "ws"},
        "partition": "normal",
        "account": "materials",
        "options": ["--switches=1"],
    }
)


def test_the_campaign_comes_before_the_site() -> None:
    asked = ResourceRequest(walltime_s=900, partition="long", options=("--nice",), after=("12",))
    assert resources_on(SITE, asked) == Resources(
        walltime_s=900,
        partition="long",
        account="materials",
        options=("--switches=1", "--nice"),
        after=("12",),
    )
    assert resources_on(SITE, asked, {"walltime_s": 60}).walltime_s == 60
    assert resources_on(SITE, None).partition == "normal"
    by_the_cpu = SITE.model_copy(update={"memory": "per_cpu"})
    assert resources_on(by_the_cpu, asked).memory == "per_cpu"


def test_what_a_cluster_lacks_is_said_once_with_the_jobs_and_a_remedy() -> None:
    local = SITE.model_copy(update={"scheduler": "local", "options": (), "account": None})
    execution = Execution(
        cpu_cluster="here",
        gpu_cluster="there",
        workspace="w",
        resources={
            "train": ResourceRequest(gpus=1),
            "solve_shard": ResourceRequest(exclusive=True),
        },
    )
    gpu_site = SITE.model_copy(update={"name": "there", "scheduler": "pbs", "qos": "high"})
    sites = {"cpu_cluster": local, "gpu_cluster": gpu_site}
    lines = list(refused_resources(execution, sites))
    theirs = [job for job in get_args(Job) if job in ON_GPU_CLUSTER]
    ours = [job for job in get_args(Job) if job not in ON_GPU_CLUSTER]
    assert sorted(line.partition(":")[0] for line in lines) == [
        "execution.resources of solve_shard on cluster 'here'",
        f"execution.resources of {', '.join(theirs)} on cluster 'there'",
        f"execution.resources of {', '.join(theirs)} on cluster 'there'",
        f"execution.resources of {', '.join(ours)} on cluster 'here'",
    ]
    text = "\n".join(lines)
    assert "exclusive is True, which batchq cannot express; this queue is one machine" in text
    assert "partition is 'normal', which batchq cannot express" in text
    assert "qos is 'high', which PBS cannot express; PBS has no quality of service" in text
    assert "options names '--switches=1': write it as in '-l software=abaqus'" in text
    assert "gpus" not in text, "the GPU cluster has them"
    assert list(refused_resources(execution, {"cpu_cluster": SITE})) == []


def test_every_launcher_of_the_contract_is_known() -> None:
    assert set(get_args(Launcher.model_fields["kind"].annotation)) == set(LAUNCHERS)


def test_several_tasks_need_somebody_who_starts_them() -> None:
    execution = Execution(
        cpu_cluster="here",
        gpu_cluster="here",
        workspace="w",
        resources={"train": ResourceRequest(nodes=2, tasks_per_node=4, cpus=3)},
    )
    [line] = refused_resources(execution, {"gpu_cluster": SITE})
    assert line.startswith("execution.resources of train on cluster 'here': 2 nodes with")
    assert "8 processes" in line and "launcher: {kind: srun}" in line
    wanted = resources_on(SITE, execution.resources["train"])
    with pytest.raises(SubmissionRefused, match=r"cluster 'here': 2 nodes .* names no launcher"):
        launch_on(SITE, wanted)
    launcher = Launcher(kind="srun", options=("--cpu-bind=none",))
    able = SITE.model_copy(update={"launcher": launcher})
    assert list(refused_resources(execution, {"gpu_cluster": able})) == []
    assert launch_on(able, wanted) == Launch(
        kind="srun", nodes=2, tasks_per_node=4, cpus=3, options=("--cpu-bind=none",)
    )
    assert launch_on(able, Resources()) is None


def test_every_shipped_campaign_fits_its_clusters() -> None:
    from hpc_jobs.contract.campaign import Campaign
    from hpc_jobs.contract.loading import load

    dags = Path(__file__).parents[4] / "dags"
    campaigns = sorted((dags / "campaigns").glob("*.yaml"))
    assert len(campaigns) >= 2
    for file in campaigns:
        execution = load(Campaign, file).execution
        sites = {
            key: load(Cluster, dags / "clusters" / f"{getattr(execution, key)}.yaml")
            for key in ("cpu_cluster", "gpu_cluster")
        }
        assert list(refused_resources(execution, sites)) == []
