"""Connections of both types against a real sshd: who is believed, who is let in, and who is not.

The host stands in the user's known_hosts, and a good key in the user's agent folder: what the
provider's own hook would take for good, ours must not.
"""

import asyncio
import json
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.ssh.hooks.ssh import SSHHook

from operators.cluster import transports
from operators.cluster.errors import ClusterError, HostKeyRefused, NeedsLogin
from operators.cluster.reply import Reply
from operators.cluster.transports.login import Login, whole_key
from operators.cluster.transports.openssh import Master
from operators.hooks.connection import login_of, login_of_async
from operators.hooks.pinned_ssh import ConnectionValues, PinnedSshHook
from tests.clusters.login import generate_key, public_key
from tests.harness.sshd import Sshd

TYPES = ("ssh", "hpc")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("node")).running() as made:
        yield made


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A jump host: it forwards, and runs nothing."""
    folder = tmp_path_factory.mktemp("gate")
    with Sshd(folder, says="exit 1", more="AllowTcpForwarding yes").running() as made:
        yield made


@pytest.fixture(autouse=True)
def home(node: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose ~/.ssh knows the host and holds its key, and sends everything elsewhere."""
    folder = tmp_path / "home" / ".ssh"
    folder.mkdir(parents=True)
    lines = [f"[{node.host}]:{node.port} {node.pin(kind)}" for kind in ("host_key", "rsa_host_key")]
    (folder / "known_hosts").write_text("\n".join(lines) + "\n")
    (folder / "config").write_text("Host *\n  ProxyCommand /bin/false\n  IdentityFile /nosuch\n")
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setattr(
        "operators.cluster.transports.refusals._own_folder", lambda: tmp_path / "refusals"
    )
    return folder.parent


def connection(kind: str, node: Sshd, *, password: str | None = None, **extra: Any) -> str:
    known = {"host_key": node.pin(), "key_file": str(node.key)}
    told = {key: value for key, value in (known | extra).items() if value is not None}
    fields = {"conn_type": kind, "host": node.host, "port": node.port, "login": node.user}
    return json.dumps(fields | {"password": password, "extra": told})


def ask(name: str) -> list[Reply]:
    """What the worker and the triggerer hear."""
    command = ["echo", "in"]
    worker = transports.connect(lambda: login_of(name))
    try:
        replies = [worker.run(command)]
    finally:
        worker.close()

    async def later() -> Reply:
        triggerer = await transports.connect_async(lambda: login_of_async(name))
        try:
            return await triggerer.run(command)
        finally:
            await triggerer.close()

    return [*replies, asyncio.run(later())]


IN = [Reply(0, "in\n", "")] * 2


def both_refuse(name: str, error: type[Exception], words: str) -> tuple[str, str]:
    """What worker and triggerer say when they refuse to log in."""
    worker = transports.connect(lambda: login_of(name))
    with pytest.raises(error, match=words) as first:
        worker.run(["true"])

    async def later() -> None:
        triggerer = await transports.connect_async(lambda: login_of_async(name))
        await triggerer.run(["true"])

    with pytest.raises(error, match=words) as second:
        asyncio.run(later())
    return str(first.value), str(second.value)


