"""Ways to log in, over the real sshd: jump host, certificate, a person's master connection."""

import asyncio
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from operators.cluster.errors import HostKeyRefused, NeedsLogin, TransportError
from operators.cluster.transports.clients import connect
from operators.cluster.transports.login import Login
from operators.cluster.transports.openssh import AsyncOpenSshTransport, Master, OpenSshTransport
from operators.cluster.transports.ssh import AsyncSshTransport, SshTransport
from operators.cluster.transports.transport import Transport
from tests.clusters.login import generate_key
from tests.clusters.slurm import SlurmCluster

WHO = ("sh", "-c", 'echo "$SLURM_CONF"')  # each login node names its own cluster's


def login_to(cluster: SlurmCluster) -> Login:
    node = cluster.login
    return Login(
        host=node.host,
        port=node.port,
        user=node.user,
        host_key=node.host_key,
        key_file=str(node.key_file),
    )


def ask_both(login: Login) -> list[str]:
    """What the blocking and the asynchronous connection answer."""

    async def later() -> str:
        transport = await AsyncSshTransport.connect(login)
        try:
            return (await transport.run(WHO)).stdout.strip()
        finally:
            await transport.close()

    transport = SshTransport(lambda: connect(login))
    try:
        return [transport.run(WHO).stdout.strip(), asyncio.run(later())]
    finally:
        transport.close()


def assert_left(cluster: SlurmCluster, timeout_s: float = 10) -> None:
    """No hop is left open."""
    deadline = time.monotonic() + timeout_s
    while left := cluster.login.connections():
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_through_a_jump_host(alpha: SlurmCluster, beta: SlurmCluster) -> None:
    login = replace(login_to(beta), jump=login_to(alpha))
    assert ask_both(login) == [str(beta.slurm_conf)] * 2
    assert_left(alpha)


def test_every_hop_shows_its_own_pinned_key(alpha: SlurmCluster, beta: SlurmCluster) -> None:
    swapped = replace(login_to(alpha), host_key=beta.login.host_key)
    for login in (
        replace(login_to(beta), jump=swapped),
        replace(login_to(beta), host_key=alpha.login.host_key, jump=login_to(alpha)),
    ):
        with pytest.raises(HostKeyRefused, match="pinned"):
            SshTransport(lambda login=login: connect(login)).run(WHO)
        with pytest.raises(HostKeyRefused, match="pinned"):
            asyncio.run(AsyncSshTransport.connect(login))
    assert_left(alpha)


def test_files_through_a_jump_host(alpha: SlurmCluster, beta: SlurmCluster, folder: Path) -> None:
    login = replace(login_to(beta), jump=login_to(alpha))
    made = []
    transport = SshTransport(lambda: made.append(connect(login)) or made[-1])
    transport.write(str(folder / "file"), b"content")
    assert transport.read(str(folder / "file")) == b"content"
    assert len(made) == 1, "one connection serves all"
    alpha.login.cut()
    with suppress(TransportError):  # unless the cut was noticed before anything was asked
        transport.run(WHO)
    assert transport.run(WHO).stdout.strip() == str(beta.slurm_conf)
    assert len(made) == 2, "made again, both hops, and once"
    transport.close()


@pytest.fixture
def signed(alpha: SlurmCluster, tmp_path: Path) -> Callable[[str], Login]:
    """A key that nobody has authorized, signed by the site for a while."""
    key = tmp_path / "key"
    generate_key(key)

    def make(validity: str) -> Login:
        certificate = alpha.login.sign(key, validity)
        return replace(login_to(alpha), key_file=str(key), certificate=str(certificate))

    return make


def test_a_certificate_opens_the_door(alpha: SlurmCluster, signed: Callable[[str], Login]) -> None:
    login = signed("-1m:+5m")
    assert ask_both(login) == [str(alpha.slurm_conf)] * 2
    text = Path(str(login.certificate)).read_text()
    assert ask_both(replace(login, certificate=text)) == [str(alpha.slurm_conf)] * 2
    with pytest.raises(NeedsLogin, match="login was refused"):
        ask_both(replace(login, certificate=None))


def test_an_expired_certificate_needs_a_person_and_a_new_one_serves(
    alpha: SlurmCluster, signed: Callable[[str], Login]
) -> None:
    expired = signed("-2h:-1h")
    with pytest.raises(NeedsLogin, match=r"expired at 20\d\d-.* UTC; have the key signed again"):
        ask_both(expired)
    with pytest.raises(NeedsLogin, match="expired at"):
        asyncio.run(AsyncSshTransport.connect(expired))
    not_yet = signed("+1h:+2h")
    with pytest.raises(NeedsLogin, match="login was refused"):
        ask_both(not_yet)
    transport = SshTransport(lambda: connect(expired))  # the file is read at each connection
    signed("-1m:+5m")
    assert transport.run(WHO).ok
    transport.close()


@pytest.fixture
def opened(alpha: SlurmCluster, tmp_path: Path) -> Iterator[Callable[[], Login]]:
    login = replace(login_to(alpha), control_socket=str(tmp_path / "master"))

    def type_it() -> Login:
        typed = shlex.split(Master(login).command_to_type)
        argv = [typed[0], "-F", "none", "-i", str(alpha.login.key_file), *typed[1:]]
        subprocess.run(argv, check=True, timeout=20)
        return login

    yield type_it
    subprocess.run(Master(login).argv("-O", "exit"), check=False, capture_output=True)


def test_a_person_opens_the_connection_and_the_socket_serves(
    alpha: SlurmCluster, opened: Callable[[], Login], folder: Path
) -> None:
    login = opened()
    before = alpha.login.connections()
    transport = OpenSshTransport(login)
    assert transport.run(WHO).stdout.strip() == str(alpha.slurm_conf)
    transport.write(str(folder / "x"), b"\0\xff\n")
    assert transport.read(str(folder / "x")) == b"\0\xff\n"
    assert asyncio.run(AsyncOpenSshTransport(login).run(WHO)).ok
    with alpha.login.key_refused():  # nothing but the master is needed
        assert transport.run(WHO).ok
    assert set(alpha.login.connections()) <= set(before), "no connection of its own"


def test_a_cut_master_is_said_with_what_to_type(
    alpha: SlurmCluster, opened: Callable[[], Login]
) -> None:
    login = opened()
    transport = OpenSshTransport(login)
    assert transport.run(WHO).ok
    alpha.login.cut()
    with pytest.raises(NeedsLogin, match="type on the control host: ssh -fNM -S"):
        _until_noticed(transport)
    opened()
    assert transport.run(WHO).ok


def _until_noticed(transport: Transport) -> None:
    for _ in range(20):
        transport.run(("sleep", "0.1"))
