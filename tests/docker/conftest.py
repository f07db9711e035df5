"""The containers, built and up, for all tests that ask: real images, real Slurm."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from tests.clusters.ports import claim_ports
from tests.harness.waiting import wait_until

CHECKOUT = Path(__file__).parents[2]
DOCKER = CHECKOUT / "docker"
PROJECT = "yieldloop-test"
FILES = ("-f", "compose.yaml", "-f", "compose.demo.yaml")
PATIENCE_S = 900.0
DEBIANS = "/etc/ssl/certs/ca-certificates.crt"  # with those that the machine's owner has added


class Containers:
    """docker compose on the files of docker/, with secrets and volumes of the tests' own."""

    def __init__(self, environment: Mapping[str, str], secrets: Path) -> None:
        self.environment, self.secrets = dict(environment), secrets

    def compose(self, *arguments: str, check: bool = True) -> str:
        """Run `docker compose`; the output of one that failed is the error."""
        return self.docker("compose", "--env-file", "/dev/null", *FILES, *arguments, check=check)

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Run `docker`."""
        done = subprocess.run(
            ["docker", *arguments],
            cwd=DOCKER,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if check and done.returncode:
            raise AssertionError(f"docker {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def script(self, name: str, *arguments: str) -> None:
        """Run a program of docker/."""
        done = subprocess.run(
            [str(DOCKER / name), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def down(self) -> None:
        """Remove all containers, networks and volumes."""
        self.compose("--profile", "campaign", "down", "--volumes", "--timeout", "10")

    def up(self) -> None:
        """Start what does not run, and wait until all are healthy."""
        self.compose("up", "--detach", "--wait", "--wait-timeout", str(int(PATIENCE_S)))

    def secret(self, name: str) -> str:
        """Content of one secret."""
        return (self.secrets / name).read_text()

    @property
    def airflow(self) -> httpx.Client:
        """A client of Airflow's API, logged in."""
        base = f"http://127.0.0.1:{self.environment['AIRFLOW_PORT']}"
        password = json.loads(self.secret("airflow_passwords"))["admin"]
        user = {"username": "admin", "password": password}
        reply = httpx.post(f"{base}/auth/token", json=user, timeout=PATIENCE_S, trust_env=False)
        token = reply.raise_for_status().json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=base, headers=headers, timeout=PATIENCE_S, trust_env=False)

    def mlflow(self, user: str | None = None) -> httpx.Client:
        """A client of MLflow's API: nobody, or one of its users."""
        auth = None
        if user == "admin":
            line = next(x for x in self.secret("mlflow_auth").splitlines() if "admin_password" in x)
            auth = (user, line.partition("= ")[2])
        elif user:
            auth = (user, self.secret(f"mlflow_{user}_password"))
        base = f"http://127.0.0.1:{self.environment['MLFLOW_PORT']}"
        return httpx.Client(base_url=base, auth=auth, timeout=PATIENCE_S, trust_env=False)


def _engine(folder: Path) -> dict[str, str] | None:
    """Environment that leads to an engine: the one that is there, or one started here."""
    done = subprocess.run(
        [str(CHECKOUT / "tests" / "docker" / "install.sh"), str(folder)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        if os.environ.get("DOCKER_TESTS"):  # they were asked for
            pytest.fail(f"no Docker Engine: {done.stderr}")
        return None
    words = done.stdout.removeprefix("export ").split()
    return dict(word.split("=", 1) for word in words)


def _site() -> dict[str, str]:
    """What this machine knows of its network, for the builds: certificates, packages as files."""
    found = {"BUILD_NETWORK": "host"}
    bundles = (os.environ.get("CA_BUNDLE"), _pip("cert"), os.environ.get("SSL_CERT_FILE"), DEBIANS)
    if bundle := next((one for one in bundles if one and Path(one).exists()), None):
        found["CA_BUNDLE"] = bundle
    for wheel in Path(_pip("find-links") or "/nowhere").glob("*.whl"):
        copy = DOCKER / "site" / "wheels" / wheel.name
        if not copy.exists():
            shutil.copy(wheel, copy)
    return found


def _pip(setting: str) -> str:
    argv = [sys.executable, "-m", "pip", "config", "get", f"global.{setting}"]
    return subprocess.run(argv, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="session")
def engine() -> Iterator[dict[str, str]]:
    """Environment that leads to a Docker Engine; one that had to be started ends with the tests."""
    # Not below pytest's long folders: a socket's path has 107 characters.
    kept = os.environ.get("DOCKER_TEST_FOLDER")
    folder = Path(kept or tempfile.mkdtemp(prefix="engine-"))
    try:
        environment = _engine(folder)
        if environment is None:
            pytest.skip("no Docker Engine can be had here")
        yield environment
    finally:
        started = folder / "pid"
        if started.exists():
            os.kill(int(started.read_text()), signal.SIGTERM)
            wait_until(lambda: not started.exists(), PATIENCE_S, "the end of the engine")
        if not kept:
            shutil.rmtree(folder)


@pytest.fixture(scope="session")
def containers(engine: dict[str, str]) -> Iterator[Containers]:
    """All services, healthy; removed with their volumes at the end."""
    with tempfile.TemporaryDirectory(prefix="secrets-") as own:
        found = Containers(os.environ | engine | _site(), Path(own) / "secrets")
        found.environment |= {"SECRETS": str(found.secrets), "PROJECT": PROJECT}
        found.environment |= {"COMPOSE_FILE": "compose.yaml:compose.demo.yaml"}
        airflow, mlflow = map(str, claim_ports(2))
        found.environment |= {"AIRFLOW_PORT": airflow, "MLFLOW_PORT": mlflow}
        found.script("secrets.py")
        found.down()  # what tests that were killed have left: it has other passwords
        try:
            _build(found)
            found.up()
            yield found
        finally:
            found.down()


def _build(containers: Containers) -> None:
    """Build all images; Debian's PostgreSQL stands in where no registry has the official one."""
    try:
        containers.docker("pull", "--quiet", "postgres:17-bookworm")
    except AssertionError:
        containers.environment["POSTGRES_IMAGE"] = "yieldloop-postgres:0.1.0"
        arguments = ("--network", "host", "--tag", "yieldloop-postgres:0.1.0")
        containers.docker("build", *arguments, "--file", "postgres/Dockerfile", "..")
    containers.compose("build")
