"""One suite for all transports that reach a machine; the recorded one answers as it was taught."""

import asyncio
import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko
import pytest

from operators.cluster.errors import ClusterError, HostKeyRefused, NeedsLogin, TransportError
from operators.cluster.reply import Reply
from operators.cluster.transports import TRANSPORTS
from operators.cluster.transports.base import AsyncTransport, Transport
from operators.cluster.transports.local import AsyncLocalTransport, LocalTransport
from operators.cluster.transports.recorded import RecordedTransport, read_transcript
from operators.cluster.transports.ssh import AsyncSshTransport, SshTransport
from quickstart.login_node import make_key, public_line

CHECKOUT = Path(__file__).parents[2]
UGLY = ["two words", "it's", '"q"', "$(touch canary)", "`touch canary`", "a\nb", "", "*", "-n", "ü"]


@dataclass
class Host:
    """A login node as a process."""

    folder: Path
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        self.home.mkdir(exist_ok=True)
        self.user_key, self.host_key = (
            make_key(self.folder / "user"),
            make_key(self.folder / "host"),
        )
        (self.folder / "authorized").write_text(public_line(self.user_key) + "\n")
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "quickstart.login_node", "--port", str(self.port)),
                *("--user", "u", "--host-key", str(self.folder / "host")),
                *("--authorized-keys", str(self.folder / "authorized")),
            ],
            cwd=self.home,
            env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def client(self, *, user: str = "u", host_key: str | None = None) -> paramiko.SSHClient:
        client = paramiko.SSHClient()
        _, data = (host_key or public_line(self.host_key)).split()
        pinned = paramiko.Ed25519Key(data=base64.b64decode(data))
        client.get_host_keys().add(f"[127.0.0.1]:{self.port}", "ssh-ed25519", pinned)
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        key = paramiko.Ed25519Key.from_private_key_file(str(self.folder / "user"))
        client.connect(
            "127.0.0.1", self.port, user, pkey=key, allow_agent=False, look_for_keys=False
        )
        return client

    async def connect(self, *, user: str = "u", host_key: str | None = None) -> AsyncSshTransport:
        return await AsyncSshTransport.connect(
            host="127.0.0.1",
            port=self.port,
            username=user,
            key_file=str(self.folder / "user"),
            host_key=host_key or public_line(self.host_key),
        )


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    made = Host(tmp_path_factory.mktemp("host"))
    made.start()
    yield made
    made.stop()


REAL = ["ssh", "local"]


@pytest.fixture(params=REAL)
def transport(request: pytest.FixtureRequest, host: Host) -> Iterator[Transport]:
    made: Transport = (
        SshTransport(host.client) if request.param == "ssh" else LocalTransport(host.home)
    )
    yield made
    made.close()


@pytest.fixture(params=REAL)
def connect(request: pytest.FixtureRequest, host: Host) -> Callable[[], object]:
    async def local() -> AsyncTransport:
        return AsyncLocalTransport(host.home)

    return host.connect if request.param == "ssh" else local


def test_every_transport_is_in_this_suite() -> None:
    assert set(TRANSPORTS) == {*REAL, "recorded"}


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
        transport.run(["sleep", "30"], timeout_s=0.5)
    assert time.monotonic() - started < 5
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
    host = Host(tmp_path)
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
