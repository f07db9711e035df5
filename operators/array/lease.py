"""No job is submitted into a workspace that would expire under it.

Extensions are few, and a filesystem may cap what one gives. What the last one gave is written down
in the workspace, so that none is spent where it would give nothing.
"""

import json
import math
import time
from pathlib import PurePosixPath

from operators.cluster.errors import SubmissionRefused, WorkspaceRefused
from operators.cluster.workspaces.workspace_tool import Lease
from operators.hooks.hpc import Session

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
NOTE = ".lease.json"
NOTE_HOLDS_S = 30 * DAY_S
"""Sites change their caps."""


def require_lease(session: Session, workspace: str, needed_s: float) -> None:
    """Extend a lease that is shorter than `needed_s`; raises SubmissionRefused if it stays so.

    A workspace that the tools do not list, or that does not expire, is taken as it is.
    """
    lease = session.workspaces.at(workspace)
    if lease is None or _lasts(lease, needed_s):
        return
    words = "the extension is capped"
    try:
        if (_longest_s(session, lease) or needed_s) >= needed_s:
            lease = lengthen(session, lease, math.ceil(needed_s / DAY_S) + 1)
    except WorkspaceRefused as error:
        words = str(error)
    if not _lasts(lease, needed_s):
        raise SubmissionRefused(
            f"workspace '{lease.name}' on {session.cluster} expires in {_days(lease.remaining_s)}, "
            f"the job may take {_days(needed_s)}, and {words}; name another workspace "
            "(execution.workspace), or ask for less walltime (execution.resources)"
        )


def lengthen(session: Session, lease: Lease, days: int) -> Lease:
    """Extend a lease unless that is known to give nothing; returns it as it is then.

    Raises WorkspaceRefused with the tool's words, and where no extension is left.
    """
    remaining_s = lease.remaining_s or 0.0
    longest_s = _longest_s(session, lease)
    if longest_s is not None and longest_s < remaining_s + DAY_S:
        return lease
    if lease.extensions == 0:
        raise WorkspaceRefused(f"workspace '{lease.name}' has no extension left")
    after = session.workspaces.extend(lease, days)
    # Less than a day is no cap, but a tool that did nothing: it may do better next time.
    if after.remaining_s is not None and DAY_S <= after.remaining_s < (days - 1) * DAY_S:
        note = {"longest_s": after.remaining_s, "seen": time.time()}
        session.write(_note(lease), json.dumps(note).encode())
    return after


def _longest_s(session: Session, lease: Lease) -> float | None:
    """Read what an extension gave that gave less than was asked for; None where none did."""
    try:
        note = json.loads(session.read(_note(lease)))
        longest_s, seen = float(note["longest_s"]) + HOUR_S, float(note["seen"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return longest_s if time.time() - seen < NOTE_HOLDS_S else None


def _note(lease: Lease) -> str:
    return str(PurePosixPath(lease.path) / NOTE)


def _lasts(lease: Lease, needed_s: float) -> bool:
    return lease.remaining_s is None or lease.remaining_s >= needed_s


def _days(seconds: float | None) -> str:
    return f"{(seconds or 0.0) / DAY_S:.1f} days"
