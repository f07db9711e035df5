"""Two real Slurm clusters for a whole test session, reached through real sshd."""

import base64
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from hpc_jobs.contract.layout import RunFolder
from operators.cluster.transports.ssh import SshTransport
from tests.clusters import services
from tests.clusters.hpc_site import Site
from tests.clusters.slurm import SlurmCluster
from tests.integration.slurm.control_host import ControlHost
from tests.integration.slurm.trials import open_run

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slurm)


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    try:
        services.require()
    except OSError as error:
        if os.geteuid() != 0 and "CI" not in os.environ:
            pytest.skip(str(error))
        raise
    with Site() as running:
        yield running


@pytest.fixture(autouse=True)
def refusals_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login that one test has refused is kept back; the next test's is not."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def alpha(site: Site) -> Iterator[SlurmCluster]:
    yield from _fresh(site.alpha)


@pytest.fixture
def beta(site: Site) -> Iterator[SlurmCluster]:
    yield from _fresh(site.beta)


@pytest.fixture(params=["alpha", "beta"])
def cluster(request: pytest.FixtureRequest, site: Site) -> Iterator[SlurmCluster]:
    yield from _fresh(getattr(site, request.param))


def _fresh(cluster: SlurmCluster) -> Iterator[SlurmCluster]:
    yield cluster
    cluster.clear()


@pytest.fixture
def folder(site: Site, request: pytest.FixtureRequest) -> Path:
    """A folder that every node sees, with an ugly name."""
    number = len(list(site.shared.iterdir()))
    path = site.shared / f'it\'s 100% "ws" {number}'
    path.mkdir()
    return path


@pytest.fixture
def run(folder: Path) -> RunFolder[Path]:
    return open_run(folder)


@pytest.fixture
def transport(cluster: SlurmCluster) -> Iterator[SshTransport]:
    made = SshTransport(lambda: client(cluster))
    yield made
    made.close()


@pytest.fixture
def transport_to_alpha(alpha: SlurmCluster) -> Iterator[SshTransport]:
    made = SshTransport(lambda: client(alpha))
    yield made
    made.close()


@pytest.fixture
def control(
    alpha: SlurmCluster, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> ControlHost:
    """What Airflow does about alpha, short of Airflow's own processes."""
    return ControlHost(alpha, folder, tmp_path, monkeypatch)


def client(cluster: SlurmCluster) -> paramiko.SSHClient:
    """A client that knows the login node's host key, and no other."""
    login = cluster.login
    kind, key = login.host_key.split()
    made = paramiko.SSHClient()
    known = paramiko.Ed25519Key(data=base64.b64decode(key))
    made.get_host_keys().add(f"[{login.host}]:{login.port}", kind, known)
    made.set_missing_host_key_policy(paramiko.RejectPolicy())
    made.connect(
        login.host,
        login.port,
        login.user,
        key_filename=str(login.key_file),
        allow_agent=False,
        look_for_keys=False,
        timeout=10,
    )
    return made
