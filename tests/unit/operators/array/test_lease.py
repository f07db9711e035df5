"""Leases: long enough for a job, and no extension spent for nothing."""

import os
from pathlib import Path
from typing import Any

import pytest

from hpc_jobs.contract.cluster import Cluster
from operators.array.lease import lengthen, require_lease
from operators.cluster.errors import SubmissionRefused, WorkspaceRefused
from operators.cluster.session import ClusterSession
from tests.harness.local_transport import LocalTransport

DAY_S = 86400.0
# As hpc-workspace 1.6 answers where a filesystem caps a lease at three days: with success.
TOOL = """#!/bin/sh
cd "$(dirname "$0")"
left=$(cat left) days=$(cat days)
case $0 in
  *ws_list)
    printf 'id: w\\n     workspace directory  : %s\\n' "$WS_PATH"
    printf '     remaining time       : %s days 23 hours\\n' "$((days - 1))"
    printf '     filesystem name      : scratch\\n     available extensions : %s\\n' "$left" ;;
  *ws_extend)
    echo "$@" >> asked
    [ "$left" -gt 0 ] || { echo 'Error: no more extensions.' >&2; exit 255; }
    for last; do :; done
    [ "$last" -le "$CAP" ] || { echo 'Error: Duration longer than allowed' >&2; last=$CAP; }
    echo "$last" > days; echo $((left - 1)) > left; echo "$WS_PATH" ;;
esac
"""


class Site:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, cap: int) -> None:
        self.tools, self.path = folder / "tools", folder / "ws" / "me-w"
        self.tools.mkdir()
        self.path.mkdir(parents=True)
        for name in ("ws_list", "ws_extend"):
            (self.tools / name).write_text(TOOL)
            (self.tools / name).chmod(0o755)
        self.holds(days=1, left=2)
        monkeypatch.setenv("PATH", f"{self.tools}:{os.environ['PATH']}")
        monkeypatch.setenv("WS_PATH", str(self.path))
        monkeypatch.setenv("CAP", str(cap))
        description: dict[str, Any] = {
            "name": "cpu",
            "description": "a site",
            "scheduler": "pbs",
            "workspaces": {"kind": "hpc_workspace"},
        }
        site = Cluster.model_validate(description)
        self.session = ClusterSession(
            "cpu", lambda: site, lambda: pytest.fail("no login"), lambda _: LocalTransport(folder)
        )

    def holds(self, *, days: int, left: int) -> None:
        (self.tools / "days").write_text(f"{days}\n")
        (self.tools / "left").write_text(f"{left}\n")

    def asked(self) -> list[str]:
        path = self.tools / "asked"
        return path.read_text().splitlines() if path.exists() else []


def test_a_lease_that_is_too_short_is_extended_on_its_own_filesystem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, monkeypatch, cap=30)
    require_lease(site.session, str(site.path), 4 * DAY_S)
    require_lease(site.session, str(site.path), 4 * DAY_S)
    assert len(site.asked()) == 1 and site.asked()[0].startswith("-F scratch ")


def test_no_extension_is_spent_where_it_would_give_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first shows what the filesystem gives; from then on that is known."""
    site = Site(tmp_path, monkeypatch, cap=3)
    for _ in range(3):
        with pytest.raises(SubmissionRefused, match=r"expires in 3\.0 days, the job may take 5\.0"):
            require_lease(site.session, str(site.path), 5 * DAY_S)
    assert len(site.asked()) == 1 and (site.tools / "left").read_text() == "1\n"
    [lease] = site.session.workspaces.list()
    assert lengthen(site.session, lease, 30) == lease, "nor by housekeeping"
    assert len(site.asked()) == 1
    site.holds(days=1, left=1)
    require_lease(site.session, str(site.path), 2 * DAY_S)
    assert len(site.asked()) == 2, "what it does give is still taken"


def test_what_an_extension_gave_is_told_not_what_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, monkeypatch, cap=3)
    [lease] = site.session.workspaces.list()
    after = lengthen(site.session, lease, 30)
    assert after.remaining_s == pytest.approx(3 * DAY_S, abs=3600) and after.extensions == 1


def test_the_last_extension_is_not_asked_for_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, monkeypatch, cap=30)
    site.holds(days=1, left=0)
    [lease] = site.session.workspaces.list()
    with pytest.raises(WorkspaceRefused, match="no extension left"):
        lengthen(site.session, lease, 30)
    assert site.asked() == []
