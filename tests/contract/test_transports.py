"""One suite for all transports that reach a machine; the recorded one answers as it was taught."""

import asyncio
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest

from operators.cluster.errors import ClusterError, HostKeyRefused, NeedsLogin, TransportError
from operators.cluster.reply import Reply
from operators.cluster.transports import TRANSPORTS, connect_async, kind_of
from operators.cluster.transports import connect as open_transport
from operators.cluster.transports.clients import connect as connect_to
from operators.cluster.transports.login import Login
from operators.cluster.transports.openssh import AsyncOpenSshTransport, Master, OpenSshTransport
from operators.cluster.transports.ssh import AsyncSshTransport, SshTransport
from operators.cluster.transports.transport import AsyncTransport, Transport
from quickstart.login_node import make_key, public_line
from tests.harness.local_transport import AsyncLocalTransport, LocalTransport
from tests.harness.login import HOST, LoopbackLogin
from tests.harness.recorded_transport import RecordedTransport, read_transcript

CHECKOUT = Path(__file__).parents[2]
UGLY = ["two words", "it's", '"q"', "$(touch canary)", "`touch canary`", "a\nb", "", "*", "-n", "ü"]


class Host(LoopbackLogin):
    """A login node, and the ways to log in to it."""

    @classmethod
    def below(cls, folder: Path) -> "Host":
        return cls(folder / "keys", folder / "home", user="u")

    def login(self, *, user: str = "u", host_key: str | None = None, **more: Any) -> Login:
        return Login(
            host=HOST,
            port=self.port,
            user=user,
            host_key=host_key or self.pinned,
            **{"key_file": str(self.user_key_file)} | more,
        )

    def client(self, **changed: Any) -> paramiko.SSHClient:
        return connect_to(self.login(**changed))

    async def connect(self, **changed: Any) -> AsyncSshTransport:
        return await AsyncSshTransport.connect(self.login(**changed))

    def open_master(self) -> Login:
        """What a person types, and the key that a person would have."""
        login = self.login(control_socket=str(self.folder / "master"))
        typed = shlex.split(Master(login).command_to_type)
        key = ["-i", str(self.user_key_file), "-F", "none", "-o", "IdentityAgent=none"]
        subprocess.run([typed[0], *key, *typed[1:]], check=True, timeout=20)
        return login


def close_master(login: Login) -> None:
    subprocess.run(Master(login).argv("-O", "exit"), check=False, capture_output=True)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    made = Host.below(tmp_path_factory.mktemp("host"))
    made.start()
    yield made
    made.stop()


REAL = ["ssh", "openssh", "local"]


@pytest.fixture(scope="module")
def master(host: Host) -> Iterator[Login]:
    login = host.open_master()
    yield login
    close_master(login)


@pytest.fixture(params=REAL)
def transport(request: pytest.FixtureRequest, host: Host) -> Iterator[Transport]:
    made: Transport
    if request.param == "local":
        made = LocalTransport(host.home)
    else:
        made = open_transport(lambda: login_of(request, host))
    yield made
    made.close()


@pytest.fixture(params=REAL)
def connect(request: pytest.FixtureRequest, host: Host) -> Callable[[], object]:
    async def local() -> AsyncTransport:
        return AsyncLocalTransport(host.home)

    if request.param == "local":
        return local
    login = login_of(request, host)

    async def read() -> Login:
        return login

    return lambda: connect_async(read)


def login_of(request: pytest.FixtureRequest, host: Host) -> Login:
    """A login that is reached in the way that the test's parameter names."""
    login: Login = request.getfixturevalue("master") if request.param == "openssh" else host.login()
    assert kind_of(login) == request.param
    return login


def test_every_transport_is_in_this_suite() -> None:
    assert {*TRANSPORTS, "local"} == set(REAL)


def test_every_argument_arrives_whole(transport: Transport, host: Host) -> None:
    tell = "import sys, json; print(json.dumps(sys.argv[1:]))"
    reply = transport.run([sys.executable, "-c", tell, *UGLY])
    assert json.loads(reply.stdout) == UGLY
    assert not (host.home / "canary").exists()


