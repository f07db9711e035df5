"""Commands and files through real login shells behind a real sshd; few of them are POSIX."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from operators.cluster.errors import NeedsLogin, PollutedReply
from operators.cluster.reply import Reply
from tests.harness.sshd import Sshd

SHELLS = ("bash", "dash", "zsh", "fish", "tcsh")
UGLY = ["two words", "it's", '"q"', "$(touch canary)", "`touch canary`", "a\nb\n", "", "*", "-n"]
UGLY += ["ü", "!x", "wow!!", "\\", "a\\", "\\'", "~", "#", "$HOME", "%d", "{a,b}", "\t"]
TELL = "import sys, json; print(json.dumps(sys.argv[1:]))"


@pytest.fixture(params=SHELLS)
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path, shell=request.param).running() as made:
        yield made


def test_every_argument_and_every_byte_arrives(node: Sshd) -> None:
    transport = node.transport()
    reply = transport.run([sys.executable, "-c", TELL, *UGLY])
    assert json.loads(reply.stdout) == UGLY
    assert not (node.home / "canary").exists()
    script = "for word; do\n  echo \"$word!\"\ndone; echo 'err!' >&2; exit 3"
    assert transport.run(["sh", "-c", script, "x", "a", "b c"]) == Reply(3, "a!\nb c!\n", "err!\n")
    content = os.urandom(200_000) + b"!\n\0"
    path = str(node.home / "new folder!" / "it's\na file")
    transport.write(path, content)
    assert transport.read(path) == content and transport.read(path, 7, 5) == content[7:12]
    assert transport.list(str(node.home / "new folder!")) == ["it's\na file"]
    assert transport.exists(path) and not transport.exists(path + "x")
    many = [f"{n:0200d}" for n in range(2000)]  # more than any shell takes in one command
    assert transport.run(["printf", "%s\n", *many]).stdout.split() == many
    transport.close()

    async def asked() -> Reply:
        triggerer = node.async_transport()
        try:
            return await triggerer.run([sys.executable, "-c", TELL, *UGLY])
        finally:
            await triggerer.close()

    assert json.loads(asyncio.run(asked()).stdout) == UGLY


BANNERS = {
    "bash": "echo 95%, Welcome, cluster7; echo 'hello!' >&2",
    "zsh": "print -r -- Welcome; print end 0",
    "fish": "echo Welcome; echo (date)",
    "tcsh": "echo Welcome; set echo",
}


@pytest.mark.parametrize("shell", BANNERS)
def test_what_a_login_shell_prints_is_none_of_the_answer(tmp_path: Path, shell: str) -> None:
    with Sshd(tmp_path, shell=shell, says=BANNERS[shell]).running() as node:
        transport = node.transport()
        assert transport.run(["sh", "-c", "printf out; echo err >&2; exit 4"]) == Reply(
            4, "out", "err\n"
        )
        transport.write(str(node.home / "file"), b"\0\xff")
        assert transport.read(str(node.home / "file")) == b"\0\xff"
        transport.close()
        triggerer = node.async_transport()

        async def asked() -> Reply:
            reply = await triggerer.run(["echo", "17"])
            await triggerer.close()
            return reply

        assert asyncio.run(asked()) == Reply(0, "17\n", "")


@pytest.mark.parametrize(
    ("says", "error", "words"),
    [
        ("echo This service allows sftp connections only.; exit 1", PollutedReply, "sftp"),
        ("cat > /dev/null", PollutedReply, "read what is not theirs from standard input"),
        ("read line", PollutedReply, "read what is not theirs from standard input"),
        (
            "echo 'Password change required but no TTY available.' >&2; exit 1",
            NeedsLogin,
            "the account wants a new password",
        ),
    ],
)
def test_a_shell_that_runs_nothing_is_named_with_its_words(
    tmp_path: Path, says: str, error: type[Exception], words: str
) -> None:
    with Sshd(tmp_path, says=says).running() as node:
        transport = node.transport()
        with pytest.raises(error, match=words):
            transport.run(["touch", "canary"])
        with pytest.raises(error, match=words):
            transport.write(str(node.home / "file"), b"content")
        assert os.listdir(node.home) == []
        transport.close()


def modes(folder: Path) -> dict[str, str]:
    return {p.name: oct(p.stat().st_mode & 0o7777)[2:] for p in sorted(folder.rglob("*"))}


@pytest.mark.parametrize(
    ("login", "ours", "file", "below"),
    [("077", None, "600", "700"), ("022", None, "644", "755"), ("077", "027", "640", "750")],
)
def test_the_umask_says_who_may_read_unless_a_group_shares(
    tmp_path: Path, login: str, ours: str | None, file: str, below: str
) -> None:
    """The login's own umask counts; a site's `group` sets another (contract.cluster.Cluster)."""
    with Sshd(tmp_path, umask=login).running() as node:
        transport = node.transport()
        transport.umask = ours
        transport.write(str(node.home / "folder" / "file"), b"content")
        transport.run(["touch", "folder/made"])
        transport.close()
        assert modes(node.home) == {"folder": below, "file": file, "made": file}
