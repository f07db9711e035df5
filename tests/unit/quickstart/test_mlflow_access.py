"""The stack's MLflow, tried from a second user of the same machine, who reaches its port."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from operators.hooks.mlflow import MlflowHook, TrackingUnavailable
from quickstart.stack import mlflow_settings
from quickstart.stack.components import Component, airflow_environment, components, mlflow_url
from quickstart.stack.layout import Layout
from quickstart.stack.ports import Ports
from tests.harness.stack_ports import claim_stack_ports
from tests.harness.waiting import wait_until

# Becomes another user where it may, then tries what whoever is logged in can try.
STRANGER = """
import base64, encodings.idna, json, os, sys, urllib.error, urllib.request
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
passwords, base = sys.argv[1:3]
try:
    open(passwords).read()
    print("read")
except PermissionError:
    print("PermissionError")
body = json.dumps({"name": "demo", "alias": "champion", "version": "2"}).encode()
path = "/api/2.0/mlflow/registered-models/"
for login in (None, "admin:", "admin:password1234", "admin:admin"):
    for method, name, data in (("POST", "alias", body), ("GET", "get?name=demo", None)):
        request = urllib.request.Request(base + path + name, data, method=method)
        request.add_header("Content-Type", "application/json")
        if login:
            told = base64.b64encode(login.encode()).decode()
            request.add_header("Authorization", "Basic " + told)
        try:
            print(urllib.request.urlopen(request, timeout=20).status)
        except urllib.error.HTTPError as error:
            print(error.code)
"""


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    made = Layout(root=tmp_path_factory.mktemp("stack"), checkout=Path(__file__).parents[3])
    made.make()
    mlflow_settings.write(made)
    return made


@pytest.fixture(scope="module")
def address(layout: Layout) -> Iterator[str]:
    """The server as the stack starts it."""
    claim_stack_ports(layout)
    ports = Ports.choose(layout.ports)
    part: Component = next(c for c in components(layout, ports) if c.name == "mlflow")
    with layout.log("mlflow").open("w") as log:
        process = subprocess.Popen(
            part.command,
            env=dict(part.environment),
            cwd=part.folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until(lambda: part.answers(0.0), 200)
        yield mlflow_url(ports)
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def test_passwords_are_chosen_once_and_private(layout: Layout) -> None:
    before = mlflow_settings.password(layout)
    mlflow_settings.write(layout)
    assert mlflow_settings.password(layout) == before and len(before) >= 16
    assert layout.mlflow_passwords.stat().st_mode & 0o777 == 0o600
    assert before not in layout.mlflow_users.read_text()
    environment = airflow_environment(layout, Ports())
    assert environment["MLFLOW_TRACKING_PASSWORD"] == before
    login = next(c for c in components(layout, Ports()) if c.name == "login-cpu")
    assert before not in login.environment.values(), "the clusters' jobs do not learn it"


def test_a_second_user_of_the_machine_moves_no_champion(
    layout: Layout, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TrackingUnavailable, match=r"refuses the credentials \(401\).*USERNAME"):
        MlflowHook(address).require()
    for name, value in mlflow_settings.client_environment(layout).items():
        monkeypatch.setenv(name, value)
    client = MlflowHook(address).require()
    client.create_registered_model("demo")
    run = client.create_run("0").info
    for _ in range(2):
        client.create_model_version("demo", f"{run.artifact_uri}/model", run.run_id)
    client.set_registered_model_alias("demo", "champion", "1")
    done = subprocess.run(
        [sys.executable, "-I", "-c", STRANGER, str(layout.mlflow_passwords), address],
        capture_output=True,
        text=True,
        timeout=120,
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
    )
    said = done.stdout.split()
    assert said[1:] == ["401"] * 8, done.stderr
    assert said[0] == ("PermissionError" if os.getuid() == 0 else "read")
    assert client.get_model_version_by_alias("demo", "champion").version == "1"
    with urllib.request.urlopen(f"{address}/health", timeout=20) as health:
        assert health.status == 200
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{address}/ajax-api/2.0/mlflow/experiments/search", timeout=20)
    assert json.loads(layout.mlflow_passwords.read_text())[mlflow_settings.USER]
