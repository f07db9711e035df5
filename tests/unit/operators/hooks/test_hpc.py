"""Sessions of clusters by their Connections, the test of one, and the connection type."""

import grp
import os
from pathlib import Path
from typing import Any

import pytest

from hpc_jobs.contract.errors import ConfigurationError
from operators.cluster.errors import ClusterError, HostKeyRefused, NeedsLogin, WorkspaceRefused
from operators.cluster.session import ClusterSession
from operators.hooks.hpc import HpcHook, open_session
from operators.hooks.login_check import check_login
from operators.hooks.steps import Steps
from operators.provider import get_provider_info
from quickstart.login_node import make_key, public_line
from tests.unit.operators.conftest import Cluster


def test_commands_files_and_workspaces(cluster: Cluster) -> None:
    with open_session("cpu") as session:
        assert session.site.scheduler == "local"
        assert session.run(["echo", "it's; $(touch canary)"]).stdout == "it's; $(touch canary)\n"
        path = session.workspaces.allocate("w", 30)
        assert path == str(cluster.workspace)
        session.write(f"{path}/a/b", b"0123")
        assert session.read(f"{path}/a/b", 1, 2) == b"12"
        assert session.exists(f"{path}/a") and session.list(f"{path}/a") == ["b"]
        assert session.workspaces.find("none") is None
        assert [lease.name for lease in session.workspaces.list()] == ["w"]
        assert session.queue() == {}


