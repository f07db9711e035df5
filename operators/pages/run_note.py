"""The note of a DAG run says how its campaign ended; Airflow shows it above everything else.

A listener of the scheduler's: the note is set on the very object that it is about to store. What a
person wrote there is never replaced.
"""

import logging
from collections.abc import Sequence
from typing import Any

from airflow.listeners import hookimpl

log = logging.getLogger(__name__)

LONGEST = 1000
"""Airflow stores no more characters."""
MARK = "**Campaign** "
MATERIALS = 8


@hookimpl
def on_dag_run_success(dag_run: Any, msg: str) -> None:
    """Note the verdict."""
    _note(dag_run, "success")


@hookimpl
def on_dag_run_failed(dag_run: Any, msg: str) -> None:
    """Note what failed, and why."""
    _note(dag_run, "failed")


def note_of(document: dict[str, Any]) -> str:
    """Say a campaign's page in a few lines of Markdown; empty for a DAG run that is none."""
    failed = document["failed"]
    causes = [f"`{one['task_id']}`: {_first_line(one['cause'])}" for one in failed[:3]]
    if not document["campaign"]:
        return "\n- ".join([f"{MARK}not opened: {causes[0]}", *causes[1:]]) if failed else ""
    words = f"failed in {causes.pop(0)}" if causes else document["verdict"]["words"]
    # Airflow shows the first line alone until the note is opened
    lines = [f"{MARK}{document['name']}: {words}", f"- run `{document['run_id']}`"]
    lines += [f"- {cause}" for cause in causes]
    lines += [f"- {link['label']}: {link['href']}" for link in document["links"][:1]]
    lines += list(_materials(document["materials"]))
    text = "\n".join(lines)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 2]} …"


def _materials(materials: Sequence[dict[str, Any]]) -> list[str]:
    told = []
    for one in materials[:MATERIALS]:
        found = ", ".join(
            f"{q['label']} {q['found']} ({q['interval']})" for q in one["quantities"][:3]
        )
        told.append(f"- {one['name']} ({one['by']}): {one['verdict']}; {found}")
    return told


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0][:300] if lines else "see its log"


def _note(dag_run: Any, state: str) -> None:
    """Write the note; that it cannot be written disturbs nobody."""
    try:
        if dag_run.note and not str(dag_run.note).startswith(MARK):
            return
        text = note_of(_document(dag_run, state))
        if text:
            dag_run.note = text
    except Exception:
        log.exception("the note of %s was not written", getattr(dag_run, "run_id", "a run"))


def _document(dag_run: Any, state: str) -> dict[str, Any]:
    from sqlalchemy.orm import object_session

    from operators.pages.campaign_page import campaign_document, mlflow_address
    from operators.pages.campaign_web import tasks_of

    session = object_session(dag_run)
    if session is None:
        raise LookupError("the DAG run has no session")
    with session.no_autoflush:
        tasks = tasks_of(session, dag_run.dag_id, dag_run.run_id)
    return campaign_document(tasks, state, mlflow_address())
