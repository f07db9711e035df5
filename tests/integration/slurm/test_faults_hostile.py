"""Names that try to be commands, in every field that a person can set: none is ever executed.

Each value would make a file called canary, on the control host, the login node or a compute node;
all of them work below the site's folder, or in the test's.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from hpc_jobs.contract.errors import ConfigurationError
from operators.cluster.errors import ClusterError
from tests.clusters.hpc_site import Site
from tests.clusters.slurm import SlurmCluster
from tests.integration.slurm.control_host import ControlHost
from tests.integration.slurm.trials import open_run

HOSTILE = """it's "q"; touch canary; $(touch canary) `touch canary` | touch canary & > canary * %"""
WORD = "x;touch${IFS}canary;$(touch${IFS}canary)`touch${IFS}canary`>canary"
LINES = f"{HOSTILE}\ntouch canary\n"


@pytest.fixture(autouse=True)
def no_canary(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    assert not [*site.folder.rglob("canary"), *tmp_path.rglob("canary")]


@pytest.fixture
def hostile(
    alpha: SlurmCluster, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ControlHost:
    """A run whose workspace has a hostile path."""
    folder = site.shared / f"{len(list(site.shared.iterdir()))} {LINES}"
    folder.mkdir()
    return ControlHost(alpha, folder, tmp_path, monkeypatch)


def test_values_arrive_whole_wherever_they_are_meant_to(hostile: ControlHost) -> None:
    """Workspace, interpreter, environment, options, DAG run and arguments at once."""
    python = hostile.desk / HOSTILE
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    hostile.describe(
        python=json.dumps(str(python)),
        environment={"UGLY": LINES},
        options=[f"--comment={HOSTILE}"],
    )
    arguments = ("--note", LINES, "--show", "UGLY")
    report = hostile.finish(hostile.operator(1, *arguments), hostile.context(LINES))
    assert report["done"] == 1
    assert report["facts"]["argv"] == list(arguments) and report["facts"]["shown"] == LINES
    [job_id] = report["job_ids"]
    assert HOSTILE in hostile.cluster.admin("scontrol", "--oneliner", "show", "job", job_id)
    assert hostile.nothing_is_left_behind()


def test_a_module_is_a_name(control: ControlHost) -> None:
    control.describe(modules=[WORD])
    with pytest.raises(AirflowFailException, match=r"FAILED \(element 0\)"):
        control.finish(control.operator(1, handle={"tries_per_element": 1}), control.context())
    assert control.nothing_is_left_behind()


def test_a_backslash_in_the_path_is_refused_with_a_remedy(control: ControlHost) -> None:
    """Slurm would put the output of all elements into one file, elsewhere."""
    folder = control.folder / "back\\slash"
    open_run(folder)
    sites = {"cpu": {"cluster": "alpha", "workspace": str(folder)}}
    with pytest.raises(AirflowFailException, match="name another workspace"):
        control.operator(1, handle={"sites": sites}).execute(control.context())
    assert control.queue() == []


@pytest.mark.parametrize("key", ["partition", "account", "qos", "constraint", "reservation"])
@pytest.mark.parametrize("value", [HOSTILE, LINES, f"-x{HOSTILE}", "nosuch"], ids=list("abcd"))
def test_what_slurm_is_to_choose_is_refused(control: ControlHost, key: str, value: str) -> None:
    """By the cluster's description, or, where a name could be one, by Slurm."""
    control.describe(**{key: value})
    with pytest.raises((ConfigurationError, AirflowFailException)):
        control.operator(1).execute(control.context())
    assert control.queue() == []


@pytest.mark.parametrize("field", ["host", "login", "key_file", "host_key", "private_key"])
def test_a_connection_leads_nowhere_else(
    control: ControlHost, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    connection: dict[str, Any] = json.loads(control.connection())
    if field in connection:
        connection[field] = HOSTILE
    else:
        connection["extra"] = json.dumps(json.loads(connection["extra"]) | {field: HOSTILE})
    monkeypatch.setenv("AIRFLOW_CONN_ALPHA", json.dumps(connection))
    with pytest.raises((ClusterError, AirflowFailException)):
        control.operator(1, patience_s=0).execute(control.context())
    assert control.queue() == []


@pytest.mark.parametrize("key", ["walltime_s", "memory_mib", "cpus"])
def test_resources_are_numbers(control: ControlHost, key: str) -> None:
    with pytest.raises(ValueError, match=r"(?i)int|number"):
        control.operator(1, handle={"resources": {"solve_shard": {key: HOSTILE}}}).execute(
            control.context()
        )
    assert control.queue() == []