def test_the_connection_test_tells_what_it_tried(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    good, words = HpcHook("cpu").test_connection()
    assert good, words
    assert [line.split(":")[0].split() for line in words.splitlines()] == [
        *(["ok", name] for name in ("connection", "network", "login", "shell", "sessions")),
        *(["ok", name] for name in ("description", "scheduler", "workspaces")),
    ]
    assert (
        f"researcher@127.0.0.1:{cluster.login.port} by a key; host key ssh-ed25519 SHA256:" in words
    )
    stranger = make_key(tmp_path / "stranger")
    key = stranger.export_private_key().decode()
    monkeypatch.setenv("AIRFLOW_CONN_CPU", cluster.login.connection(private_key=key))
    good, words = HpcHook("cpu").test_connection()
    assert not good and "FAILED   login: log in and run hostname: " in words
    assert "the login was refused" in words and "-> try the same user and key by hand" in words
    assert "skipped  scheduler" in words
    assert key.splitlines()[1] not in words
    monkeypatch.setenv("AIRFLOW_CONN_CPU", cluster.login.connection())
    (cluster.dags / "clusters" / "cpu.yaml").unlink()
    good, words = HpcHook("cpu").test_connection()
    assert good, "the login is well; a Connection in the form has no name yet"
    assert "note     description" in words and "trigger the DAG cluster_check" in words
    with pytest.raises(ConfigurationError):
        open_session("cpu").site  # noqa: B018
    cluster.login.stop()
    good, words = HpcHook("cpu").test_connection()
    assert not good and "FAILED   network: " in words and "correct the port" in words
    monkeypatch.delenv("AIRFLOW_CONN_CPU")
    good, words = HpcHook("cpu").test_connection()
    assert not good and "FAILED   connection: " in words and "of type 'HPC cluster'" in words


def test_a_noisy_login_shell_is_found(cluster: Cluster) -> None:
    plain = open_session("cpu")
    noisy = ClusterSession(
        "cpu", lambda: plain.site, plain.read_login, lambda _: NoisyTransport(plain.run)
    )
    steps = Steps()
    with plain:
        assert not check_login(noisy, steps)
    words = steps.in_words()
    assert "adds output of its own: 'Welcome to the cluster!'" in words
    assert "only when interactive" in words


class NoisyTransport:
    """A real login whose shell greets, as one with an echo in ~/.bashrc does."""

    def __init__(self, run: Any) -> None:
        self._run = run

    def run(self, argv: Any, timeout_s: float = 60) -> Any:
        return self._run(["sh", "-c", 'echo "Welcome to the cluster!"; exec "$@"', "x", *argv])

    def close(self) -> None:
        pass


def test_the_connections_hints(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def site(**hints: Any) -> Any:
        monkeypatch.setenv("AIRFLOW_CONN_CPU", cluster.login.connection(**hints))
        return open_session("cpu").site

    assert site().poll_interval_s == 2
    assert site(poll_interval_s="90", scheduler="local").poll_interval_s == 90
    assert site(poll_interval_s=" 90 ", scheduler="local\n").poll_interval_s == 90
    with pytest.raises(ConfigurationError, match=r"Connection 'cpu': poll_interval_s is '0\.1'"):
        site(poll_interval_s="0.1")
    with pytest.raises(ConfigurationError, match=r"says scheduler .pbs.*correct one of them"):
        site(scheduler="pbs")


def test_jump_hosts_do_not_go_in_circles(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CPU", cluster.login.connection(proxy_jump="gate"))
    monkeypatch.setenv("AIRFLOW_CONN_GATE", cluster.login.connection())
    with open_session("cpu") as session:
        assert (jump := session.read_login().jump) is not None and jump.host == "127.0.0.1"
    monkeypatch.setenv("AIRFLOW_CONN_GATE", cluster.login.connection(proxy_jump="cpu"))
    with pytest.raises(ClusterError, match="cpu -> gate -> cpu; name another host"):
        open_session("cpu").read_login()


def test_strangers_are_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = public_line(make_key(tmp_path / "another"))
    for host_key, error in (
        (other, "pinned"),
        ("", "pins no host key"),
        ("127.0.0.1 ssh-ed25519 nonsense", "is no key"),
        ("ssh-dss AAAA", "is no key"),
    ):
        monkeypatch.setenv("AIRFLOW_CONN_CPU", cluster.login.connection(host_key=host_key))
        with pytest.raises(HostKeyRefused, match=error):
            open_session("cpu").run(["true"])
    file = tmp_path / "key"
    file.write_bytes(cluster.login.user_key.export_private_key())
    changed: dict[str, Any] = {"private_key": None, "key_file": str(file)}
    monkeypatch.setenv("AIRFLOW_CONN_CPU", cluster.login.connection(**changed))
    assert open_session("cpu").run(["true"]).ok, "a key file serves as well"
    cluster.login.authorized.write_text(other + "\n")
    with pytest.raises(NeedsLogin, match="refused"):
        open_session("cpu").run(["true"])


def test_airflow_accepts_the_connection_type() -> None:
    import json

    import airflow
    import jsonschema

    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    info = get_provider_info()
    jsonschema.validate(info, schema)
    [connection] = info["connection-types"]
    assert connection["connection-type"] == HpcHook.conn_type
    assert connection["conn-fields"]["private_key"]["schema"]["format"] == "password"


def test_a_group_shares_what_is_made_in_its_workspaces(cluster: Cluster) -> None:
    file = cluster.dags / "clusters" / "cpu.yaml"
    described = file.read_text()
    group = grp.getgrgid(os.getgid()).gr_name
    file.write_text(described + f"group: {group}\n")
    with open_session("cpu") as session:
        path = Path(session.workspaces.allocate("shared", 30))
        session.write(f"{path}/run/file", b"content")
    assert path.stat().st_mode & 0o7750 == 0o2750, "the folder hands its group on"
    assert path.joinpath("run").stat().st_mode & 0o7777 == 0o2750
    assert path.joinpath("run", "file").stat().st_mode & 0o777 == 0o640
    file.write_text(described + "group: no-such-group\n")
    with (
        open_session("cpu") as session,
        pytest.raises(WorkspaceRefused, match=r"shared with group 'no-such-group'.*`id -Gn`"),
    ):
        session.workspaces.allocate("shared", 30)
