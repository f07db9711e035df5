#!/usr/bin/env python3
"""Make what the containers must share and nobody else may know: one file for each secret.

Standard library alone. What is there already stays: without the Fernet key the Connections in
Airflow's database are lost, so keep the folder with your backups (`make docker-backup` does).

The folder is SECRETS, as compose reads it: from the environment, or else from docker/.env, where
this writes the default, docker/secrets. A relative one lies below docker/.
"""

import base64
import json
import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
SETTINGS = HERE / ".env"
DEFAULT = "secrets"


def main() -> None:
    """Make what is missing, and tell compose where it lies."""
    folder = chosen() or HERE / DEFAULT
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    for name, make in MAKERS.items():
        path = folder / name
        if not path.exists():
            publish(path, make())
            print(f"made {path}")
    if chosen() is None:
        lines = [*settings(), f"SECRETS={DEFAULT}"]
        SETTINGS.write_text("\n".join(lines) + "\n")


def chosen() -> Path | None:
    """Return the folder that the environment names, or else docker/.env; None if neither does."""
    said = [line.partition("=")[2].strip() for line in settings() if line.startswith("SECRETS=")]
    said = [value.strip("'\"") for value in said]  # as compose reads it
    name = os.environ.get("SECRETS") or "".join(said[-1:])
    return HERE / name if name else None


def settings() -> list[str]:
    """Return the lines of docker/.env."""
    return SETTINGS.read_text().splitlines() if SETTINGS.exists() else []


def publish(path: Path, text: str) -> None:
    """Write a file whole. The folder keeps others out; in a container any user may read it."""
    draft = path.with_name(f".{path.name}")
    draft.unlink(missing_ok=True)
    draft.touch(0o600)
    draft.write_text(text)
    draft.chmod(0o444)
    draft.replace(path)


def password() -> str:
    """192 bits in characters that no shell, URL or file format takes for anything else."""
    return base64.urlsafe_b64encode(os.urandom(24)).decode().replace("-", "a").replace("_", "b")


def read(name: str) -> str:
    """Return a secret that was made before."""
    return ((chosen() or HERE / DEFAULT) / name).read_text()


def pgpass(role: str) -> str:
    """Return a password file of PostgreSQL's clients."""
    return f"*:*:*:{role}:{password()}\n"


def mlflow_auth() -> str:
    """Return the settings of MLflow's authentication: all may read, only owners write."""
    return (
        "[mlflow]\n"
        "default_permission = READ\n"
        "database_uri = postgresql+psycopg2://mlflow@postgres/mlflow_auth\n"
        "admin_username = admin\n"
        f"admin_password = {password()}\n"
        # the same password is compared with its slow hash once a minute, not at every request
        "auth_cache_ttl_seconds = 60\n"
    )


def mlflow_credentials() -> str:
    """Return the file from which MLflow's client takes who it is: Airflow."""
    return (
        "[mlflow]\n"
        "mlflow_tracking_username = airflow\n"
        f"mlflow_tracking_password = {read('mlflow_airflow_password')}\n"
    )


MAKERS = {
    "fernet_key": lambda: base64.urlsafe_b64encode(os.urandom(32)).decode(),
    "api_key": password,
    "jwt_key": lambda: password() + password(),
    "airflow_passwords": lambda: json.dumps({"admin": password()}),
    "postgres_password": password,
    "pgpass_airflow": lambda: pgpass("airflow"),
    "pgpass_mlflow": lambda: pgpass("mlflow"),
    "mlflow_auth": mlflow_auth,
    "mlflow_flask_key": password,
    "mlflow_airflow_password": password,
    "mlflow_reader_password": password,
    "mlflow_credentials": mlflow_credentials,
}
"""Secret -> what makes it; in an order in which each finds what it needs. No file ends in a
newline that its reader would take for a part of the secret."""


if __name__ == "__main__":
    main()
