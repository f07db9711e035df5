"""Resources: what a person may ask of a scheduler, and nothing that says more than it seems to."""

import pytest
from pydantic import ValidationError

from hpc_jobs.contract.cluster import Cluster
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.execution import Execution, ResourceRequest
from hpc_jobs.contract.loading import parse

UGLY = [
    "two words",
    "it's",
    'a "quoted" name',
    "semi;touch canary",
    "$(touch canary)",
    "`touch canary`",
    "new\nline",
    "last\n",
    "-x",
    "--wrap=touch canary",
    "a\x00b",
    "",
]
SITE = {
    "name": "here",
    "description": "a site",
    "scheduler": "slurm",
    "workspaces": {"kind": "directory", "root": "ws"},
}
NAMES = ("partition", "account", "qos", "constraint", "reservation", "mail")


@pytest.mark.parametrize("key", NAMES)
@pytest.mark.parametrize("ugly", UGLY)
def test_no_name_of_a_site_holds_more_than_a_name(key: str, ugly: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"test: {key}"):
        parse(ResourceRequest, {key: ugly}, "test")


@pytest.mark.parametrize("ugly", [*UGLY, "12,13", "12:13", "all"])
def test_a_dependency_is_a_job_id(ugly: str) -> None:
    with pytest.raises(ConfigurationError, match=r"test: after\.0"):
        parse(ResourceRequest, {"after": [ugly]}, "test")


@pytest.mark.parametrize("ugly", ["touch canary", "new\nline", "--a\nb", "- x", "--a\x00", "-", ""])
def test_an_option_is_one_printable_line_that_begins_with_a_dash(ugly: str) -> None:
    with pytest.raises(ConfigurationError, match=r"options\.0"):
        parse(ResourceRequest, {"options": [ugly]}, "test")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("partition", "normal,long"),
        ("account", "hpc-12345"),
        ("qos", "gpu_high"),
        ("constraint", "[rack1*2&rack2*4]"),
        ("constraint", "node_type=rome:mem_type=hbm"),
        ("reservation", "R123"),
        ("mail", "first.last+hpc@uni-example.de"),
        ("after", ["12", "3[].pbs1", "4.pbs-1.example.org"]),
        ("options", ["--switches=1@60", "-l place=pack", "--comment=it's $(fine)"]),
    ],
)
def test_what_sites_really_have_is_accepted(key: str, value: object) -> None:
    found = getattr(ResourceRequest.model_validate({key: value}), key)
    assert found == (tuple(value) if isinstance(value, list) else value)


def test_the_warning_comes_before_the_end() -> None:
    assert ResourceRequest(walltime_s=600, signal_before_end_s=60).signal_before_end_s == 60
    with pytest.raises(ValidationError, match="not less than walltime_s, 600; give a smaller one"):
        ResourceRequest(walltime_s=600, signal_before_end_s=600)


def test_only_a_training_is_several_processes_with_a_gpu_each() -> None:
    def execution(job: str, **asked: int) -> Execution:
        sites = {"cpu_cluster": "here", "gpu_cluster": "there", "workspace": "w"}
        return Execution.model_validate(sites | {"resources": {job: asked}})

    assert execution("train", nodes=2, tasks_per_node=4, gpus=4).resources_for("train").nodes == 2
    assert execution("train", gpus=4).resources_for("train").gpus == 4  # torchrun, inside the job
    with pytest.raises(ValidationError, match=r"solve_shard asks for nodes 2.*leave both at 1"):
        execution("solve_shard", nodes=2)
    with pytest.raises(ValidationError, match="gpus 4 of each node; a task uses one GPU"):
        execution("train", tasks_per_node=2, gpus=4)


@pytest.mark.parametrize(
    ("scheduler", "kind", "words"),
    [("pbs", "srun", "choose openmpi or mpich"), ("local", "openmpi", "one machine")],
)
def test_a_launcher_fits_its_scheduler(scheduler: str, kind: str, words: str) -> None:
    document = SITE | {"scheduler": scheduler, "launcher": {"kind": kind}}
    with pytest.raises(ConfigurationError, match=words):
        parse(Cluster, document, "here.yaml")


def test_a_site_may_set_defaults_for_every_job() -> None:
    document = SITE | {"qos": "normal", "options": ["--switches=1"]}
    assert parse(Cluster, document, "here.yaml").options == ("--switches=1",)
    with pytest.raises(ConfigurationError, match=r"here\.yaml: qos is '\$\(id\)'"):
        parse(Cluster, document | {"qos": "$(id)"}, "here.yaml")
