"""What a site may refuse: sessions, SFTP, the login itself; and conversations that break off."""

import asyncio
import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import paramiko
import pytest

from operators.cluster.errors import (
    NeedsLogin,
    RemoteFileError,
    SessionsTaken,
    TransportError,
)
from operators.cluster.reply import Reply
from operators.cluster.transports import sessions
from operators.cluster.transports.clients import connect, connect_async
from operators.cluster.transports.refusals import Refusals
from operators.cluster.transports.shell import Conversation
from operators.cluster.transports.ssh import SshTransport
from tests.harness.sshd import Sshd


@pytest.fixture(scope="module", params=[1, 2])
def narrow(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sshd]:
    """One or two sessions a connection, and no SFTP at all."""
    folder = tmp_path_factory.mktemp("narrow")
    with Sshd(folder, max_sessions=request.param).running() as made:
        yield made


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("node")).running() as made:
        yield made


def logins(node: Sshd) -> int:
    """How often anybody has tried to log in."""
    return len(re.findall(r"Connection from 127\.0\.0\.1", node.log()))


def test_files_and_commands_take_turns_where_sessions_are_few_and_sftp_is_none(
    narrow: Sshd,
) -> None:
    with pytest.raises(paramiko.SSHException), connect(narrow.login()) as client:
        client.open_sftp()
    before = logins(narrow)
    transport = narrow.transport()
    for number in range(5):
        path = str(narrow.home / f"file {number}")
        transport.write(path, b"content")
        assert transport.run(["cat", path]).stdout == "content"
        assert transport.read(path) == b"content"
    transport.close()
    assert logins(narrow) == before + 1, "one connection for all of them"


def test_twelve_polls_at_once_all_answer_over_one_connection(narrow: Sshd) -> None:
    before = logins(narrow)

    async def polls() -> list[str]:
        transport = narrow.async_transport()
        replies = await asyncio.gather(*(transport.run(["echo", str(n)]) for n in range(12)))
        again = await transport.run(["echo", "again"])
        await transport.close()
        return [reply.stdout.strip() for reply in (*replies, again)]

    assert asyncio.run(polls()) == [*map(str, range(12)), "again"]
    assert logins(narrow) == before + 1


