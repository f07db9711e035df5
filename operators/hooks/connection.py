"""From an Airflow Connection of type `hpc` to a Login: what its form's fields mean."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from operators.cluster.errors import ClusterError, HostKeyRefused

if TYPE_CHECKING:
    from operators.cluster.transports.login import Login

MOST_HOPS = 3


def login_of(name: str, hops: tuple[str, ...] = ()) -> "Login":
    """Read a Connection, and those of its jump hosts.

    Raises HostKeyRefused where one pins no host key, ClusterError where jump hosts go in circles.
    """
    connection = BaseHook.get_connection(name)
    extra = connection.extra_dejson
    jump = _jump(name, extra, hops)
    return _login(name, connection, extra, login_of(jump, (*hops, name)) if jump else None)


async def login_of_async(name: str, hops: tuple[str, ...] = ()) -> "Login":
    """Do the same on the triggerer's event loop."""
    from airflow.providers.common.compat.connection import (
        get_async_connection,
        get_async_extra_dejson,
    )

    connection = await get_async_connection(name)
    extra = await get_async_extra_dejson(connection)
    jump = _jump(name, extra, hops)
    through = await login_of_async(jump, (*hops, name)) if jump else None
    return _login(name, connection, extra, through)


def _jump(name: str, extra: Mapping[str, Any], hops: tuple[str, ...]) -> str:
    jump = str(extra.get("proxy_jump") or "").strip()
    if jump and (jump in (name, *hops) or len(hops) >= MOST_HOPS):
        path = " -> ".join((*hops, name, jump))
        raise ClusterError(f"Connection '{name}': proxy_jump leads {path}; name another host")
    return jump


def _login(name: str, connection: Any, extra: Mapping[str, Any], jump: "Login | None") -> "Login":
    from operators.cluster.transports.login import SSH_PORT, Login

    return Login(
        host=connection.host or "",
        user=connection.login or "",
        port=connection.port or SSH_PORT,
        host_key=_pinned(name, extra),
        private_key=extra.get("private_key") or None,
        key_file=extra.get("key_file") or None,
        passphrase=extra.get("private_key_passphrase") or None,
        password=connection.password or None,
        certificate=extra.get("certificate") or None,
        control_socket=extra.get("control_socket") or None,
        jump=jump,
    )


def _pinned(name: str, extra: Mapping[str, Any]) -> str:
    """Key type and key of the host; a whole line of ssh-keyscan serves as well."""
    parts = str(extra.get("host_key") or "").split()
    kinds = [i for i, part in enumerate(parts) if part.startswith(("ssh-", "ecdsa-", "sk-"))]
    if not kinds or len(parts) < kinds[0] + 2:
        raise HostKeyRefused(
            f"Connection '{name}' pins no host key; put a line of `ssh-keyscan HOST`, after "
            "comparing it with the site's, into its field 'Host key'"
        )
    return " ".join(parts[kinds[0] : kinds[0] + 2])
