"""Paths in a job folder, and the two small documents that are read while elements work."""

import json
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Generic, TypeVar

from hpc_jobs.job_folder import names

P = TypeVar("P", bound=PurePath)  # Path on the cluster, PurePosixPath on the control host


@dataclass(frozen=True, slots=True)
class JobFolder(Generic[P]):
    """What one array job leaves behind; the elements write, the control plane reads."""

    root: P

    @property
    def results(self) -> P:
        """Folder of the per-element results."""
        return self.root / names.RESULTS

    def result(self, element: int) -> P:
        """Written last by an element: its truth."""
        return self.results / f"{element}{names.DOCUMENT}"

    def failed(self, element: int) -> P:
        """Empty; made by an element before it publishes a result that says failed."""
        return self.results / f"{element}{names.FAILED}"

    def handed_over(self, element: int) -> P:
        """Empty; made by an element before it publishes a result that asks to be continued."""
        return self.results / f"{element}{names.HANDED_OVER}"

    @property
    def locks(self) -> P:
        """Folder of the element locks."""
        return self.root / names.LOCKS

    def lock(self, element: int) -> P:
        """Folder made by the one process that works on an element."""
        return self.locks / str(element)

    def owner(self, element: int) -> P:
        """Who holds an element's lock."""
        return self.lock(element) / names.OWNER

    def progress(self, element: int) -> P:
        """Rewritten while an element works: how far it is."""
        return self.root / names.PROGRESS / f"{element}{names.DOCUMENT}"

    @property
    def spool(self) -> P:
        """Folder of the tracking spools."""
        return self.root / names.SPOOL

    @property
    def logs(self) -> P:
        """Folder of the elements' output, <job id>_<array index>.out."""
        return self.root / names.LOGS

    @property
    def intent(self) -> P:
        """Whose job this is; written before anything is submitted."""
        return self.root / names.INTENT

    @property
    def finished(self) -> P:
        """Written when nothing more will be done about the job: from then on it is history."""
        return self.root / names.FINISHED

    def script(self, number: int) -> P:
        """Shell script of one submission."""
        return self.root / f"script-{number}.sh"

    def elements(self, number: int) -> P:
        """Index file of one submission: line (array index + 1) is the element."""
        return self.root / f"elements-{number}.txt"

    def submission(self, number: int) -> P:
        """Record of one submission: without job ids it is an intent."""
        return self.root / f"{names.SUBMISSION}{number}.json"


@dataclass(frozen=True, slots=True)
class LockOwner:
    """The one job that works on an element."""

    job_id: str
    host: str
    pid: int


@dataclass(frozen=True, slots=True)
class ElementProgress:
    """How far an element is: `done` of `total`, counted in `unit`; a hint, never the truth."""

    done: int
    total: int
    unit: str
    name: str = ""
    """of what it works on, where that has one"""


def lock_owner(folder: JobFolder[Path], element: int) -> LockOwner | None:
    """Who works on an element; None where it has no lock, or one that nobody can read."""
    try:
        found = json.loads(folder.owner(element).read_bytes())
        return LockOwner(str(found["job_id"]), str(found["host"]), int(found["pid"]))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (ValueError, KeyError, TypeError):
        return None


def progress_of(folder: JobFolder[Path]) -> list[ElementProgress]:
    """Read what the elements say of their progress, in no order.

    Raises ValueError for a file that is no such document.
    """
    said = []
    for path in (folder.root / names.PROGRESS).glob(f"[0-9]*{names.DOCUMENT}"):
        try:
            found = json.loads(path.read_bytes())
            counts = int(found["done"]), int(found["total"])
            said.append(ElementProgress(*counts, found["unit"], found.get("name", "")))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: no progress of an element: {error!r}") from None
    return said
