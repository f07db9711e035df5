"""The loopback login node, spoken to with the libraries that the control host uses."""

import asyncio
import base64
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import paramiko
import pytest

from quickstart.login_node import make_key, public_line
from tests.harness.login import HOST, LoopbackLogin
from tests.harness.waiting import wait_until


class Node(LoopbackLogin):
    def connect(self, **options: object) -> asyncssh.SSHClientConnection:
        """Awaitable connection with the pinned host key."""
        defaults = {
            "port": self.port,
            "username": self.user,
            "client_keys": [str(self.user_key_file)],
            "known_hosts": asyncssh.import_known_hosts(f"[{HOST}]:{self.port} {self.pinned}\n"),
            "config": None,
            "agent_path": None,
        }
        return asyncssh.connect("127.0.0.1", **(defaults | options))

    def run(self, command: str, **options: object) -> asyncssh.SSHCompletedProcess:
        async def one() -> asyncssh.SSHCompletedProcess:
            async with self.connect() as connection:
                return await connection.run(command, **options)

        return asyncio.run(one())


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("node's folder")
    node = Node(folder / "keys", folder / "home")
    node.start()
    yield node
    node.stop()


def test_keys_are_private_and_made_once(tmp_path: Path) -> None:
    first = public_line(make_key(tmp_path / "key"))
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert public_line(make_key(tmp_path / "key")) == first
    assert first.startswith("ssh-ed25519 ") and len(first.split()) == 2


def test_a_command_runs_through_the_shell_in_the_home_folder(node: Node) -> None:
    reply = node.run("""pwd; echo "it's $((1 + 2))" >&2; exit 7""")
    assert (reply.exit_status, reply.stdout, reply.stderr) == (7, f"{node.home}\n", "it's 3\n")


@pytest.mark.parametrize("word", ["a b", "it's", '"', "$HOME", "`id`", "\\", "two\nlines", "*"])
def test_quoted_words_arrive_as_they_are(node: Node, word: str) -> None:
    assert node.run(shlex.join(["printf", "%s", word])).stdout == word


def test_input_and_binary_output_pass_through_whole(node: Node) -> None:
    block = bytes(range(256)) * 4000
    assert node.run("cat", input=block, encoding=None).stdout == block


def test_a_slow_reader_gets_all_of_a_large_output(node: Node) -> None:
    size = 24 << 20

    async def slowly() -> int:
        async with node.connect() as connection:
            process = await connection.create_process(f"head -c {size} /dev/zero", encoding=None)
            await asyncio.sleep(0.5)
            received = 0
            while block := await process.stdout.read(1 << 20):
                received += len(block)
            return received

    assert asyncio.run(slowly()) == size


def test_a_command_that_reads_no_input_ends_all_the_same(node: Node) -> None:
    reply = node.run("echo done", input=bytes(1 << 20), encoding=None)
    assert (reply.exit_status, reply.stdout) == (0, b"done\n")


def test_a_signal_is_told_from_an_exit_code(node: Node) -> None:
    reply = node.run("kill -9 $$")
    assert reply.exit_signal is not None and reply.exit_signal[0] == "KILL"


def test_another_host_key_is_refused(node: Node, tmp_path: Path) -> None:
    other = public_line(make_key(tmp_path / "other"))

    async def attempt() -> None:
        known = asyncssh.import_known_hosts(f"[127.0.0.1]:{node.port} {other}\n")
        async with node.connect(known_hosts=known):
            pass

    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        asyncio.run(attempt())


@pytest.mark.parametrize("wrong", ["password", "key", "user"])
def test_only_the_one_key_of_the_one_user_gets_in(node: Node, tmp_path: Path, wrong: str) -> None:
    make_key(tmp_path / "stranger")
    options: dict[str, object] = {
        "password": {"client_keys": None, "password": "secret"},
        "key": {"client_keys": [str(tmp_path / "stranger")]},
        "user": {"username": "root"},
    }[wrong]

    async def attempt() -> None:
        async with node.connect(**options):
            pass

    with pytest.raises(asyncssh.PermissionDenied):
        asyncio.run(attempt())


def test_the_node_listens_on_loopback_only(node: Node) -> None:
    hexadecimal = f"{node.port:04X}"
    listening = [
        line.split()[1]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(":" + hexadecimal)
    ]
    assert listening == [f"0100007F:{hexadecimal}"]


def test_sftp_reads_and_writes_relative_to_home(node: Node) -> None:
    client = paramiko.SSHClient()
    key = node.host_key
    algorithm, encoded = public_line(key).split()
    pinned = paramiko.PKey.from_type_string(algorithm, base64.b64decode(encoded))
    client.get_host_keys().add(f"[127.0.0.1]:{node.port}", algorithm, pinned)
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    client.connect(
        "127.0.0.1",
        node.port,
        node.user,
        key_filename=str(node.user_key_file),
        allow_agent=False,
        look_for_keys=False,
    )
    with client, client.open_sftp() as sftp:
        with sftp.open("notes.txt", "w") as file:
            file.write("round trip")
        sftp.posix_rename("notes.txt", "kept.txt")
        with sftp.open(str(node.home / "kept.txt")) as file:
            assert file.read() == b"round trip"
        assert sftp.normalize(".") == str(node.home)
        with pytest.raises(FileNotFoundError):
            sftp.stat("notes.txt")


def test_a_lost_connection_ends_its_command_but_no_detached_process(node: Node) -> None:
    async def lose() -> None:
        connection = await node.connect()
        await connection.create_process(
            "echo $$ > attached; setsid sh -c 'echo $$ > detached; exec sleep 30' & wait"
        )
        while not (node.home / "attached").exists() or not (node.home / "detached").exists():
            await asyncio.sleep(0.05)
        connection.abort()

    asyncio.run(lose())
    attached, detached = (
        Path("/proc", (node.home / name).read_text().strip()) for name in ("attached", "detached")
    )
    wait_until(lambda: not attached.exists())
    time.sleep(0.5)
    assert detached.exists()
    subprocess.run(["kill", detached.name], check=True)


def test_many_sessions_share_one_connection(node: Node) -> None:
    async def many() -> list[str]:
        async with node.connect() as connection:
            replies = await asyncio.gather(*(connection.run(f"echo {n}") for n in range(20)))
            return [str(reply.stdout).strip() for reply in replies]

    assert asyncio.run(many()) == [str(n) for n in range(20)]
