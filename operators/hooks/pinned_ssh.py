"""What a Connection of type `ssh` or `hpc` says, read by the SSH provider's own hook.

The provider knows the extras and their meaning; what it does beyond that is left out. Its own hook
connects although the pinned key is another one when the host stands in known_hosts, tries a refused
login three times, and takes keys, users and commands from the agent and from ~/.ssh.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import paramiko
from airflow.providers.ssh.hooks.ssh import SSHHook
from airflow.sdk.exceptions import AirflowException

from operators.cluster.errors import HostKeyRefused, NeedsLogin
from operators.cluster.transports.clients import UNREADABLE, connect
from operators.cluster.transports.login import (
    CONNECT_TIMEOUT_S,
    SSH_PORT,
    Login,
    pin,
    whole_key,
)
from operators.cluster.transports.refusals import Refusals

UNSAFE = ("no_host_key_check", "ignore_hostkey_verification", "allow_host_key_change")
TIMES = ("conn_timeout", "cmd_timeout")
AS_GIVEN = ("private_key", "private_key_passphrase", "passphrase")
"""Extras of which a blank may be a part."""


@dataclass(frozen=True, slots=True)
class ConnectionValues:
    """What a Connection says, already read: Airflow's own may not be asked on an event loop."""

    conn_id: str
    host: str | None
    login: str | None
    password: str | None
    port: int | None
    extra_dejson: Mapping[str, Any]

    @property
    def extra(self) -> str:
        """The extra as text."""
        return json.dumps(self.extra_dejson)


class PinnedSshHook(SSHHook):
    """The provider's hook for a Connection that pins its host's key; `jump` is read likewise.

    Raises HostKeyRefused where nothing is pinned or the check is switched off, NeedsLogin for a
    Connection that nobody can log in by; both name it, and what to change.
    """

    def __init__(self, told: "ConnectionValues", jump: Login | None = None) -> None:
        self._name = f"Connection '{told.conn_id}'"
        self._extra = _readable(self._name, told.extra_dejson)
        self._told = replace(told, extra_dejson=self._extra)
        self._jump = jump
        try:
            super().__init__(ssh_conn_id=told.conn_id, conn_retry_attempts=1)
        except (ValueError, paramiko.SSHException) as error:
            raise HostKeyRefused(f"{self._name}: its host key is no key: {error}") from error
        except AirflowException as error:
            raise NeedsLogin(f"{self._name}: {error}") from error
        # The constructor has looked into ~/.ssh/config: nothing of it counts.
        self.key_file = self._extra.get("key_file")
        self.host_proxy_cmd = None
        self.look_for_keys = False

    def get_connection(self, conn_id: str) -> "ConnectionValues":  # type: ignore[override]
        """Return what was given, with its extra made readable."""
        return self._told

    @property
    def login(self) -> Login:
        """The same as a value, for whichever client is to log in."""
        extra = self._extra
        assert self.host_key is not None  # a Connection without a pin was refused
        patience_s = self.cmd_timeout if "cmd_timeout" in extra else 0.0
        return Login(
            host=self.remote_host,
            user=self.username or "",
            port=self.port or SSH_PORT,
            host_key=f"{self.host_key.get_name()} {self.host_key.get_base64()}",
            private_key=extra.get("private_key"),
            key_file=self.key_file,
            passphrase=extra.get("private_key_passphrase") or extra.get("passphrase"),
            password=self.password or None,
            certificate=extra.get("certificate"),
            control_socket=extra.get("control_socket"),
            jump=self._jump,
            connect_timeout_s=float(self.conn_timeout or CONNECT_TIMEOUT_S),
            command_timeout_s=patience_s if isinstance(patience_s, float) else 0.0,
            compress=self.compress,
            ciphers=tuple(self.ciphers or ()),
            disabled_algorithms={k: tuple(v) for k, v in (self.disabled_algorithms or {}).items()},
        )

    def get_conn(self) -> paramiko.SSHClient:
        """Log in: the pinned key alone is believed, refused credentials are not tried again."""
        transport = self.client.get_transport() if self.client else None
        if transport is None or not transport.is_active():
            self.client = connect(self.login, Refusals())
        return self.client

    def _pkey_from_private_key(
        self, private_key: str, passphrase: str | None = None
    ) -> paramiko.PKey:
        """Read the key as the provider does; raises NeedsLogin where it cannot be read."""
        try:
            return super()._pkey_from_private_key(private_key, passphrase)
        except AirflowException as error:
            raise NeedsLogin(f"{self._name}: {UNREADABLE.format(error)}") from error


def _readable(name: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Make of an extra what the provider's hook reads.

    A form leaves null and '' in it, and a paste blanks around what it brings.
    """
    bare = {
        key: value.strip() if isinstance(value, str) and key not in AS_GIVEN else value
        for key, value in extra.items()
    }
    found = {key: value for key, value in bare.items() if value is not None and value != ""}
    for key in UNSAFE:
        if str(found.pop(key, "false")).lower() == "true":
            raise HostKeyRefused(
                f"{name} switches the check of the host's key off ({key}); take that out of its "
                "extra, and pin the key: a line of `ssh-keyscan HOST` as `host_key`"
            )
    found["host_key"] = pin(name, str(found.get("host_key", "")))
    if "private_key" in found:
        if "key_file" in found:
            raise NeedsLogin(f"{name} names a key file and holds a private key; leave one empty")
        found["private_key"] = whole_key(str(found["private_key"]))
    for key in TIMES:
        if key in found and not _is_positive(found[key]):
            raise NeedsLogin(f"{name}: {key} is '{found[key]}'; give a number of seconds above 0")
    if isinstance(found.get("ciphers"), str):
        found["ciphers"] = [each.strip() for each in found["ciphers"].split(",")]
    found["disabled_algorithms"] = _algorithms(name, found.get("disabled_algorithms", {}))
    return found


def _is_positive(value: Any) -> bool:
    try:
        return float(value) > 0
    except (TypeError, ValueError):
        return False


def _algorithms(name: str, value: Any) -> dict[str, list[str]]:
    """Read disabled_algorithms, also where a form has kept them as text."""
    try:
        document = json.loads(value) if isinstance(value, str) else value
        found = {str(kind): [str(each) for each in named] for kind, named in document.items()}
    except (ValueError, TypeError, AttributeError):
        found = None
    if found is None or not set(found) <= {"keys", "pubkeys", "kex", "ciphers", "macs"}:
        raise NeedsLogin(
            f"{name}: disabled_algorithms is {value!r}; write lists by kind (keys, pubkeys, kex, "
            'ciphers, macs), such as {"pubkeys": ["rsa-sha2-256"]}'
        )
    return found
