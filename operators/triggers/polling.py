"""The triggerer's pollers: one per cluster and event loop, shared by all waiting tasks."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from hpc_jobs.contract.cluster import Cluster
from operators.cluster.poller import Poller
from operators.cluster.session import scheduler_of
from operators.hooks.hpc import connect_async

if TYPE_CHECKING:
    from operators.cluster.transports.transport import AsyncTransport

_POLLERS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Poller]] = WeakKeyDictionary()


def poller_of(
    site: Cluster, connect: "Callable[[str], Awaitable[AsyncTransport]]" = connect_async
) -> Poller:
    """Find the poller of a cluster; a changed description makes a new one."""
    pollers = _POLLERS.setdefault(asyncio.get_running_loop(), {})
    key = site.model_dump_json()
    if key not in pollers:
        pollers[key] = Poller(
            connect=lambda: connect(site.name),
            scheduler=scheduler_of(site),
            interval_s=site.poll_interval_s,
            grace_s=site.grace_s,
        )
    return pollers[key]
