"""MLflow's one user and password: who moves a champion says which code others will load.

Every user of this machine reaches the server's port; only who can read the stack's folder knows the
password. It is generated at the first start and kept.
"""

import configparser
import json
import secrets

from quickstart.stack.airflow_settings import write_private
from quickstart.stack.layout import Layout

USER = "admin"
APP = "basic-auth"
"""MLflow's own application of that name."""


def write(layout: Layout) -> None:
    """Choose password and secret if there are none, and write the server's file."""
    if not layout.mlflow_passwords.exists():
        chosen = {USER: secrets.token_urlsafe(12), "secret": secrets.token_urlsafe(32)}
        write_private(layout.mlflow_passwords, json.dumps(chosen))
    config = configparser.RawConfigParser()
    config["mlflow"] = {
        "default_permission": "NO_PERMISSIONS",
        "database_uri": f"sqlite:///{layout.mlflow / 'users.db'}",
        "admin_username": USER,
        # The same password is compared with its slow hash once a minute, not at every request.
        "auth_cache_ttl_seconds": "60",
    }
    with layout.mlflow_users.open("w") as file:
        config.write(file)


def password(layout: Layout) -> str:
    """Return the password of the one user."""
    return _stored(layout)[USER]


def server_environment(layout: Layout) -> dict[str, str]:
    """Return what the server must be told."""
    stored = _stored(layout)
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(layout.mlflow_users),
        "MLFLOW_AUTH_ADMIN_PASSWORD": stored[USER],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": stored["secret"],
    }


def client_environment(layout: Layout) -> dict[str, str]:
    """Return how MLflow's clients log in."""
    return {
        "MLFLOW_TRACKING_USERNAME": USER,
        "MLFLOW_TRACKING_PASSWORD": password(layout),
    }


def _stored(layout: Layout) -> dict[str, str]:
    """Read what was chosen; nothing before the first start."""
    if not layout.mlflow_passwords.exists():
        return {USER: "", "secret": ""}
    stored: dict[str, str] = json.loads(layout.mlflow_passwords.read_text())
    return stored
