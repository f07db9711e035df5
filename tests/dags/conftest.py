"""A private Airflow for the tests of the DAGs: its own home, its own database, nothing else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def airflow_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of a process that sees this checkout's DAGs and an empty database."""
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONPATH": str(CHECKOUT / "dags"),
        "PYTHONWARNINGS": "ignore",
    }
    airflow = Path(sys.executable).parent / "airflow"
    subprocess.run(
        [airflow, "db", "migrate"], env=environment, check=True, capture_output=True, timeout=300
    )
    return environment


@pytest.fixture
def in_airflow(airflow_environment: dict[str, str]) -> Iterator:
    """Run a piece of Python in that Airflow; returns what it printed."""

    def run(source: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", source],
            env=airflow_environment,
            capture_output=True,
            text=True,
            timeout=300,
            cwd=CHECKOUT,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    yield run