def test_a_failing_command_is_a_reply(transport: Transport) -> None:
    reply = transport.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert reply == Reply(3, "out\n", "err\n")
    assert not reply.ok and reply.words == "err"
    assert transport.run(["no-such-command"]).exit_code == 127


def test_commands_begin_at_home_and_read_stdin(transport: Transport, host: Host) -> None:
    assert transport.run(["pwd"]).stdout.strip() == str(host.home)
    assert transport.run(["cat"], stdin=b"hello").stdout == "hello"


def test_much_output_on_both_streams(transport: Transport) -> None:
    script = "head -c 3000000 /dev/zero | tr '\\0' a; head -c 3000000 /dev/zero | tr '\\0' b >&2"
    reply = transport.run(["sh", "-c", script])
    assert len(reply.stdout) == len(reply.stderr) == 3_000_000


def test_silence_ends_in_a_transport_error(transport: Transport) -> None:
    started = time.monotonic()
    with pytest.raises(TransportError, match="sleep"):
        transport.run(["sleep", "120"], timeout_s=0.5)
    assert time.monotonic() - started < 60, "long before the command would have ended"
    assert transport.run(["true"]).ok, "the next command has a connection again"


def test_files(transport: Transport, tmp_path: Path) -> None:
    folder = tmp_path / "it's a new" / "$(touch canary)" / "folder"
    path = str(folder / "ünï code\n")
    transport.write(path, b"0123456789")
    transport.write(path, b"abcdefghij")  # over an old one
    assert transport.read(path) == b"abcdefghij"
    assert transport.read(path, 3, 4) == b"defg"
    assert transport.read(path, 8) == b"ij"
    assert transport.read(path, 100) == b""
    assert transport.exists(path) and transport.exists(str(folder))
    assert transport.list(str(folder)) == ["ünï code\n"], "no temporary file is left"
    big = os.urandom(300_000)
    transport.write(str(folder / "big"), big)
    assert transport.read(str(folder / "big")) == big


def test_missing_files(transport: Transport, host: Host) -> None:
    assert not transport.exists(str(host.home / "none"))
    for ask in (transport.read, transport.list):
        with pytest.raises(FileNotFoundError):
            ask(str(host.home / "none"))
    assert transport.run(["true"]).ok


def test_a_write_that_fails_leaves_the_old_file(transport: Transport, host: Host) -> None:
    folder = host.home / "occupied"
    (folder / "name").mkdir(parents=True, exist_ok=True)
    with pytest.raises(ClusterError):
        transport.write(str(folder / "name"), b"a folder cannot become a file")
    assert (folder / "name").is_dir()


def test_async_commands(connect: Callable[[], object]) -> None:
    async def story() -> None:
        transport = await connect()  # type: ignore[misc]
        replies = await asyncio.gather(
            *(transport.run(["sh", "-c", 'sleep 0.2; printf %s "$1"', "x", ugly]) for ugly in UGLY)
        )
        assert [reply.stdout for reply in replies] == UGLY
        assert (await transport.run(["sh", "-c", "echo no >&2; exit 4"])) == Reply(4, "", "no\n")
        with pytest.raises(TransportError, match="sleep"):
            await transport.run(["sleep", "30"], timeout_s=0.3)
        await transport.close()

    asyncio.run(story())


def test_a_lost_ssh_connection_is_made_again(tmp_path: Path) -> None:
    host = Host.below(tmp_path)
    host.start()
    try:
        transport = SshTransport(host.client)
        assert transport.run(["true"]).ok
        host.stop()
        with pytest.raises(TransportError):
            transport.run(["true"])
        with pytest.raises(TransportError):
            transport.read(str(host.home))
        host.start()
        assert transport.run(["true"]).ok
        transport.close()
    finally:
        host.stop()


