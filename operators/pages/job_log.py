"""What a cluster job wrote, for a person to read in a browser."""

import html
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from hpc_jobs.contract.run import RunHandle
from operators.array.task_memory import current_token
from operators.hooks.hpc import Connect, Session, open_session
from operators.runs.run import folder_of

TAIL_BYTES = 64_000
SHOWN = 200
STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; }
pre { background: #f4f6f8; padding: 1rem; overflow-x: auto; white-space: pre-wrap; }
nav a { margin-right: .8rem; } nav b { margin-right: .8rem; }
@media (prefers-color-scheme: dark) { body { background: #16191d; color: #dde; }
  pre { background: #20252b; } a { color: #8ab4f8; } }
"""


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
    shown = [
        f"<b>{html.escape(name)}</b>"
        if name == chosen
        else f'<a href="{html.escape(address)}">{html.escape(name)}</a>'
        for name, address in links[:SHOWN]
    ]
    more = f"<span>and {len(links) - SHOWN} more</span>" if len(links) > SHOWN else ""
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{html.escape(title)}</h1><nav>{' '.join(shown)}{more}</nav>"
        f"<pre>{html.escape(text)}</pre></body></html>"
    )


def _latest(session: Session, folder: PurePosixPath) -> str:
    names = session.run(["ls", "-t", "--", str(folder)]).stdout.splitlines()
    return names[0] if names else ""
