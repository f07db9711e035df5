"""The journal of a study: one file in the workspace that every worker appends to.

Locking is by exclusive creation, which NFS (from version 3) and Lustre do atomically. A worker that
is killed while it appends may leave half a line; the next one cuts it off, for nobody has read it.
"""

import os
from pathlib import Path

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

LOCK_GRACE_S = 30  # of a lock whose owner died; an append takes milliseconds
BLOCK = 4096


class _MendingLock(JournalFileOpenLock):
    """Whoever holds the lock finds the file ending in a whole line; Optuna would stumble else."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), grace_period=LOCK_GRACE_S)
        self._path = path

    def acquire(self) -> bool:
        """Wait for the lock, then cut off what a killed writer left."""
        taken = super().acquire()
        _cut_half_a_line(self._path)
        return taken


def open_storage(path: Path) -> JournalStorage:
    """Open the journal, made with its folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(path), _MendingLock(path)))


def _cut_half_a_line(path: Path) -> None:
    with path.open("rb+") as file:
        end = size = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - BLOCK)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)
