"""One MLflow server for all tests that ask for it: the real thing, on SQLite and loopback."""

from collections.abc import Iterator

import pytest

from tests.unit.mlflow_server import MlflowServer


@pytest.fixture(scope="session")
def mlflow_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """Give the server that all tests share; who kills it starts it again."""
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mlflow_server(mlflow_process: MlflowServer) -> str:
    """Return the address of a running server that has no data yet."""
    return mlflow_process.address
