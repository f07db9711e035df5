"""What an element writes into its job folder: lock, progress, marks, result; each whole or not.

An order holds: a result that is not done is marked before it is published, so that whoever lists
the folder and then looks for the marks never takes it for done.
"""

import json
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from hpc_jobs.job_folder import names
from hpc_jobs.job_folder.folder import ElementProgress, JobFolder, LockOwner, lock_owner

_DRAFT = re.compile(r"\..+\.[0-9a-f]{12}")


@contextmanager
def publish(path: Path) -> Iterator[Path]:
    """Yield a temporary path; on success fsync it and rename it to `path`, else remove it.

    Who may read the file is said by the umask, as for any other file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def drafts(folder: Path) -> list[Path]:
    """Files that a killed `publish` has left in a folder; other hidden ones are not its own."""
    return [path for path in folder.glob(".*") if _DRAFT.fullmatch(path.name)]


def take_lock(folder: JobFolder[Path], element: int, job_id: str) -> bool:
    """Whether this process may work on an element: nobody else does, or this very job did.

    A folder with its owner inside is renamed into place, which only one process can do. A lock of
    the same job id is that of a job which the scheduler has started again.
    """
    lock = folder.lock(element)
    lock.parent.mkdir(parents=True, exist_ok=True)
    owner = LockOwner(job_id=job_id, host=socket.gethostname(), pid=os.getpid())
    draft = lock.parent / f"{names.LOCK_DRAFT}{secrets.token_hex(6)}"
    draft.mkdir()
    try:
        (draft / names.OWNER).write_text(json.dumps(asdict(owner)))
        draft.rename(lock)
        return True
    except OSError:
        return owns_lock(folder, element, job_id)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def owns_lock(folder: JobFolder[Path], element: int, job_id: str) -> bool:
    """Whether a job still is the one that works on an element."""
    owner = lock_owner(folder, element)
    return owner is not None and owner.job_id == job_id


def publish_progress(folder: JobFolder[Path], element: int, progress: ElementProgress) -> None:
    """Say how far an element is; one key a line, as the shell's scan reads it."""
    with publish(folder.progress(element)) as temporary:
        temporary.write_text(json.dumps(asdict(progress), indent=1) + "\n")


def publish_result(folder: JobFolder[Path], element: int, outcome: str, document: str) -> None:
    """Say how an element ended; marked before, unless it is done.

    Parameters
    ----------
    outcome
        "done", "failed" or "handed_over"; raises ValueError for any other.
    document
        The result as JSON: an ElementResult of hpc_jobs.contract.records.
    """
    marks = {"failed": folder.failed, "handed_over": folder.handed_over}
    if outcome in marks:
        folder.results.mkdir(parents=True, exist_ok=True)
        marks[outcome](element).touch()
    elif outcome != "done":
        raise ValueError(f"outcome is '{outcome}'; choose from done, {', '.join(marks)}")
    with publish(folder.result(element)) as temporary:
        temporary.write_text(document + "\n")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