def test_a_session_that_hangs_is_waited_for_named_and_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sshd keeps the only session of a command that nobody waits for any more."""
    monkeypatch.setattr(sessions, "PATIENCE_S", 0.5)
    with Sshd(tmp_path, max_sessions=1).running() as node:
        held = connect(node.login())
        channel = held.get_transport().open_session()  # type: ignore[union-attr]
        channel.exec_command("sleep 60")
        clients = iter([held, connect(node.login())])
        transport = SshTransport(lambda: next(clients))
        with pytest.raises(SessionsTaken, match=r"refused one more session .* MaxSessions"):
            transport.run(["true"])
        assert transport.run(["echo", "room"]) == Reply(0, "room\n", ""), "on a new connection"
        transport.close()

        async def story() -> Reply:
            triggerer = node.async_transport()
            with pytest.raises(TransportError, match="did not answer"):
                await triggerer.run(["sleep", "60"], timeout_s=0.3)
            with pytest.raises(SessionsTaken, match="refused one more session"):
                await triggerer.run(["true"])
            reply = await triggerer.run(["echo", "room"])
            await triggerer.close()
            return reply

        assert asyncio.run(story()) == Reply(0, "room\n", "")


def test_a_command_that_fails_leaves_the_others_alone(node: Sshd) -> None:
    async def story() -> Reply:
        transport = node.async_transport()
        slow = asyncio.ensure_future(transport.run(["sh", "-c", "sleep 2; echo done"]))
        with pytest.raises(TransportError, match=r"'sleep' did not answer within 0\.5 s"):
            await transport.run(["sleep", "30"], timeout_s=0.5)
        reply = await slow
        await transport.close()
        return reply

    assert asyncio.run(story()) == Reply(0, "done\n", "")


def test_a_lost_connection_is_made_again_by_the_triggerers_side_too(tmp_path: Path) -> None:
    with Sshd(tmp_path).running() as node:

        async def story() -> list[str]:
            transport = node.async_transport()
            first = await transport.run(["echo", "1"])
            pending = asyncio.ensure_future(transport.run(["sh", "-c", "touch on; sleep 30"]))
            while not (node.home / "on").exists():
                await asyncio.sleep(0.05)
            for pid in node.connections():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            with pytest.raises(TransportError):
                await pending
            second = await transport.run(["echo", "2"])
            await transport.close()
            return [first.stdout, second.stdout]

        assert asyncio.run(story()) == ["1\n", "2\n"]


HOLDER = "setsid sleep 600 & echo $! > holder; printf answered; exit 5"


@pytest.mark.parametrize("kind", ["paramiko", "asyncssh"])
def test_a_background_process_on_stdout_holds_no_answer_up(node: Sshd, kind: str) -> None:
    command = ["sh", "-c", HOLDER]

    async def later() -> Reply:
        triggerer = node.async_transport()
        reply = await triggerer.run(command, timeout_s=60)
        await triggerer.close()
        return reply

    began = time.monotonic()
    if kind == "paramiko":
        transport = node.transport()
        reply = transport.run(command, timeout_s=60)
        transport.close()
    else:
        reply = asyncio.run(later())
    holder = int((node.home / "holder").read_text())
    os.kill(holder, 9)  # still there: it was not waited for
    assert reply == Reply(5, "answered", "")
    assert time.monotonic() - began < 60


def test_how_long_was_waited_is_said(node: Sshd) -> None:
    transport = node.transport()
    with pytest.raises(TransportError, match=r"'sleep' did not answer within 0\.3 s"):
        transport.run(["sleep", "30"], timeout_s=0.3)
    transport.close()


# ---- files that break off ------------------------------------------------------------------


def test_bytes_that_did_not_all_arrive_get_no_name(node: Sshd) -> None:
    """The connection breaks in the middle of a write: the old file stays, and nothing else."""
    folder = node.home / "broken off"
    transport = node.transport()
    transport.write(str(folder / "file"), b"old")
    caught: list[Conversation] = []
    exchange = transport.exchange

    def keep(conversation: Conversation, timeout_s: float) -> object:
        caught.append(conversation)
        return exchange(conversation, timeout_s)

    transport.exchange = keep  # type: ignore[assignment,method-assign]
    transport.write(str(folder / "file"), b"old")
    whole = caught[0]
    cut = Conversation(whole.name, whole.frame, whole.line, whole.stdin + b"")
    for missing in (1, 3):
        short = Conversation(cut.name, cut.frame, cut.line, cut.stdin[:-missing])
        raw = exchange(short, 20)
        assert raw.exit_code == 45 and b"of 3 bytes arrived" in raw.stderr
    assert os.listdir(folder) == ["file"] and (folder / "file").read_bytes() == b"old"
    transport.close()


@pytest.mark.parametrize(
    ("cat", "error"),
    [
        ("echo 'cat: write error: Disk quota exceeded' >&2; exit 1", RemoteFileError),
        ("echo 'cat: write error: Input/output error' >&2; exit 1", TransportError),
        ("echo 'cat: -: Stale file handle' >&2; exit 1", TransportError),
        ("head -c 10", TransportError),
    ],
)
def test_a_failed_write_leaves_no_draft_and_says_whether_to_retry(
    node: Sshd, cat: str, error: type[Exception]
) -> None:
    """`cat` is played: no quota can be set here. It writes a part, then fails as coreutils do."""
    folder = node.home / "drafts"
    transport = node.transport()
    transport.write(str(folder / "file"), b"old")
    command = node.folder / "bin" / "cat"
    command.write_text(f'#!/bin/sh\n[ $# -eq 0 ] || exec /bin/cat "$@"\nhead -c 100; {cat}\n')
    # The script itself is read by `dd` where content follows it: only the content meets this cat.
    command.chmod(0o755)
    try:
        with pytest.raises(error, match=r"writing .*/drafts/file"):
            transport.write(str(folder / "file"), b"x" * 1000)
    finally:
        command.unlink()
    assert os.listdir(folder) == ["file"] and transport.read(str(folder / "file")) == b"old"
    transport.close()


# ---- logins that are refused ---------------------------------------------------------------


@pytest.fixture
def clock() -> list[float]:
    return [1_000_000.0]


@pytest.fixture
def refusals(tmp_path: Path, clock: list[float]) -> Refusals:
    return Refusals(tmp_path / "refusals", clock=lambda: clock[0])


def ask(node: Sshd, kind: str, refusals: Refusals, **changed: str) -> Reply:
    if kind == "paramiko":
        transport = node.transport(refusals, **changed)
        try:
            return transport.run(["echo", "in"])
        finally:
            transport.close()

    async def later() -> Reply:
        triggerer = node.async_transport(refusals, **changed)
        try:
            return await triggerer.run(["echo", "in"])
        finally:
            await triggerer.close()

    return asyncio.run(later())


@pytest.mark.parametrize("kind", ["paramiko", "asyncssh"])
def test_a_refused_key_is_kept_back_longer_each_time(
    node: Sshd, refusals: Refusals, clock: list[float], kind: str, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger], check=True)
    key, began, tries = str(stranger), logins(node), []
    for second in range(0, 1800, 15):  # as tasks do that wait: every few seconds
        clock[0] = 1_000_000.0 + second
        before = logins(node)
        with pytest.raises(NeedsLogin) as needs:
            ask(node, kind, refusals, key_file=key)
        if logins(node) > before:
            tries.append(second)
        else:
            assert "was refused" in str(needs.value) and "not tried again" in str(needs.value)
    assert tries == [0, 60, 180, 420, 900], "at most four in any ten minutes"
    assert logins(node) - began == len(tries), "and each of them is one login"
    other = Refusals(refusals.folder, clock=lambda: clock[0])
    with pytest.raises(NeedsLogin, match="not tried again"):
        ask(node, kind, other, key_file=key)  # another process knows it, too
    assert ask(node, kind, refusals) == Reply(0, "in\n", ""), "other credentials: at once"


def test_once_let_in_nothing_is_kept_back(
    node: Sshd, refusals: Refusals, clock: list[float]
) -> None:
    content = node.authorized_keys.read_bytes()
    node.authorized_keys.write_bytes(b"")
    try:
        with pytest.raises(NeedsLogin, match="the login was refused"):
            ask(node, "paramiko", refusals)
    finally:
        node.authorized_keys.write_bytes(content)
    with pytest.raises(NeedsLogin, match="not tried again"):
        ask(node, "paramiko", refusals)
    clock[0] += 61
    assert ask(node, "paramiko", refusals).ok and ask(node, "asyncssh", refusals).ok
    assert list(refusals.folder.iterdir()) == []


def test_a_folder_of_somebody_elses_is_not_believed(tmp_path: Path, node: Sshd) -> None:
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    refusals = Refusals(tmp_path / "open")
    refusals.refused(node.login(), "no")
    refusals.require_worth_trying(node.login())
    assert list((tmp_path / "open").iterdir()) == []


def test_each_try_offers_what_the_login_names_and_nothing_else(
    node: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent, a key in ~/.ssh and its config are there, and would open the door."""
    ssh = tmp_path / ".ssh"
    ssh.mkdir()
    (ssh / "id_ed25519").write_bytes(node.key.read_bytes())
    (ssh / "id_ed25519").chmod(0o600)
    (ssh / "config").write_text(f"Host *\n  IdentityFile {node.key}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    stranger = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger], check=True)
    agent = subprocess.run(["ssh-agent", "-s"], check=True, capture_output=True, text=True).stdout
    found = dict(re.findall(r"(SSH_\w+)=([^;]+);", agent))
    try:
        for name, value in found.items():
            monkeypatch.setenv(name, value)
        subprocess.run(["ssh-add", "-q", str(node.key)], check=True)
        login = node.login(key_file=str(stranger))
        with pytest.raises(paramiko.AuthenticationException):
            connect(login)
        with pytest.raises(asyncssh.PermissionDenied):
            asyncio.run(connect_async(login))
    finally:
        os.kill(int(found["SSH_AGENT_PID"]), 15)
