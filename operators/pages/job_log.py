"""What a cluster job wrote, for a person to read in a browser."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from hpc_jobs.contract.run import RunHandle
from operators.array.task_memory import current_token
from operators.hooks.hpc import Connect, Session, open_session
from operators.pages.page import template
from operators.runs.run import folder_of

TAIL_BYTES = 64_000
SHOWN = 200


def find_handle(returned: Sequence[Any]) -> RunHandle | None:
    """Pick the one RunHandle out of what the tasks of a DAG run returned."""
    for value in returned:
        try:
            return RunHandle.model_validate(value)
        except ValidationError:
            continue
    return None


def read_log(
    handle: RunHandle, token: str, file: str | None, connect: Connect = open_session
) -> tuple[list[str], str, str]:
    """Read the end of a log over SSH: all names, the chosen one, its text.

    Raises FileNotFoundError where there is none, or none of that name; ClusterError.
    """
    site = handle.sites["cpu"]  # the workspace is shared
    folder = folder_of(handle.run_id, site)
    with connect(site.cluster) as session:
        logs = folder.job(current_token(session, folder, token)).logs
        names = session.list(str(logs))
        chosen = file or (_latest(session, logs) if names else "")
        if chosen not in names:
            raise FileNotFoundError(chosen)
        reply = session.run(["tail", "-c", str(TAIL_BYTES), "--", str(logs / chosen)])
    return names, chosen, reply.stdout


def render(title: str, links: Sequence[tuple[str, str]], chosen: str, text: str) -> str:
    """Draw the page; everything that comes from elsewhere is escaped."""
    return template("job_log.html.j2").render(
        title=title, links=links, shown=SHOWN, chosen=chosen, text=text
    )


def _latest(session: Session, folder: PurePosixPath) -> str:
    names = session.run(["ls", "-t", "--", str(folder)]).stdout.splitlines()
    return names[0] if names else ""
