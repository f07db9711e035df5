"""No job is submitted into a workspace that would expire under it."""

import math

from operators.cluster.errors import SubmissionRefused, WorkspaceRefused
from operators.cluster.workspaces.workspace_tool import Lease
from operators.hooks.hpc import Session

DAY_S = 86400.0


def require_lease(session: Session, workspace: str, needed_s: float) -> None:
    """Extend a lease that is shorter than `needed_s`; raises SubmissionRefused if it stays so.

    A workspace that the tools do not list, or that does not expire, is taken as it is. Tools cap
    an extension and say so with success, so the lease is looked at again.
    """
    lease = _lease(session, workspace)
    if lease is None or _lasts(lease, needed_s):
        return
    words = "the extension is capped"
    try:
        session.workspaces.extend(lease.name, math.ceil(needed_s / DAY_S) + 1)
        lease = _lease(session, workspace) or lease
    except WorkspaceRefused as error:
        words = str(error)
    if not _lasts(lease, needed_s):
        raise SubmissionRefused(
            f"workspace '{lease.name}' on {session.cluster} expires in {_days(lease.remaining_s)}, "
            f"the job may take {_days(needed_s)}, and {words}; name another workspace "
            "(execution.workspace), or ask for less walltime (execution.resources)"
        )


def _lease(session: Session, workspace: str) -> Lease | None:
    return next((each for each in session.workspaces.list() if each.path == workspace), None)


def _lasts(lease: Lease, needed_s: float) -> bool:
    return lease.remaining_s is None or lease.remaining_s >= needed_s


def _days(seconds: float | None) -> str:
    return f"{(seconds or 0.0) / DAY_S:.1f} days"
