"""What the check says of sites that are not as one would wish: each in a sentence with a remedy."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from operators.hooks.hpc import HpcHook
from tests.clusters.login import generate_key
from tests.harness.sshd import Sshd

Serve = Callable[..., AbstractContextManager[Sshd]]
SITE = """
schema_version: 1
name: odd
description: A site that is not as one would wish.
scheduler: local
workspaces: {kind: directory, root: work}
"""


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    dags = tmp_path / "dags"
    (dags / "clusters").mkdir(parents=True)
    (dags / "clusters" / "odd.yaml").write_text(SITE)
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(dags))
    monkeypatch.setattr(
        "operators.cluster.transports.refusals._own_folder", lambda: tmp_path / "refusals"
    )

    @contextmanager
    def made(key: Path | None = None, **site: Any) -> Iterator[Sshd]:
        with Sshd(tmp_path / "node", **site).running() as node:
            queue = node.folder / "bin" / "batchq"
            queue.write_text("#!/bin/sh\necho '{\"jobs\": []}'\n")
            queue.chmod(0o755)
            extra = {"host_key": node.pin(), "key_file": str(key or node.key)}
            fields = {"conn_type": "ssh", "host": node.host, "port": node.port}
            told = fields | {"login": node.user, "extra": extra}
            monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps(told))
            yield node

    return made


def said(step: str) -> str:
    """The lines of a step of the check."""
    _, words = HpcHook("odd").test_connection()
    lines = words.splitlines()
    number = next(n for n, line in enumerate(lines) if f" {step}: " in line)
    remedy = lines[number + 1] if len(lines) > number + 1 and "->" in lines[number + 1] else ""
    return lines[number] + remedy


def test_a_site_without_fault(serve: Serve) -> None:
    with serve():
        good, words = HpcHook("odd").test_connection()
    assert good and "prints nothing of its own" in words and "8 at once" in words


def test_a_polluted_shell_is_coped_with_and_named(serve: Serve) -> None:
    with serve(says="echo 95%, Welcome, cluster7"):
        line = said("shell")
        assert HpcHook("odd").test_connection()[0]
    assert line.startswith("ok")
    assert "it prints '95%, Welcome, cluster7', which is cut away" in line
    assert "print only when interactive" in line


@pytest.mark.parametrize("shell", ["tcsh", "fish", "zsh"])
def test_a_login_shell_that_is_not_posix_is_named_and_serves(serve: Serve, shell: str) -> None:
    with serve(shell=shell, environment=f"SHELL=/usr/bin/{shell}"):
        assert f"{shell} hands commands and files to /bin/sh as they are" in said("shell")


def test_no_sftp_is_needed(serve: Serve) -> None:
    with serve():  # this sshd has none
        assert "SFTP is not needed" in said("shell")


def test_few_sessions_work_and_are_named(serve: Serve) -> None:
    with serve(max_sessions=1):
        line = said("sessions")
        assert HpcHook("odd").test_connection()[0]
    assert "1 at once, so that commands wait for one another" in line
    assert "ask the site for a MaxSessions of 10" in line


def test_a_refused_key_is_tried_once_a_check_and_has_a_remedy(serve: Serve, tmp_path: Path) -> None:
    key = tmp_path / "stranger"
    generate_key(key)
    with serve(key=key) as node:
        for number in (1, 2):  # a person who asks is answered now, whatever was refused before
            line = said("login")
            assert line.startswith("FAILED") and "the login was refused" in line
            assert "put the public key into the account's authorized_keys" in line
            assert (
                node.log().count("Failed publickey")
                + node.log().count("Connection closed by authenticating user")
                >= number
            )


def test_a_shell_that_runs_nothing_is_named(serve: Serve) -> None:
    with serve(says="echo This account is currently not available.; exit 1"):
        line = said("login")
    assert line.startswith("FAILED") and "This account is currently not available" in line
