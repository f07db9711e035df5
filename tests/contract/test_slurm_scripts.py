"""Slurm's scripts in a real shell, with commands that answer as real sites' do."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from operators.cluster.errors import TransportError
from operators.cluster.job import ElementState as S
from operators.cluster.schedulers.slurm import Slurm
from tests.harness.local_transport import LocalTransport

DAY_S = 86400.0


class Site:
    """A login whose commands a test writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.transport = LocalTransport(folder)

    def command(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\necho {name} "$@" >> {self.folder}/asked\n{script}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def asked(self, name: str) -> list[str]:
        lines = (self.folder / "asked").read_text().splitlines()
        return [line for line in lines if line.startswith(f"{name} ")]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "env", "sed", "cat", "grep", "head"):  # no Slurm, should one be installed
        (tools / name).symlink_to(shutil.which(name) or f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{tools}")
    return Site(tmp_path)


def history(site: Site, age_s: float = 10 * DAY_S) -> dict[str, dict[int, S]]:
    command = Slurm().history_command(["7"], age_s)
    assert command is not None
    told = Slurm().parse_history(site.transport.run(command))
    return {job: dict(elements) for job, elements in told.items()}


def test_the_accounting_is_asked_for_the_span_that_the_jobs_lie_in(site: Site) -> None:
    site.command("sacct", "echo '7_0|COMPLETED'")
    assert history(site, 7200.0) == {"7": {0: S.COMPLETED}}
    [asked] = site.asked("sacct")
    assert "--starttime=now-10800" in asked, "an hour more: two clocks are compared"
    assert Slurm().find_command("t", 60.0)[-1] == "3660"


def test_a_span_that_is_too_wide_for_the_site_is_shortened(site: Site) -> None:
    """slurmdbd's MaxQueryTimeRange, here two days."""
    site.command(
        "sacct",
        "for word; do case $word in --starttime=now-*) span=${word#*now-};; esac; done\n"
        '[ "$span" -le 172800 ] || { echo "sacct: error: slurmdbd: Too wide of a date range in '
        'query" >&2; exit 1; }\necho "7_0|FAILED"',
    )
    assert history(site) == {"7": {0: S.FAILED}}
    assert len(site.asked("sacct")) == 4, "ten days, five, two and a half, one and a quarter"


@pytest.mark.parametrize(
    "script",
    [
        "echo 'Slurm accounting storage is disabled' >&2; exit 1",
        "echo 'sacct: command not found' >&2; exit 127",
        None,
    ],
)
def test_a_site_without_accounting_is_no_outage(site: Site, script: str | None) -> None:
    if script:
        site.command("sacct", script)
    site.command("squeue", "exit 0")
    assert history(site) == {}
    dialect = Slurm()
    assert dialect.parse_find(site.transport.run(dialect.find_command("t.0", 60)), "t.0") == []


def test_an_accounting_that_is_down_is_one(site: Site) -> None:
    site.command("sacct", "echo 'sacct: error: Problem talking to the database' >&2; exit 1")
    site.command("squeue", "exit 0")
    with pytest.raises(TransportError, match="Problem talking"):
        history(site)
    dialect = Slurm()
    with pytest.raises(TransportError, match="Problem talking"):
        dialect.parse_find(site.transport.run(dialect.find_command("t.0", 60)), "t.0")


def test_warnings_beside_an_answer_are_not_part_of_it(site: Site) -> None:
    site.command("sacct", "echo 'sacct: warning: clock skew' >&2; echo '7_0|COMPLETED'")
    assert history(site) == {"7": {0: S.COMPLETED}}


def test_a_job_is_looked_for_in_the_queue_and_then_in_the_accounting(site: Site) -> None:
    dialect = Slurm()
    site.command("sacct", "echo '3_0|t.0'")
    for queue, ids in (
        ("", ["3"]),
        ("4|RUNNING|None|t.0|.", ["4"]),
        ("9|FAILED|BadConstraints|t.0|.", ["3"]),  # refused: it never was a job
    ):
        site.command("squeue", f"printf '%s' '{queue}'; [ -z '{queue}' ] || echo")
        found = site.transport.run(dialect.find_command("t.0", 60))
        assert dialect.parse_find(found, "t.0") == ids
    site.command("squeue", "echo 'slurm_load_jobs error: timed out' >&2; exit 1")
    with pytest.raises(TransportError, match="timed out"):
        dialect.parse_find(site.transport.run(dialect.find_command("t.0", 60)), "t.0")


def test_the_login_s_variables_reach_none_of_the_commands(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = {
        **{"SQUEUE_PARTITION": "x", "SQUEUE_ALL": "1", "SACCT_FORMAT": "x", "SBATCH_HOLD": "1"},
        **{"SCANCEL_NAME": "x", "SLURM_CLUSTERS": "x", "SLURM_TIME_FORMAT": "relative"},
    }
    kept = {"SLURM_CONF": "/etc/slurm.conf", "MINE": "two\nSQUEUE_LINES=1"}
    for name, value in {**foreign, **kept}.items():
        monkeypatch.setenv(name, value)
    for name in ("squeue", "scancel"):
        site.command(name, f"env > {site.folder}/{name}.env")
    dialect = Slurm()
    site.transport.run(dialect.status_command(["7"]))
    site.transport.run(dialect.cancel_command(["7"]))
    for name in ("squeue", "scancel"):
        seen = (site.folder / f"{name}.env").read_text()
        assert not [key for key in foreign if f"\n{key}=" in f"\n{seen}"]
        assert all(f"{key}=" in seen for key in kept)
    assert os.environ["SQUEUE_PARTITION"] == "x"
