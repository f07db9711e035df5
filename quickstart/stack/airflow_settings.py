"""Airflow's configuration for one machine: SQLite, local executor, quick to notice the dead."""

import base64
import configparser
import json
import os
import secrets
from pathlib import Path

from quickstart.stack.layout import Layout
from quickstart.stack.ports import HOST, Ports

USER = "admin"
IMPORTS = "quickstart.stack.airflow_imports"


def write(layout: Layout, ports: Ports) -> None:
    """Write airflow.cfg, and the password file if there is none."""
    if not layout.airflow_passwords.exists():
        write_private(layout.airflow_passwords, json.dumps({USER: secrets.token_urlsafe(9)}))
    config = configparser.RawConfigParser()
    config.read_dict(_settings(layout, ports) | _interval_settings())
    for section, values in _secrets(layout).items():
        if not config.has_section(section):
            config.add_section(section)
        for key, value in values.items():
            config.set(section, key, value)
    path = layout.airflow / "airflow.cfg"
    draft = path.with_suffix(".draft")
    write_private(draft, "")
    with draft.open("w") as file:
        config.write(file)
    draft.replace(path)


def password(layout: Layout) -> str:
    """Return the password of the one user."""
    return str(json.loads(layout.airflow_passwords.read_text())[USER])


def url(ports: Ports) -> str:
    """Return the address of the web interface and of the API."""
    return f"http://{HOST}:{ports.airflow}"


def _settings(layout: Layout, ports: Ports) -> dict[str, dict[str, str]]:
    return {
        "core": {
            "dags_folder": str(layout.dags),
            "plugins_folder": str(layout.plugins),
            "load_examples": "False",
            "dags_are_paused_at_creation": "False",  # what is scheduled, runs
            "executor": "LocalExecutor",
            "test_connection": "Enabled",  # one user, who is the administrator
            "parallelism": "4",
            "execution_api_server_url": f"{url(ports)}/execution/",
            "hostname_callable": f"{IMPORTS}.hostname",
            "simple_auth_manager_users": f"{USER}:admin",
            "simple_auth_manager_passwords_file": str(layout.airflow_passwords),
        },
        "database": {
            "sql_alchemy_conn": f"sqlite:///{layout.airflow_database}",
            "sql_alchemy_connect_args": f"{IMPORTS}.CONNECT_ARGS",
            "sql_alchemy_connect_args_async": f"{IMPORTS}.CONNECT_ARGS",
        },
        "api": {
            "base_url": url(ports),
            "host": HOST,
            "port": str(ports.airflow),
            "workers": "1",
        },
        "logging": {
            "base_log_folder": str(layout.airflow / "logs"),
            "dag_processor_child_process_log_directory": str(layout.airflow / "logs" / "parsing"),
            # No log servers: the API server reads the files itself, and theirs would listen on
            # all interfaces. On port 1 nobody else answers either.
            "worker_log_server_port": "1",
            "trigger_log_server_port": "1",
        },
    }


def _interval_settings() -> dict[str, dict[str, str]]:
    """Return what decides how soon a killed component or worker is noticed, s."""
    return {
        "scheduler": {
            "scheduler_idle_sleep_time": "0.5",
            "job_heartbeat_sec": "2",
            "scheduler_health_check_threshold": "20",
            "orphaned_tasks_check_interval": "10",
            "task_instance_heartbeat_timeout": "40",
            "task_instance_heartbeat_timeout_detection_interval": "5",
        },
        "triggerer": {
            "job_heartbeat_sec": "2",
            "triggerer_health_check_threshold": "20",
        },
        "dag_processor": {
            "refresh_interval": "10",
            "min_file_process_interval": "600",
            "parsing_processes": "1",
        },
        # A task outlives the API server's being killed and started again.
        "workers": {
            "min_heartbeat_interval": "1",
            "max_failed_heartbeats": "30",
            "execution_api_timeout": "30",
        },
    }


def _secrets(layout: Layout) -> dict[str, dict[str, str]]:
    if not layout.secrets.exists():
        fernet = base64.urlsafe_b64encode(os.urandom(32)).decode()
        chosen = {
            "core": {"fernet_key": fernet},
            "api": {"secret_key": secrets.token_urlsafe(32)},
            "api_auth": {"jwt_secret": secrets.token_urlsafe(64)},
        }
        write_private(layout.secrets, json.dumps(chosen))
    stored: dict[str, dict[str, str]] = json.loads(layout.secrets.read_text())
    return stored


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with os.fdopen(os.open(draft, flags, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
