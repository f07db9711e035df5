"""The stack's own parts: ports, secrets, configuration, and who is who. Airflow is not started."""

import configparser
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quickstart.login_node import make_key
from quickstart.stack import airflow_settings, supervisor
from quickstart.stack.components import MARK, Component, airflow_environment, components
from quickstart.stack.layout import NODES, Layout
from quickstart.stack.ports import HOST, Ports, is_free
from quickstart.stack.roster import Roster
from quickstart.stack.supervisor import Stack, StackError
from tests.harness.stack_ports import claim_stack_ports
from tests.harness.waiting import wait_until


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(root=tmp_path / "it's a stack", checkout=Path(__file__).parents[3])
    layout.make()
    return layout


def test_both_nodes_see_one_workspace_folder_and_homes_of_their_own(layout: Layout) -> None:
    layout.make()  # a second time is harmless
    (layout.node_home("cpu") / "workspaces" / "shared.txt").write_text("seen")
    assert (layout.node_home("ai") / "workspaces" / "shared.txt").read_text() == "seen"
    assert layout.node_home("cpu") != layout.node_home("ai")
    assert layout.root.stat().st_mode & 0o777 == 0o700


def test_ports_are_free_distinct_and_remembered(layout: Layout) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        taken = other.getsockname()[1]
        layout.ports.write_text(
            json.dumps({"airflow": taken, "mlflow": taken, "login_cpu": 2201, "login_ai": 2201})
        )
        chosen = Ports.choose(layout.ports)
    values = [chosen.airflow, chosen.mlflow, chosen.login("cpu"), chosen.login("ai")]
    assert taken not in values and len(set(values)) == 4
    assert all(is_free(port) for port in values)
    assert Ports.choose(layout.ports) == Ports.load(layout.ports) == chosen


def test_secrets_are_made_once_and_are_private(layout: Layout) -> None:
    airflow_settings.write(layout, Ports())
    config, secrets = layout.airflow / "airflow.cfg", layout.secrets.read_text()
    password = airflow_settings.password(layout)
    airflow_settings.write(layout, Ports(airflow=9999))
    assert layout.secrets.read_text() == secrets
    assert airflow_settings.password(layout) == password and len(password) >= 12
    for path in (config, layout.secrets, layout.airflow_passwords):
        assert path.stat().st_mode & 0o777 == 0o600
    parser = configparser.RawConfigParser()
    parser.read(config)
    assert parser["api"]["base_url"] == "http://127.0.0.1:9999"
    assert parser["core"]["fernet_key"] == json.loads(secrets)["core"]["fernet_key"]


def test_airflow_knows_every_setting(layout: Layout) -> None:
    """A misspelt option would be ignored in silence."""
    airflow_settings.write(layout, Ports())
    script = (
        "import configparser, os; from airflow.configuration import conf\n"
        "parser = configparser.RawConfigParser()\n"
        "parser.read(os.environ['AIRFLOW_HOME'] + '/airflow.cfg')\n"
        "for section in parser.sections():\n"
        "    described = conf.configuration_description.get(section, {}).get('options', {})\n"
        "    print(*(f'{section}.{o}' for o in parser[section] if o not in described))\n"
        "assert conf.getint('core', 'parallelism') == 4\n"
    )
    environment = airflow_environment(layout, Ports())
    reply = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert (reply.stdout.split(), reply.returncode) == ([], 0), reply.stderr


def test_secrets_are_in_no_command_line(layout: Layout) -> None:
    airflow_settings.write(layout, Ports())
    secrets = [
        v for section in json.loads(layout.secrets.read_text()).values() for v in section.values()
    ]
    secrets += [airflow_settings.password(layout), make_key(layout.client_key).export_private_key()]
    commands = [" ".join(part.command) for part in components(layout, Ports())]
    assert not [c for c in commands for secret in secrets if str(secret) in c]


def test_components_keep_to_the_root_and_carry_its_mark(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "True")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid")
    parts = components(layout, Ports())
    assert len({part.name for part in parts}) == len(parts) == 9
    for part in parts:
        environment = part.environment
        assert environment[MARK] == str(layout.root)
        assert environment["PATH"].startswith(str(Path(sys.executable).parent))
        for name in ("HOME", "TMPDIR"):
            assert Path(environment[name]).is_relative_to(layout.root)
        assert part.folder.is_relative_to(layout.root)
        assert not [name for name in environment if "PROXY" in name.upper()]
        assert "AIRFLOW__CORE__LOAD_EXAMPLES" not in environment


def test_a_component_is_found_again_by_its_file_and_stopped_with_its_session(
    layout: Layout,
) -> None:
    roster = Roster(layout)
    child = roster.start("part", ["/bin/sh", "-c", "sleep 30 & echo hello; wait"], {}, layout.root)
    entry = Roster(layout).running("part")
    assert entry is not None and entry.process.pid == child.pid
    wait_until(lambda: "hello" in roster.tail("part"))
    roster.stop(["part"], patience_s=1.0)
    assert Roster(layout).recorded("part") is None and not entry.process.alive


