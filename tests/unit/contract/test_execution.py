"""Resources: what a person may ask of a scheduler, and nothing that says more than it seems to."""

import pytest
from pydantic import ValidationError

from hpc_jobs.contract.cluster import Cluster
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.execution import Resources
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
NAMES = ("partition", "account", "qos", "constraint", "reservation", "mail")


@pytest.mark.parametrize("key", NAMES)
@pytest.mark.parametrize("ugly", UGLY)
def test_no_name_of_a_site_holds_more_than_a_name(key: str, ugly: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"test: {key}"):
        parse(Resources, {key: ugly}, "test")


@pytest.mark.parametrize("ugly", [*UGLY, "12,13", "12:13", "all"])
def test_a_dependency_is_a_job_id(ugly: str) -> None:
    with pytest.raises(ConfigurationError, match=r"test: after\.0"):
        parse(Resources, {"after": [ugly]}, "test")


@pytest.mark.parametrize("ugly", ["touch canary", "new\nline", "--a\nb", "- x", "--a\x00", "-", ""])
def test_an_option_is_one_printable_line_that_begins_with_a_dash(ugly: str) -> None:
    with pytest.raises(ConfigurationError, match=r"options\.0"):
        parse(Resources, {"options": [ugly]}, "test")


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
    found = getattr(Resources.model_validate({key: value}), key)
    assert found == (tuple(value) if isinstance(value, list) else value)


def test_the_warning_comes_before_the_end() -> None:
    assert Resources(walltime_s=600, signal_before_end_s=60).signal_before_end_s == 60
    with pytest.raises(ValidationError, match="not less than walltime_s, 600; give a smaller one"):
        Resources(walltime_s=600, signal_before_end_s=600)


def test_a_site_may_set_defaults_for_every_job() -> None:
    document = {
        "name": "here",
        "description": "a site",
        "scheduler": "slurm",
        "workspaces": {"kind": "directory", "root": "ws"},
        "qos": "normal",
        "options": ["--switches=1"],
    }
    assert parse(Cluster, document, "here.yaml").options == ("--switches=1",)
    with pytest.raises(ConfigurationError, match=r"here\.yaml: qos is '\$\(id\)'"):
        parse(Cluster, document | {"qos": "$(id)"}, "here.yaml")
