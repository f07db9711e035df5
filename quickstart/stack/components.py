"""The parts of the stack: how each is started, and how one sees that it works."""

import functools
import getpass
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx

from quickstart.processes import listens
from quickstart.stack import airflow_settings, mlflow_settings
from quickstart.stack.airflow_settings import IMPORTS
from quickstart.stack.layout import NODES, Layout
from quickstart.stack.ports import HOST, Ports
from quickstart.stack.roster import Entry

MARK = "YIELDLOOP_STACK"
"""Environment variable that every process of a stack inherits; holds the stack's root."""

AIRFLOW_HEALTH = "/api/v2/monitor/health"
TASK_API_HEALTH = "/execution/health"

Since = float  # Unix time at which a component was started


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One long-running process."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    answers: Callable[[Since], bool]
    port: int | None = None
    address: str = ""
    airflow: bool = False  # needs Airflow's database
    stage: int = 0  # higher stages are stopped first

    def healthy(self, entry: Entry) -> bool:
        """Whether that process of it answers, and no other program at its port."""
        mine = self.port is None or listens(entry.process, self.port)
        return mine and self.answers(entry.since)


def components(layout: Layout, ports: Ports) -> list[Component]:
    """Return all parts, in the order in which they are shown."""
    return [
        *(_queue(layout, node) for node in NODES),
        *(_login(layout, ports, node) for node in NODES),
        _mlflow(layout, ports),
        *_airflow(layout, ports),
    ]


def login_user() -> str:
    """Return the user whom the login nodes let in: the one who runs the stack."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "user"


def airflow_environment(layout: Layout, ports: Ports) -> dict[str, str]:
    """Return the environment of Airflow's processes; all else is in airflow.cfg."""
    return _environment(layout) | {
        "AIRFLOW_HOME": str(layout.airflow),
        "MLFLOW_TRACKING_URI": mlflow_url(ports),
        **mlflow_settings.client_environment(layout),
    }


def mlflow_url(ports: Ports) -> str:
    """Return MLflow's address."""
    return f"http://{HOST}:{ports.mlflow}"


def _airflow(layout: Layout, ports: Ports) -> list[Component]:
    def part(name: str, answers: Callable[[Since], bool], *options: str) -> Component:
        is_api = name == "api-server"
        impatient = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": f"{IMPORTS}.API_CONNECT_ARGS"}
        return Component(
            name=f"airflow-{name}",
            command=python("airflow", name, *options),
            environment=airflow_environment(layout, ports) | (impatient if is_api else {}),
            folder=layout.airflow,
            answers=answers,
            port=ports.airflow if is_api else None,
            address=airflow_settings.url(ports) if is_api else "",
            airflow=True,
            stage=1 if is_api else 2,
        )

    port = ports.airflow
    return [
        # the first request to the tasks' API builds it, which takes seconds: better now than then
        part("api-server", lambda since: _ok(port, AIRFLOW_HEALTH) and _ok(port, TASK_API_HEALTH)),
        part("scheduler", lambda since: _beats(port, "scheduler", since), "--skip-serve-logs"),
        part("dag-processor", lambda since: _beats(port, "dag_processor", since)),
        part("triggerer", lambda since: _beats(port, "triggerer", since), "--skip-serve-logs"),
    ]


def _mlflow(layout: Layout, ports: Ports) -> Component:
    hosts = ",".join(f"{name}:{ports.mlflow}" for name in (HOST, "localhost"))
    options = {
        "backend-store-uri": f"sqlite:///{layout.mlflow / 'mlflow.db'}",
        "artifacts-destination": str(layout.mlflow / "artifacts"),
        "host": HOST,
        "port": str(ports.mlflow),
        "workers": "1",
        "allowed-hosts": hosts,
        "app-name": mlflow_settings.APP,
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return Component(
        name="mlflow",
        command=python("mlflow", "server", "--serve-artifacts", *flags),
        environment=_environment(layout)
        | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        | mlflow_settings.server_environment(layout),
        folder=layout.mlflow,
        answers=lambda since: _ok(ports.mlflow, "/health"),
        port=ports.mlflow,
        address=mlflow_url(ports),
    )


def _login(layout: Layout, ports: Ports, node: str) -> Component:
    port = ports.login(node)
    options = {
        "port": str(port),
        "user": login_user(),
        "host-key": str(layout.host_key(node)),
        "authorized-keys": str(layout.authorized_keys),
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return Component(
        name=f"login-{node}",
        command=python("quickstart.login_node", *flags),
        environment=_node_environment(layout, node),
        folder=layout.node_home(node),
        answers=lambda since: True,
        port=port,
        address=f"ssh://{HOST}:{port}",
    )


def _queue(layout: Layout, node: str) -> Component:
    offer = layout.node_queue(node) / "queue.json"
    slots = len(os.sched_getaffinity(0))
    return Component(
        name=f"batchq-{node}",
        command=python("quickstart.batchq.cli", "serve", f"--slots={slots}"),
        environment=_node_environment(layout, node),
        folder=layout.node_home(node),
        answers=lambda since: offer.exists() and offer.stat().st_mtime >= since,
    )


def _node_environment(layout: Layout, node: str) -> dict[str, str]:
    return _environment(layout) | {
        "HOME": str(layout.node_home(node)),
        "BATCHQ_STATE": str(layout.node_queue(node)),
    }


def _environment(layout: Layout) -> dict[str, str]:
    """Return the user's environment without what could lead outside, or to another stack."""
    foreign = ("AIRFLOW", "MLFLOW", "PYTHON", "BATCHQ", "XDG_", "HPC_")
    proxies = ("http_proxy", "https_proxy", "all_proxy")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(foreign) and name.lower() not in proxies
    }
    return kept | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
        "HOME": str(layout.home),
        "TMPDIR": str(layout.tmp),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "MPLBACKEND": "Agg",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        MARK: str(layout.root),
    }


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module with this interpreter."""
    return (sys.executable, "-m", module, *arguments)


def _ok(port: int, path: str) -> bool:
    return _get(port, path) is not None


def _beats(port: int, part: str, since: Since) -> bool:
    """Whether a part of Airflow has sent a heartbeat since it was started."""
    body = _get(port, AIRFLOW_HEALTH)
    beat = json.loads(body)[part].get(f"latest_{part}_heartbeat") if body else None
    return beat is not None and datetime.fromisoformat(beat).timestamp() >= since


def _get(port: int, path: str) -> bytes | None:
    """Return the body of a successful reply."""
    try:
        return _client().get(f"http://{HOST}:{port}{path}").raise_for_status().content
    except httpx.HTTPError:
        return None


@functools.cache
def _client() -> httpx.Client:
    """Made once: the components are asked every moment."""
    return httpx.Client(timeout=5.0, trust_env=False)
