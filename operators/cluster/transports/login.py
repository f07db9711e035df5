"""Who logs in where, and what proves it: one value for the blocking and the asynchronous client.

Host keys are pinned, at every hop; known_hosts, agents and key files that nobody named are neither
read nor written.
"""

import re
import textwrap
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import ssh as openssh

from operators.cluster.errors import HostKeyRefused, NeedsLogin

SSH_PORT = 22
CONNECT_TIMEOUT_S = 20.0
KEY_KINDS = ("ssh-", "ecdsa-", "sk-")
"""How the names of public keys and certificates begin."""
LEGACY_PIN = re.compile(r"AAAAB3NzaC1yc2E[A-Za-z0-9+/=]+")
"""An RSA key without its type, as old Connections of type `ssh` pin it."""


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
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    command_timeout_s: float = 0.0
    """A slow site's: every command is waited for at least so long."""
    compress: bool = False
    ciphers: tuple[str, ...] = ()
    """In order of preference; none: the client's own."""
    disabled_algorithms: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """By kind, as paramiko has them: keys, pubkeys, kex, ciphers, macs."""

    def __str__(self) -> str:
        port = "" if self.port == SSH_PORT else f":{self.port}"
        return f"{self.user}@{self.host}{port}"

    @property
    def known_host(self) -> str:
        """The host as known_hosts files write it."""
        return self.host if self.port == SSH_PORT else f"[{self.host}]:{self.port}"

    @property
    def host_key_algorithms(self) -> tuple[str, ...]:
        """How the pinned key may sign: RSA has two ways, every other kind one."""
        kind = self.host_key.split()[0]
        ways = ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)
        return tuple(w for w in ways if w not in self.disabled_algorithms.get("keys", ()))

    def key_text(self) -> str | None:
        """Return the private key, or None without one; NeedsLogin if its file cannot be read."""
        if self.private_key or not self.key_file:
            return whole_key(self.private_key) if self.private_key else None
        try:
            return whole_key(Path(self.key_file).expanduser().read_text())
        except (OSError, UnicodeError) as error:
            words = getattr(error, "strerror", None) or "it is no text"
            raise NeedsLogin(f"{self}: key file {self.key_file}: {words}") from None

    def certificate_text(self) -> str | None:
        """Return the certificate, or None without one; raise NeedsLogin if it is of no use now."""
        if not self.certificate:
            return None
        text = self.certificate
        if "\n" not in text.strip() and not text.lstrip().startswith(KEY_KINDS):
            path = Path(text).expanduser()
            try:
                text = path.read_text()
            except OSError as error:
                raise NeedsLogin(f"{self}: certificate {path}: {error.strerror}") from None
        _require_valid(self, text)
        return text


def pin(whose: str, text: str) -> str:
    """Read what a person pinned: type and key, a line of ssh-keyscan, or a bare RSA key.

    Returns "type base64"; raises HostKeyRefused, which says whose pin is missing or is no key.
    """
    lines = [line.split("#")[0].split() for line in text.splitlines()]
    parts = next((line for line in lines if line), [])
    if len(parts) == 1 and LEGACY_PIN.fullmatch(parts[0]):
        return f"ssh-rsa {parts[0]}"
    if not parts and "\n" not in text.strip():  # a form made one line of it, comments first
        parts = text.split()
    kinds = [i for i, part in enumerate(parts) if part.startswith(KEY_KINDS)]
    if not kinds or len(parts) < kinds[0] + 2:
        raise HostKeyRefused(
            f"{whose} pins no host key; put a line of `ssh-keyscan HOST`, after comparing it with "
            "the site's, into its field 'Host key' (`host_key` in the extra)"
        )
    return " ".join(parts[kinds[0] : kinds[0] + 2])


def whole_key(text: str) -> str:
    """Give a private key its lines back: forms and browsers turn newlines into spaces.

    What is no key between BEGIN and END lines is returned as it is.
    """
    flat = text.replace("\\n", "\n").strip()
    found = re.fullmatch(r"(?s)-----BEGIN ([A-Z0-9 ]+)-----(.*)-----END \1-----", flat)
    if not found:
        return text
    kind, body = found[1], found[2].split()
    headers: list[str] = []
    while len(body) > 1 and body[0].endswith(":"):  # of old encrypted keys: Proc-Type, DEK-Info
        headers.append(f"{body[0]} {body[1]}")
        body = body[2:]
    lines = [*headers, *([""] if headers else []), *textwrap.wrap("".join(body), 64)]
    return "\n".join((f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""))


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