def test_a_reused_number_is_not_taken_for_the_component(layout: Layout) -> None:
    child = subprocess.Popen(["sleep", "30"])
    record = {"process": {"pid": child.pid, "began": "another-boot/1"}, "since": 0.0}
    layout.process("part").write_text(json.dumps(record))
    roster = Roster(layout)
    assert roster.running("part") is None
    roster.clear("part")
    roster.stop(["part"], patience_s=0.0)
    assert child.poll() is None  # a stranger, left alone
    child.kill()
    child.wait()


def test_orphans_of_a_killed_component_are_cleared(layout: Layout) -> None:
    roster = Roster(layout)
    script = "sleep 30 & echo $! > orphan; wait"
    child = roster.start("part", ["/bin/sh", "-c", script], {}, layout.tmp)
    orphan = layout.tmp / "orphan"
    pid = wait_until(lambda: orphan.exists() and orphan.read_text().strip())
    child.kill()
    child.wait()
    assert Path("/proc", pid).exists()
    roster.clear("part")
    wait_until(lambda: not Path("/proc", pid).exists())


class Small(Stack):
    """A stack of the parts that start at once."""

    @property
    def components(self) -> list[Component]:
        return [part for part in super().components if part.name.startswith(("batchq", "login"))]


@pytest.fixture
def stack(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    (layout.airflow / "migrated").write_text(supervisor.version("apache-airflow"))
    monkeypatch.setattr(supervisor, "publish_connections", lambda *arguments: None)
    claim_stack_ports(layout)
    lines: list[str] = []
    yield Small(layout, say=lines.append)
    Small(layout, say=lines.append).down()


def test_up_starts_what_is_missing_and_down_stops_all(stack: Stack) -> None:
    stack.up()
    first = {part.name: stack.roster.running(part.name) for part in stack.components}
    assert len(first) == 4 and all(first.values())
    stack.up()  # harmless
    assert {part.name: stack.roster.running(part.name) for part in stack.components} == first
    stack.kill("batchq-cpu")
    wait_until(lambda: not stack.roster.running("batchq-cpu"))
    stack.up()
    after = {part.name: stack.roster.running(part.name) for part in stack.components}
    assert {name for name in first if after[name] != first[name]} == {"batchq-cpu"}
    assert after["batchq-cpu"]
    stack.down("login-ai")
    assert not stack.roster.running("login-ai") and stack.roster.running("login-cpu")
    stack.down()
    assert not any(stack.roster.running(part.name) for part in stack.components)


def test_down_ends_batch_elements_as_a_node_that_goes_down(stack: Stack) -> None:
    from quickstart.batchq.store import Request, Store

    stack.up()
    store = Store(stack.layout.node_queue("cpu"))
    folder = str(stack.layout.tmp)
    request = Request(
        name="long",
        indices=(0,),
        cpus=1,
        memory_mib=100,
        walltime_s=100,
        log_dir=folder,
        work_dir=folder,
    )
    number = store.submit(request, b"#!/bin/sh\nsleep 60\n")

    def state() -> str:
        job = store.job(number)
        assert job is not None
        return str(store.report(job)["elements"][0]["state"])

    wait_until(lambda: state() == "RUNNING")
    stack.down()
    assert state() == "NODE_FAIL"
    assert not supervisor.with_environment(MARK, str(stack.layout.root))


def test_a_component_that_dies_is_reported_with_its_log(stack: Stack) -> None:
    stack.up()
    stack.down("login-cpu")
    for node in NODES:
        stack.layout.host_key(node).write_text("no key")
    with pytest.raises(ValueError):  # keys are read before anything is started
        stack.up()
    for node in NODES:
        stack.layout.host_key(node).unlink()
    offer = stack.layout.node_queue("cpu")
    stack.down()
    (offer / "daemon.lock").unlink()
    (offer / "daemon.lock").mkdir()
    with pytest.raises(StackError, match=r"(?s)batchq-cpu ended while starting.*IsADirectoryError"):
        stack.up()
    (offer / "daemon.lock").rmdir()


def test_a_port_that_another_program_took_meanwhile_is_named(stack: Stack) -> None:
    stack.up()
    stack.down("login-cpu")
    with socket.socket() as other:
        other.bind((HOST, stack.ports.login_cpu))
        other.listen()
        with pytest.raises(StackError, match=f"port {stack.ports.login_cpu} of login-cpu"):
            stack.up()


def test_a_port_that_is_lost_between_choice_and_start_is_not_taken_for_ours(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "is_free", lambda port: True)
    stack.up()
    stack.down("login-cpu")
    with socket.socket() as other:
        other.bind((HOST, stack.ports.login_cpu))
        other.listen()
        with pytest.raises(StackError, match=r"(?s)login-cpu ended while starting.*address"):
            stack.up()
