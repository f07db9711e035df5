"""HpcHook as others use it, the connection type, and the workspace operators."""

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from hpc_jobs.contract.errors import ConfigurationError
from operators.cluster.errors import HostKeyRefused, NeedsLogin
from operators.hooks.hpc import HpcHook
from operators.provider import get_provider_info
from operators.workspace import AllocateWorkspaceOperator, ReleaseWorkspaceOperator
from quickstart.login_node import make_key, public_line
from tests.unit.operators.conftest import Cluster


def test_commands_files_and_workspaces(cluster: Cluster) -> None:
    with HpcHook("cpu") as hook:
        assert hook.site.scheduler == "local"
        assert hook.run(["echo", "it's; $(touch canary)"]).stdout == "it's; $(touch canary)\n"
        path = hook.workspace().allocate("w", 30)
        assert path == str(cluster.workspace)
        hook.write(f"{path}/a/b", b"0123")
        assert hook.read(f"{path}/a/b", 1, 2) == b"12"
        assert hook.exists(f"{path}/a") and hook.list(f"{path}/a") == ["b"]
        assert hook.workspace().find("none") is None
        assert [lease.name for lease in hook.workspace().list()] == ["w"]
        assert hook.queue() == {}


def test_the_connection_test_tells_what_it_tried(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    good, words = HpcHook("cpu").test_connection()
    assert good and "login -> description -> scheduler local -> workspaces directory" in words
    stranger = make_key(tmp_path / "stranger")
    key = stranger.export_private_key().decode()
    monkeypatch.setenv("AIRFLOW_CONN_CPU", cluster.login.connection(private_key=key))
    good, words = HpcHook("cpu").test_connection()
    assert not good and words.startswith("login: ") and "refused" in words
    assert key.splitlines()[1] not in words
    monkeypatch.setenv("AIRFLOW_CONN_CPU", cluster.login.connection())
    (cluster.dags / "clusters" / "cpu.yaml").unlink()
    good, words = HpcHook("cpu").test_connection()
    assert not good and words.startswith("login -> description failed: cpu.yaml: no such file")
    with pytest.raises(ConfigurationError):
        HpcHook("cpu").site  # noqa: B018
    cluster.login.stop()
    good, words = HpcHook("cpu").test_connection()
    assert not good and words.startswith("login failed: ")


def test_strangers_are_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = public_line(make_key(tmp_path / "another"))
    for host_key, error in (
        (other, "pinned"),
        ("", "pins no host key"),
        ("ssh-ed25519 nonsense", "is no key"),
        ("ssh-dss AAAA", "is no key"),
    ):
        monkeypatch.setenv("AIRFLOW_CONN_CPU", cluster.login.connection(host_key=host_key))
        with pytest.raises(HostKeyRefused, match=error):
            HpcHook("cpu").run(["true"])
    file = tmp_path / "key"
    file.write_bytes(cluster.login.user_key.export_private_key())
    changed: dict[str, Any] = {"private_key": None, "key_file": str(file)}
    monkeypatch.setenv("AIRFLOW_CONN_CPU", cluster.login.connection(**changed))
    assert HpcHook("cpu").run(["true"]).ok, "a key file serves as well"
    cluster.login.authorized.write_text(other + "\n")
    with pytest.raises(NeedsLogin, match="refused"):
        HpcHook("cpu").run(["true"])


def test_workspaces_as_tasks(cluster: Cluster, context: dict[str, Any]) -> None:
    allocate = AllocateWorkspaceOperator(task_id="a", cluster="cpu", workspace="new", days=3)
    path = allocate.execute(context)
    assert Path(path).is_dir() and allocate.execute(context) == path
    release = ReleaseWorkspaceOperator(task_id="r", cluster="cpu", workspace="new")
    assert release.execute(context) is True
    assert release.execute(context) is False and not Path(path).exists()
    bad = AllocateWorkspaceOperator(task_id="b", cluster="cpu", workspace="../etc")
    with pytest.raises(AirflowFailException, match="no workspace name"):
        bad.execute(context)


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
