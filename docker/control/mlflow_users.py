"""Make MLflow's ordinary users: Airflow's own, and one for people who browse.

Runs after the server has started, as its administrator; repeated, it only sets the passwords.
What one user has logged others may read; only the administrator and the owner change it.
"""

import configparser
import os
from pathlib import Path

import httpx

SECRETS = Path("/run/secrets")
USERS = {"airflow": "mlflow_airflow_password", "reader": "mlflow_reader_password"}


def main() -> None:
    """Create each user, or give it its password."""
    config = configparser.ConfigParser()
    config.read(SECRETS / "mlflow_auth")
    admin = config["mlflow"]["admin_username"], config["mlflow"]["admin_password"]
    base = os.environ["MLFLOW_TRACKING_URI"]
    with httpx.Client(base_url=base, auth=admin, timeout=30.0, trust_env=False) as client:
        for user, secret in USERS.items():
            password = (SECRETS / secret).read_text().strip()
            wanted = {"username": user, "password": password}
            found = client.get("/api/2.0/mlflow/users/get", params={"username": user})
            if found.status_code == httpx.codes.OK:
                client.patch(
                    "/api/2.0/mlflow/users/update-password", json=wanted
                ).raise_for_status()
            elif found.status_code == httpx.codes.NOT_FOUND:
                client.post("/api/2.0/mlflow/users/create", json=wanted).raise_for_status()
            else:
                found.raise_for_status()
            print(f"MLflow user '{user}' is there")


if __name__ == "__main__":
    main()
