"""From an Airflow Connection, of type `hpc` or `ssh`, to a Login."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from operators.cluster.errors import ClusterError

if TYPE_CHECKING:
    from operators.cluster.transports.login import Login

MOST_HOPS = 3
TYPES = ("hpc", "ssh")


def login_of(name: str, hops: tuple[str, ...] = ()) -> "Login":
    """Read a Connection, and those of its jump hosts.

    Raises HostKeyRefused where one pins no host key, NeedsLogin where one cannot be used,
    ClusterError for another type of Connection and where jump hosts go in circles.
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
    # Here, since it imports the SSH libraries.
    from operators.hooks.pinned_ssh import ConnectionValues, PinnedSshHook

    if connection.conn_type not in TYPES:
        raise ClusterError(
            f"Connection '{name}' is of type '{connection.conn_type}'; make it one of type "
            "'HPC cluster' (hpc) or 'SSH' (ssh)"
        )
    host, login = (value and value.strip() for value in (connection.host, connection.login))
    told = ConnectionValues(name, host, login, connection.password, connection.port, dict(extra))
    return PinnedSshHook(told, jump).login
