"""Waits until files are visible from the cluster that will read them."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from hpc_jobs.contract.cluster import Cluster
from operators.cluster.errors import ClusterError
from operators.cluster.poller import Poller
from operators.cluster.visibility import Visibility, check
from operators.triggers.polling import poller_of

HASH_TIMEOUT_S = 900.0


class WorkspaceTrigger(BaseTrigger):
    """Fires when all is visible, or at the deadline; {"missing": "" or why not, ...}."""

    def __init__(
        self,
        *,
        site: Mapping[str, Any],
        manifests: Sequence[str],
        hash_bytes: float,
        interval_s: float,
        deadline: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.site = dict(site)
        self.manifests = list(manifests)
        self.hash_bytes = hash_bytes
        self.interval_s = interval_s
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Everything that the constructor takes."""
        names = ("site", "manifests", "hash_bytes", "interval_s", "deadline")
        path = f"{WorkspaceTrigger.__module__}.{WorkspaceTrigger.__qualname__}"
        return path, {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again, on the connection that the cluster's poller has."""
        poller, said = poller_of(Cluster.model_validate(self.site)), ""
        while True:
            await asyncio.sleep(self.interval_s)
            try:
                seen = await self._look(poller)
            except ClusterError as error:
                seen = Visibility(f"waiting: {error}")
            if seen.complete or time.time() > self.deadline:
                break
            if seen.missing != said:
                self.log.info(seen.missing)
                said = seen.missing
        payload = {"missing": seen.missing, "files": seen.files, "size_bytes": seen.size_bytes}
        yield TriggerEvent(payload)  # type: ignore[no-untyped-call]

    async def _look(self, poller: Poller) -> Visibility:
        steps, reply = check(self.manifests, self.hash_bytes), None
        while True:
            try:
                argv = steps.send(reply)  # type: ignore[arg-type]
            except StopIteration as stop:
                seen: Visibility = stop.value
                return seen
            reply = await poller.run(argv, HASH_TIMEOUT_S)
