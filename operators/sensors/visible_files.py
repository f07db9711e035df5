"""WorkspaceSensor: a cluster's view of the shared filesystem, not ours, decides."""

import time
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowSensorTimeout

from hpc_jobs.contract.layout import Workspace
from hpc_jobs.contract.report import VisibleFiles
from hpc_jobs.contract.run import RunHandle, Site
from operators.array.patience import patiently
from operators.cluster.visibility import Visibility, check, drive
from operators.hooks.hpc import Session, open_session
from operators.triggers.visible_files import HASH_TIMEOUT_S, WorkspaceTrigger

HASH_BYTES = 2.0**31


class WorkspaceSensor(BaseSensorOperator):
    """Wait until manifests and every file they name are visible, with size and sha256.

    Parameters
    ----------
    site
        The cluster that will read the files: its view counts.
    run
        RunHandle (as JSON), or the task that returns it.
    manifests
        Paths relative to the run folder; templated.
    hash_bytes
        Files are hashed up to so many bytes a manifest; beyond, a sample is.

    Returns VisibleFiles (as JSON). A dead login node is waited for, like missing files.
    """

    template_fields: Sequence[str] = ("run", "manifests")
    ui_color = "#e2f0d9"

    def __init__(
        self,
        *,
        site: Site,
        run: Any,
        manifests: Sequence[str],
        hash_bytes: float = HASH_BYTES,
        deferrable: bool = True,
        timeout: float = 86400.0,
        **kwargs: Any,
    ) -> None:
        if "retries" not in kwargs.get("default_args", {}):
            kwargs.setdefault("retries", 3)
        kwargs.setdefault("mode", "reschedule")
        super().__init__(timeout=timeout, **kwargs)
        self.site = site
        self.run = run
        self.manifests = manifests
        self.hash_bytes = hash_bytes
        self.deferrable = deferrable

    def execute(self, context: Any) -> Any:
        """Look for a moment, then let the triggerer look."""
        if not self.deferrable:
            return super().execute(context)
        session = open_session(self._cluster)
        until = time.monotonic() + session.site.inline_wait_s
        while True:
            seen = patiently(self._cluster, self._look, log=self.log)
            if seen.complete:
                return self._result(seen)
            self.log.info(seen.missing)
            if time.monotonic() > until:
                break
            time.sleep(1.0)
        self.defer(
            trigger=WorkspaceTrigger(
                site=session.site.model_dump(mode="json"),
                manifests=self._paths,
                hash_bytes=self.hash_bytes,
                interval_s=max(10.0, session.site.poll_interval_s),
                deadline=time.time() + self.timeout,
            ),
            method_name="execute_complete",
        )

    def execute_complete(self, context: Any, event: Mapping[str, Any]) -> dict[str, int]:
        """Report what the trigger saw."""
        if event["missing"]:
            raise AirflowSensorTimeout(f"after {self.timeout:g} s: {event['missing']}")
        seen = VisibleFiles(files=event["files"], size_bytes=event["size_bytes"])
        return seen.model_dump()

    def poke(self, context: Any) -> bool:
        """Look once."""
        seen = patiently(self._cluster, self._look, log=self.log)
        self.log.info(seen.missing or "all visible")
        return seen.complete

    def _look(self, session: Session) -> Visibility:
        steps = check(self._paths, self.hash_bytes)
        return drive(steps, lambda argv: session.run(argv, HASH_TIMEOUT_S))

    @property
    def _handle(self) -> RunHandle:
        return RunHandle.model_validate(self.run)

    @property
    def _cluster(self) -> str:
        return self._handle.sites[self.site].cluster

    @property
    def _paths(self) -> list[str]:
        # The workspace may be mounted elsewhere on the reading cluster: its own path counts.
        workspace = Workspace(PurePosixPath(self._handle.sites[self.site].workspace))
        root = workspace.run(self._handle.run_id).root
        return [str(root / manifest) for manifest in self.manifests]

    @staticmethod
    def _result(seen: Visibility) -> dict[str, int]:
        return VisibleFiles(files=seen.files, size_bytes=seen.size_bytes).model_dump()
