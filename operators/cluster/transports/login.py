"""How to log in: one value for the blocking client (paramiko) and the asynchronous (asyncssh).

Host keys are pinned, at every hop; known_hosts, agents and key files that nobody named are neither
read nor written.
"""

import base64
import contextlib
import io
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncssh
import paramiko
from cryptography.hazmat.primitives.serialization import ssh as openssh

from operators.cluster.errors import HostKeyRefused, NeedsLogin, TransportError
from operators.cluster.transports.transport import CONNECT_TIMEOUT_S, KEEPALIVE_S

SSH_PORT = 22
KEY_TYPES = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One account on one host, and what proves that it is ours and that the host is the host."""

    host: str
    user: str
    port: int = SSH_PORT
    host_key: str
    """Pinned: "type base64"."""
    private_key: str | None = field(default=None, repr=False)
    key_file: str | None = None
    passphrase: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    certificate: str | None = None
    """The signed public key itself, or the path of its file."""
    control_socket: str | None = None
    """Of a master connection that a person opens; then nothing above proves anything."""
    jump: "Login | None" = None

    def __str__(self) -> str:
        port = "" if self.port == SSH_PORT else f":{self.port}"
        return f"{self.user}@{self.host}{port}"

    @property
    def known_host(self) -> str:
        """The host as known_hosts files write it."""
        return self.host if self.port == SSH_PORT else f"[{self.host}]:{self.port}"

    def certificate_text(self) -> str | None:
        """Return the certificate, or None without one; raise NeedsLogin if it is of no use now."""
        if not self.certificate:
            return None
        text = self.certificate
        if "\n" not in text.strip() and not text.lstrip().startswith(("ssh-", "ecdsa-", "sk-")):
            path = Path(text).expanduser()
            try:
                text = path.read_text()
            except OSError as error:
                raise NeedsLogin(f"{self}: certificate {path}: {error.strerror}") from None
        _require_valid(self, text)
        return text


class JumpClient(paramiko.SSHClient):  # type: ignore[misc]
    """A client that takes its jump host's client along when it closes."""

    jump: paramiko.SSHClient | None = None

    def close(self) -> None:
        """Close both."""
        super().close()
        if self.jump is not None:
            self.jump.close()


def connect(login: Login) -> paramiko.SSHClient:
    """Log in, through the jump host where there is one; paramiko's errors are left as they are.

    Raises HostKeyRefused for a pin that is no key, NeedsLogin for a key or certificate that
    cannot be used.
    """
    client, kind = JumpClient(), login.host_key.split()[0]
    client.get_host_keys().add(login.known_host, kind, _pinned(login))
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    key = _private_key(login)
    try:
        client.connect(
            login.host,
            login.port,
            login.user,
            password=login.password or None,
            pkey=key,
            sock=_through(client, login) if login.jump else None,
            allow_agent=False,
            look_for_keys=False,
            timeout=CONNECT_TIMEOUT_S,
            banner_timeout=CONNECT_TIMEOUT_S,
            auth_timeout=CONNECT_TIMEOUT_S,
        )
        transport = client.get_transport()
        if transport is not None:
            transport.set_keepalive(KEEPALIVE_S)
    except BaseException:
        with contextlib.suppress(Exception):
            client.close()
        raise
    return client


async def connect_async(login: Login) -> list[asyncssh.SSHClientConnection]:
    """Do the same for the triggerer: the connections of all hops, the host's last."""
    hops = await connect_async(login.jump) if login.jump else []
    try:
        connection = await asyncssh.connect(
            login.host,
            login.port,
            username=login.user,
            client_keys=_async_keys(login) or None,
            password=login.password,
            known_hosts=([_async_pinned(login)], [], []),
            tunnel=hops[-1] if hops else (),
            config=None,
            agent_path=None,
            connect_timeout=CONNECT_TIMEOUT_S,
            login_timeout=CONNECT_TIMEOUT_S,
            keepalive_interval=KEEPALIVE_S,
            keepalive_count_max=3,
        )
    except BaseException:
        for hop in reversed(hops):
            hop.close()
        raise
    return [*hops, connection]


def _through(client: JumpClient, login: Login) -> Any:
    """Open a channel to the host from its jump host."""
    assert login.jump is not None
    client.jump = connect(login.jump)
    transport = client.jump.get_transport()
    if transport is None:
        raise TransportError(f"{login.jump}: the connection was closed")
    target = (login.host, login.port)
    return transport.open_channel("direct-tcpip", target, ("127.0.0.1", 0), timeout=20)


def _pinned(login: Login) -> paramiko.PKey:
    try:
        kind, data = login.host_key.split()
        return paramiko.PKey.from_type_string(kind, base64.b64decode(data, validate=True))
    except (ValueError, paramiko.SSHException, paramiko.UnknownKeyType) as error:
        raise HostKeyRefused(f"{login}: the pinned host_key is no key: {error!r}") from error


def _async_pinned(login: Login) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_public_key(login.host_key)
    except asyncssh.KeyImportError as error:
        raise HostKeyRefused(f"{login}: the pinned host_key is no key: {error}") from error


def _key_text(login: Login) -> str | None:
    if login.private_key or not login.key_file:
        return login.private_key
    try:
        return Path(login.key_file).expanduser().read_text()
    except OSError as error:
        raise NeedsLogin(f"{login}: key file {login.key_file}: {error.strerror}") from None


def _private_key(login: Login) -> paramiko.PKey | None:
    text, certificate = _key_text(login), login.certificate_text()
    if not text:
        return None
    key = _parsed(login, text)
    if certificate:
        try:
            key.load_certificate(certificate)
        except ValueError as error:
            raise NeedsLogin(f"{login}: the certificate is not this key's: {error}") from error
    return key


def _parsed(login: Login, text: str) -> paramiko.PKey:
    problem: Exception | None = None
    for kind in KEY_TYPES:
        try:
            return kind.from_private_key(io.StringIO(text), login.passphrase)
        except paramiko.PasswordRequiredException:
            raise NeedsLogin(f"{login}: the private key has a passphrase; give it, too") from None
        except (paramiko.SSHException, ValueError, IndexError) as error:
            problem = error
    raise NeedsLogin(
        f"{login}: the private key cannot be read ({problem}); give the whole file, with its "
        "BEGIN and END lines, and its passphrase if it has one"
    )


def _async_keys(login: Login) -> list[Any]:
    text, certificate = _key_text(login), login.certificate_text()
    if not text:
        return []
    key = asyncssh.import_private_key(text, login.passphrase)
    return [(key, asyncssh.import_certificate(certificate)) if certificate else key]


def _require_valid(login: Login, certificate: str) -> None:
    """Compare a certificate's times with now: the server would only say that it refuses."""
    try:
        found = openssh.load_ssh_public_identity(certificate.strip().encode())
    except ValueError as error:
        raise NeedsLogin(f"{login}: the certificate cannot be read: {error}") from error
    if not isinstance(found, openssh.SSHCertificate):
        raise NeedsLogin(f"{login}: certificate is a public key, not a certificate (*-cert.pub)")
    if time.time() >= found.valid_before:
        until = datetime.fromtimestamp(found.valid_before, UTC)
        raise NeedsLogin(
            f"{login}: the certificate expired at {until:%Y-%m-%d %H:%M} UTC; have the key signed "
            "again and put the new certificate into the Connection or its file"
        )