@pytest.mark.parametrize("kind", TYPES)
def test_the_right_pin(node: Sshd, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    keyscan = f"# {node.host}:22 SSH-2.0-OpenSSH\n[{node.host}]:{node.port} {node.pin()}\n"
    pasted = keyscan.replace("\n", " ")  # as a form of one line keeps it
    for pinned in (
        node.pin(),
        f"{node.pin()} a comment",
        keyscan,
        pasted,
        node.pin("rsa_host_key"),
    ):
        monkeypatch.setenv("AIRFLOW_CONN_CPU", connection(kind, node, host_key=pinned))
        assert ask("cpu") == IN


@pytest.mark.parametrize("kind", TYPES)
def test_a_wrong_pin_although_the_host_stands_in_known_hosts(
    node: Sshd, gate: Sshd, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CPU", connection(kind, node, host_key=gate.pin()))
    (Path.home() / ".ssh" / "config").unlink()  # the provider would go through /bin/false
    with SSHHook("cpu").get_conn() as client:  # this is why ours is a subclass
        assert client.get_transport().is_active()
    both_known = gate.pin("rsa_host_key")
    for pinned in (gate.pin(), both_known):
        monkeypatch.setenv("AIRFLOW_CONN_CPU", connection(kind, node, host_key=pinned))
        with pytest.raises(HostKeyRefused, match="pinned in the Connection is another one"):
            transports.connect(lambda: login_of("cpu")).run(["true"])
        with pytest.raises(HostKeyRefused, match="pinned in the Connection is another one"):
            asyncio.run(_async_true())


async def _async_true() -> None:
    triggerer = await transports.connect_async(lambda: login_of_async("cpu"))
    await triggerer.run(["true"])


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"host_key": None}, "pins no host key; put a line of `ssh-keyscan HOST`"),
        ({"host_key": ""}, "pins no host key"),
        ({"host_key": "ssh-ed25519"}, "pins no host key"),
        ({"host_key": "ssh-ed25519 nonsense"}, "is no key"),
        ({"host_key": "ssh-dss AAAAB3NzaC1kc3M="}, "is no key"),
        ({"no_host_key_check": True}, r"switches the check .* off \(no_host_key_check\)"),
        ({"no_host_key_check": "true", "host_key": None}, "switches the check"),
        ({"ignore_hostkey_verification": "true"}, "switches the check"),
        ({"allow_host_key_change": True}, "switches the check"),
    ],
)
def test_without_a_pin_nobody_is_asked(
    node: Sshd, monkeypatch: pytest.MonkeyPatch, kind: str, extra: dict[str, Any], words: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CPU", connection(kind, node, **extra))
    before = node.log().count("Connection from")
    with pytest.raises(HostKeyRefused, match=words) as refused:
        login_of("cpu")
    assert "Connection 'cpu'" in str(refused.value)
    with pytest.raises(HostKeyRefused, match=words):
        asyncio.run(login_of_async("cpu"))
    assert node.log().count("Connection from") == before


@pytest.mark.parametrize("kind", TYPES)
def test_a_legacy_rsa_pin(
    node: Sshd, gate: Sshd, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    bare = node.pin("rsa_host_key").split()[1]
    monkeypatch.setenv("AIRFLOW_CONN_CPU", connection(kind, node, host_key=bare))
    assert login_of("cpu").host_key == node.pin("rsa_host_key")
    assert ask("cpu") == IN
    other = gate.pin("rsa_host_key").split()[1]
    monkeypatch.setenv("AIRFLOW_CONN_CPU", connection(kind, node, host_key=other))
    both_refuse_all("cpu")


def both_refuse_all(name: str) -> None:
    with pytest.raises(HostKeyRefused):
        transports.connect(lambda: login_of(name)).run(["true"])
    with pytest.raises(HostKeyRefused):
        asyncio.run(_async_true())


@pytest.mark.parametrize("kind", TYPES)
def test_through_a_jump_host_with_a_pin_of_its_own(
    node: Sshd, gate: Sshd, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CPU", connection(kind, node, proxy_jump="gate"))
    other = TYPES[1 - TYPES.index(kind)]  # the two types may be mixed
    monkeypatch.setenv("AIRFLOW_CONN_GATE", connection(other, gate))
    before = gate.log().count("Accepted publickey")
    assert ask("cpu") == IN
    assert gate.log().count("Accepted publickey") == before + 2
    monkeypatch.setenv("AIRFLOW_CONN_GATE", connection(other, gate, host_key=node.pin()))
    both_refuse_all("cpu")
    monkeypatch.setenv("AIRFLOW_CONN_GATE", connection(other, gate, host_key=None))
    with pytest.raises(HostKeyRefused, match="Connection 'gate' pins no host key"):
        login_of("cpu")
    monkeypatch.setenv("AIRFLOW_CONN_GATE", connection(other, gate))
    changed = connection(kind, node, proxy_jump="gate", host_key=gate.pin())
    monkeypatch.setenv("AIRFLOW_CONN_CPU", changed)
    both_refuse_all("cpu")


@pytest.mark.parametrize("kind", TYPES)
def test_a_certificate(
    node: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    key = tmp_path / "unknown_key"
    generate_key(key)
    certificate = node.sign(key)
    text = certificate.read_text()
    for given in (str(certificate), text):
        told = connection(kind, node, key_file=str(key), certificate=given)
        monkeypatch.setenv("AIRFLOW_CONN_CPU", told)
        assert ask("cpu") == IN
    monkeypatch.setenv("AIRFLOW_CONN_CPU", connection(kind, node, key_file=str(key)))
    both_refuse("cpu", NeedsLogin, "was refused")


def open_master(login: Login, key: Path) -> tuple[int, str]:
    """Type what a person is told to; the key stands for the answer to the prompt."""
    typed = shlex.split(Master(login).command_to_type)
    argv = [typed[0], "-F", "none", "-i", str(key), "-o", "BatchMode=yes", *typed[1:]]
    with tempfile.TemporaryFile("w+") as terminal:  # the hop holds it open, as it would a terminal
        code = subprocess.run(argv, stdout=terminal, stderr=terminal, timeout=30).returncode
        terminal.seek(0)
        return code, terminal.read()


@pytest.mark.parametrize("kind", TYPES)
def test_a_control_socket_whose_every_hop_is_pinned(
    node: Sshd, gate: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (Path.home() / ".ssh" / "config").unlink()
    known = Path.home() / ".ssh" / "known_hosts"
    known.write_text(known.read_text() + f"[{gate.host}]:{gate.port} {gate.pin()}\n")
    socket = tmp_path / "master"
    monkeypatch.setenv("AIRFLOW_CONN_GATE", connection(kind, gate))
    told = {"control_socket": str(socket), "proxy_jump": "gate", "key_file": None}
    monkeypatch.setenv("AIRFLOW_CONN_CPU", connection(kind, node, **told))
    login = login_of("cpu")
    with pytest.raises(NeedsLogin, match="type on the control host: ssh -fNM -S"):
        ask("cpu")
    code, said = open_master(login, node.key)
    try:
        assert code == 0, said
        assert ask("cpu") == IN
        assert Path.home().joinpath(".ssh", "known_hosts").read_text() == known.read_text()
    finally:
        subprocess.run(Master(login).argv("-O", "exit"), check=False, capture_output=True)
    for wrong in ({"gate": node.pin()}, {"cpu": gate.pin()}):
        gate_pin, node_pin = wrong.get("gate", gate.pin()), wrong.get("cpu", node.pin())
        monkeypatch.setenv("AIRFLOW_CONN_GATE", connection(kind, gate, host_key=gate_pin))
        monkeypatch.setenv("AIRFLOW_CONN_CPU", connection(kind, node, **told, host_key=node_pin))
        code, said = open_master(login_of("cpu"), node.key)
        assert code != 0 and "HOST IDENTIFICATION HAS CHANGED" in said


# ---- keys and settings ---------------------------------------------------------------------


def damaged(text: str) -> dict[str, str]:
    """What forms, browsers and shells make of a key."""
    return {
        "as it is": text,
        "spaces": text.replace("\n", " "),
        "windows": text.replace("\n", "\r\n"),
        "escaped": text.replace("\n", "\\n"),
        "indented": text.replace("\n", "\n    "),
        "one line": text.strip().replace("\n", " "),
    }


@pytest.mark.parametrize("kind", TYPES)
def test_a_pasted_key_gets_its_lines_back(
    node: Sshd, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for what, text in damaged(node.key.read_text()).items():
        told = connection(kind, node, key_file=None, private_key=text)
        monkeypatch.setenv("AIRFLOW_CONN_CPU", told)
        assert ask("cpu") == IN, what


@pytest.mark.parametrize("form", [(), ("-m", "PEM")])
def test_an_encrypted_key_gets_its_lines_back(tmp_path: Path, form: tuple[str, ...]) -> None:
    key = tmp_path / "key"
    argv = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", *form, "-N", "secret", "-f", str(key)]
    subprocess.run(argv, check=True)
    public = public_key(key).read_text().split()[1]
    for text in damaged(key.read_text()).values():
        told = ConnectionValues("x", "h", "u", None, None, extra_of(text, public))
        assert PinnedSshHook(told).pkey.get_base64() == public
    with pytest.raises(NeedsLogin, match="and its passphrase if it has one"):
        wrong = extra_of(key.read_text(), public) | {"private_key_passphrase": "other"}
        PinnedSshHook(ConnectionValues("x", "h", "u", None, None, wrong))


def extra_of(key: str, public: str) -> dict[str, str]:
    return {"host_key": public, "private_key": key, "private_key_passphrase": "secret"}


def test_what_is_no_key_stays_as_it_is() -> None:
    for text in ("", "nonsense", "-----BEGIN A-----\nAAAA", "-----BEGIN A----- x -----END B-----"):
        assert whole_key(text) == text


@pytest.mark.parametrize("kind", TYPES)
def test_the_providers_settings_count(
    node: Sshd, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    more: dict[str, Any] = {
        "conn_timeout": "7",
        "cmd_timeout": "120",
        "compress": "false",
        "ciphers": ["aes256-ctr"],
        "disabled_algorithms": {"kex": ["curve25519-sha256@libssh.org"], "macs": ["no-such-mac"]},
    }
    monkeypatch.setenv("AIRFLOW_CONN_CPU", connection(kind, node, **more))
    login = login_of("cpu")
    assert (login.connect_timeout_s, login.command_timeout_s, login.compress) == (7, 120, False)
    assert ask("cpu") == IN
    hook = PinnedSshHook(told_of(node, **more))
    with hook.get_conn() as client:
        assert client.get_transport().remote_cipher == "aes256-ctr"
    text = {"ciphers": "aes256-ctr, aes128-ctr", "disabled_algorithms": '{"kex": ["a"]}'}
    monkeypatch.setenv("AIRFLOW_CONN_CPU", connection(kind, node, **text))
    assert login_of("cpu").ciphers == ("aes256-ctr", "aes128-ctr")
    assert login_of("cpu").disabled_algorithms == {"kex": ("a",)}


@pytest.mark.parametrize("kind", TYPES)
def test_blanks_that_a_paste_brings_along_do_not_count(
    node: Sshd, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    blanks = {"host_key": f"  {node.pin()} \n", "key_file": f" {node.key}\n", "conn_timeout": " 7 "}
    monkeypatch.setenv("AIRFLOW_CONN_CPU", connection(kind, node, **blanks))
    assert login_of("cpu").connect_timeout_s == 7
    assert ask("cpu") == IN


def told_of(node: Sshd, **extra: Any) -> ConnectionValues:
    known = {"host_key": node.pin(), "key_file": str(node.key)}
    return ConnectionValues("cpu", node.host, node.user, None, node.port, known | extra)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"private_key": "x"}, "names a key file and holds a private key"),
        ({"private_key": "x", "key_file": None}, "the private key cannot be read"),
        ({"conn_timeout": "soon"}, "conn_timeout is 'soon'; give a number of seconds"),
        ({"cmd_timeout": -1}, "cmd_timeout is '-1'"),
        ({"disabled_algorithms": "rsa"}, "write lists by kind"),
        ({"disabled_algorithms": {"key": ["a"]}}, "write lists by kind"),
    ],
)
def test_a_wrong_setting_is_named(
    node: Sshd, monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], words: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CPU", connection("ssh", node, **extra))
    with pytest.raises(NeedsLogin, match=words):
        login_of("cpu")


def test_a_cipher_that_nobody_knows_is_named(node: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CPU", connection("ssh", node, ciphers=["rot13"]))
    assert all("rot13" in said for said in both_refuse("cpu", ClusterError, "rot13"))


def test_another_type_of_connection_is_refused(node: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CPU", connection("http", node))
    with pytest.raises(ClusterError, match="is of type 'http'; make it one of type"):
        login_of("cpu")


def test_refused_logins_are_tried_once_and_noted(
    node: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "stranger"
    generate_key(key)
    monkeypatch.setenv("AIRFLOW_CONN_CPU", connection("ssh", node, key_file=str(key)))
    before = node.log().count("Connection from")
    worker = transports.connect(lambda: login_of("cpu"))
    with pytest.raises(NeedsLogin, match="the login was refused"):
        worker.run(["true"])
    for _ in range(3):
        with pytest.raises(NeedsLogin, match="not tried again before"):
            worker.run(["true"])
    assert node.log().count("Connection from") == before + 1
