"""MLflow with users: what a control host sees that is not its administrator."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from operators.hooks.mlflow import MlflowHook
from operators.promotion.registry import champion, registered_name
from tests.unit.mlflow_server import MlflowServer


@pytest.fixture
def ordinary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowHook]:
    """A server where all may read, and one of its users."""
    admin, own = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    users = tmp_path / "users.ini"
    users.write_text(
        "[mlflow]\ndefault_permission = READ\nadmin_username = admin\n"
        f"admin_password = {admin}\ndatabase_uri = sqlite:///{tmp_path / 'users.db'}\n"
    )
    server = MlflowServer(tmp_path, users)
    try:
        server.start()
        with httpx.Client(
            base_url=server.address, auth=("admin", admin), timeout=120.0, trust_env=False
        ) as client:
            user = {"username": "airflow", "password": own}
            client.post("/api/2.0/mlflow/users/create", json=user).raise_for_status()
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "airflow")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", own)
        yield MlflowHook(server.address)
    finally:
        server.stop()


def test_the_first_campaign_finds_no_champion(ordinary: MlflowHook) -> None:
    assert champion("first", ordinary) is None  # no such model; MLflow forbids to ask for it
    ordinary.require().create_registered_model(registered_name("first"))
    assert champion("first", ordinary) is None
