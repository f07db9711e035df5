"""Log in as a Login says: by paramiko for the worker, by asyncssh for the triggerer.

Both believe the pinned host key alone, offer the named credentials alone, and try once.
"""

import base64
import contextlib
import io
from collections.abc import Mapping
from typing import Any

import asyncssh
import paramiko

from operators.cluster.errors import ClusterError, HostKeyRefused, NeedsLogin, TransportError
from operators.cluster.transports.login import Login
from operators.cluster.transports.refusals import Refusals
from operators.cluster.transports.transport import KEEPALIVE_S

KEY_TYPES = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
UNREADABLE = (
    "the private key cannot be read ({}); give the whole file, with its BEGIN and END lines, and "
    "its passphrase if it has one"
)
ASYNCSSH_NAMES = {"kex": "kex_algs", "macs": "mac_algs", "ciphers": "encryption_algs"} | {
    "pubkeys": "signature_algs"
}
"""What paramiko calls a kind of algorithms, and asyncssh's option for it."""


class JumpClient(paramiko.SSHClient):  # type: ignore[misc]
    """A client that takes its jump host's client along when it closes."""

    jump: paramiko.SSHClient | None = None

    def close(self) -> None:
        """Close both."""
        super().close()
        if self.jump is not None:
            self.jump.close()


def connect(login: Login, refusals: Refusals | None = None) -> paramiko.SSHClient:
    """Log in, through the jump host where there is one; paramiko's errors are left as they are.

    Raises HostKeyRefused for a pin that is no key, NeedsLogin for a key or certificate that
    cannot be used, or, where refusals are counted, for credentials that are kept back.
    """
    if refusals:
        refusals.require_worth_trying(login)
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
            sock=_through(client, login, refusals) if login.jump else None,
            allow_agent=False,
            look_for_keys=False,
            compress=login.compress,
            timeout=login.connect_timeout_s,
            banner_timeout=login.connect_timeout_s,
            auth_timeout=login.connect_timeout_s,
            disabled_algorithms={k: list(v) for k, v in login.disabled_algorithms.items()},
            transport_factory=lambda sock, **more: _preferring(login, sock, **more),
        )
        transport = client.get_transport()
        if transport is not None:
            transport.set_keepalive(KEEPALIVE_S)
    except BaseException as error:
        if refusals and isinstance(error, paramiko.AuthenticationException):
            refusals.refused(login, str(error))
        with contextlib.suppress(Exception):
            client.close()
        raise
    if refusals:
        refusals.accepted(login)
    return client


async def connect_async(
    login: Login, refusals: Refusals | None = None
) -> list[asyncssh.SSHClientConnection]:
    """Do the same for the triggerer: the connections of all hops, the host's last."""
    if refusals:
        refusals.require_worth_trying(login)
    hops = await connect_async(login.jump, refusals) if login.jump else []
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
            connect_timeout=login.connect_timeout_s,
            login_timeout=login.connect_timeout_s,
            keepalive_interval=KEEPALIVE_S,
            keepalive_count_max=3,
            **_algorithms(login),
        )
    except BaseException as error:
        if refusals and isinstance(error, asyncssh.PermissionDenied):
            refusals.refused(login, error.reason)
        for hop in reversed(hops):
            hop.close()
        if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
            raise ClusterError(f"{login}: ciphers or disabled_algorithms: {error}") from error
        raise
    if refusals:
        refusals.accepted(login)
    return [*hops, connection]


def _through(client: JumpClient, login: Login, refusals: Refusals | None) -> Any:
    """Open a channel to the host from its jump host."""
    assert login.jump is not None
    client.jump = connect(login.jump, refusals)
    transport = client.jump.get_transport()
    if transport is None:
        raise TransportError(f"{login.jump}: the connection was closed")
    target = (login.host, login.port)
    return transport.open_channel("direct-tcpip", target, ("127.0.0.1", 0), timeout=20)


def _preferring(login: Login, sock: Any, **more: Any) -> paramiko.Transport:
    """Make paramiko's transport with the ciphers of the login, before anything is agreed on."""
    transport = paramiko.Transport(sock, **more)
    if login.ciphers:
        try:
            transport.get_security_options().ciphers = login.ciphers
        except ValueError as error:
            sock.close()
            raise ClusterError(f"{login}: ciphers {', '.join(login.ciphers)}: {error}") from error
    return transport


def _algorithms(login: Login) -> Mapping[str, Any]:
    """Translate the login's algorithms into asyncssh's options; "-a,b" takes from its own."""
    options: dict[str, Any] = {}
    for kind, name in ASYNCSSH_NAMES.items():
        disabled = login.disabled_algorithms.get(kind, ())
        if known := [each for each in disabled if _is_known(name, each)]:
            options[name] = "-" + ",".join(known)
    if login.ciphers:
        disabled = login.disabled_algorithms.get("ciphers", ())
        options["encryption_algs"] = [each for each in login.ciphers if each not in disabled]
    if login.host_key.startswith("ssh-rsa ") or login.disabled_algorithms.get("keys"):
        options["server_host_key_algs"] = list(login.host_key_algorithms)
    return options


def _is_known(option: str, algorithm: str) -> bool:
    """Whether asyncssh has an algorithm at all; what it has not need not be taken from it."""
    quiet: dict[str, Any] = {"config": None, "client_keys": None, "agent_path": None}
    try:
        asyncssh.SSHClientConnectionOptions(**quiet, **{option: f"-{algorithm}"})
    except ValueError:
        return False
    return True


def _pinned(login: Login) -> paramiko.PKey:
    try:
        kind, data = login.host_key.split()
        return paramiko.PKey.from_type_string(kind, base64.b64decode(data, validate=True))
    except (ValueError, IndexError, paramiko.SSHException, paramiko.UnknownKeyType) as error:
        raise HostKeyRefused(f"{login}: the pinned host_key is no key: {error!r}") from error


def _async_pinned(login: Login) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_public_key(login.host_key)
    except asyncssh.KeyImportError as error:
        raise HostKeyRefused(f"{login}: the pinned host_key is no key: {error}") from error


def _private_key(login: Login) -> paramiko.PKey | None:
    text, certificate = login.key_text(), login.certificate_text()
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
    raise NeedsLogin(f"{login}: {UNREADABLE.format(problem)}")


def _async_keys(login: Login) -> list[Any]:
    text, certificate = login.key_text(), login.certificate_text()
    if not text:
        return []
    try:
        key = asyncssh.import_private_key(text, login.passphrase)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise NeedsLogin(f"{login}: {UNREADABLE.format(error)}") from error
    return [(key, asyncssh.import_certificate(certificate)) if certificate else key]