def test_who_is_refused(host: Host, tmp_path: Path) -> None:
    other = public_line(make_key(tmp_path / "another"))
    with pytest.raises(NeedsLogin, match="refused"):
        SshTransport(lambda: host.client(user="nobody")).run(["true"])
    with pytest.raises(HostKeyRefused, match="pinned"):
        SshTransport(lambda: host.client(host_key=other)).run(["true"])
    with pytest.raises(NeedsLogin, match="refused"):
        asyncio.run(host.connect(user="nobody"))
    with pytest.raises(HostKeyRefused, match="pinned"):
        asyncio.run(host.connect(host_key=other))


def test_without_a_master_a_person_is_told_what_to_type(host: Host, tmp_path: Path) -> None:
    login = host.login(control_socket=str(tmp_path / "none"))
    transport = OpenSshTransport(login)
    for ask in (
        lambda: transport.run(["true"]),
        lambda: transport.read("x"),
        lambda: transport.write("x", b""),
        lambda: asyncio.run(AsyncOpenSshTransport(login).run(["true"])),
    ):
        with pytest.raises(NeedsLogin) as needs:
            ask()
        assert str(needs.value).endswith(Master(login).command_to_type)


def test_a_master_that_ends_is_missed_and_found_again(tmp_path: Path) -> None:
    host = Host.below(tmp_path)
    host.start()
    login = host.open_master()
    try:
        transport = OpenSshTransport(login)
        assert transport.run(["sh", "-c", "exit 255"]).exit_code == 255, "the command's own"
        close_master(login)
        with pytest.raises(NeedsLogin, match="type on the control host: ssh -fNM -S"):
            transport.run(["true"])
        host.open_master()
        assert transport.run(["echo", "back"]).stdout == "back\n"
    finally:
        close_master(login)
        host.stop()


def test_a_master_is_not_opened_to_a_stranger(host: Host, tmp_path: Path) -> None:
    other = public_line(make_key(tmp_path / "another"))
    login = host.login(control_socket=str(tmp_path / "master"), host_key=other)
    typed = shlex.split(Master(login).command_to_type)
    key = ["-i", str(host.user_key_file), "-F", "none", "-o", "BatchMode=yes"]
    done = subprocess.run([typed[0], *key, *typed[1:]], capture_output=True, text=True, timeout=20)
    assert done.returncode == 255 and "HOST IDENTIFICATION HAS CHANGED" in done.stderr


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"host_key": "ssh-ed25519 nonsense"}, HostKeyRefused, "is no key"),
        ({"host_key": "ssh-dss AAAA"}, HostKeyRefused, "is no key"),
        ({"key_file": "/nosuch"}, NeedsLogin, "key file /nosuch: No such file"),
        ({"private_key": "nonsense"}, NeedsLogin, "BEGIN and END"),
        ({"certificate": "/nosuch"}, NeedsLogin, "certificate /nosuch: No such file"),
        ({"certificate": "ssh-ed25519 nonsense"}, NeedsLogin, "certificate cannot be read"),
    ],
)
def test_what_cannot_prove_anything(
    host: Host, changed: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        SshTransport(lambda: host.client(**changed)).run(["true"])
    with pytest.raises(error, match=words):
        asyncio.run(host.connect(**changed))


def test_recorded_answers_word_for_word(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        "$ say 'two words'\n--- stdout\nout\n--- stderr\nerr\n[exit 3]\n"
    )
    (tmp_path / "b.txt").write_text("$ qstat 1\nall together\n[exit 0]\n")
    recorded = RecordedTransport.from_folder(tmp_path)
    assert recorded.run(["say", "two words"]) == Reply(3, "out\n", "err\n")
    assert recorded.run(["qstat", "1"]) == Reply(0, "all together\n", "")
    with pytest.raises(TransportError, match="nothing recorded for: qstat 2"):
        recorded.run(["qstat", "2"])
    assert recorded.asked == [("say", "two words"), ("qstat", "1"), ("qstat", "2")]
    recorded.write("/a/b", b"content")
    assert recorded.read("/a/b", 1, 3) == b"ont" and recorded.exists("/a")
    assert recorded.list("/a") == ["b"]
    (tmp_path / "c.txt").write_text("no transcript")
    with pytest.raises(ValueError, match="not a transcript"):
        read_transcript(tmp_path / "c.txt")
