"""Workspaces as tasks: allocate (setup) and release (teardown)."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator

from operators.array.patience import patiently


class AllocateWorkspaceOperator(BaseOperator):
    """Make a workspace on a cluster, or find the one of that name; returns its absolute path."""

    template_fields: Sequence[str] = ("cluster", "workspace")

    def __init__(self, *, cluster: str, workspace: str, days: int = 30, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cluster = cluster
        self.workspace = workspace
        self.days = days

    def execute(self, context: Any) -> str:
        """Allocate; may be repeated."""
        path = patiently(
            self.cluster,
            lambda hook: hook.workspace().allocate(self.workspace, self.days),
            log=self.log,
        )
        self.log.info("Workspace %s on %s: %s", self.workspace, self.cluster, path)
        return path


class ReleaseWorkspaceOperator(BaseOperator):
    """Give a workspace back; one that is gone already is no error."""

    template_fields: Sequence[str] = ("cluster", "workspace")

    def __init__(self, *, cluster: str, workspace: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cluster = cluster
        self.workspace = workspace

    def execute(self, context: Any) -> bool:
        """Release; returns whether there was anything to release."""

        def release(hook: Any) -> bool:
            if hook.workspace().find(self.workspace) is None:
                return False
            hook.workspace().release(self.workspace)
            return True

        return patiently(self.cluster, release, log=self.log)
