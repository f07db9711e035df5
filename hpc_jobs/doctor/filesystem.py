"""The workspace's filesystem does what the jobs rely on, tried with real files; and scratch."""

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Callable

from hpc_jobs.doctor.finding import Finding, missing, note, ok
from hpc_jobs.job_folder.names import OWNER

LEAST_FREE_GIB = 5.0
LEAST_SCRATCH_GIB = 1.0
LEAST_FILES = 10000
MOST_CLOCK_S = 60.0


def workspace(path: "Path | str") -> "list[Finding]":
    """Try the filesystem below a workspace; leaves nothing behind."""
    root = Path(path)
    what = "workspace"
    if not root.is_dir():
        remedy = "allocate it, or correct `workspaces` in dags/clusters/<name>.yaml"
        return [missing(what, "{} is no folder here".format(root), remedy)]
    try:
        folder = Path(tempfile.mkdtemp(prefix=".doctor-", dir=str(root)))
    except OSError as error:
        found = "{} cannot be written: {}".format(root, error.strerror)
        remedy = "check owner, mode, quota and lease of the workspace; is it read-only here?"
        return [missing(what, found, remedy)]
    try:
        return [ok(what, str(root)), _space(what, root, LEAST_FREE_GIB, missing)] + [
            trial(folder) for trial in (_rename, _lock, _flock, _time)
        ]
    finally:
        shutil.rmtree(str(folder), ignore_errors=True)


def scratch() -> Finding:
    """Look at the folder of temporary files."""
    return _space("scratch", Path(tempfile.gettempdir()), LEAST_SCRATCH_GIB, note)


def _space(
    what: str, path: Path, least_gib: float, too_little: "Callable[[str, str, str], Finding]"
) -> Finding:
    found = os.statvfs(str(path))
    free = found.f_bavail * found.f_frsize / 2**30
    words = "{:.1f} GiB free in {}".format(free, path)
    if free < least_gib:
        return too_little(what + " space", words, "free some: at least {:g} GiB".format(least_gib))
    if found.f_files and found.f_favail < LEAST_FILES:
        words = "room for {} files in {}".format(found.f_favail, path)
        return too_little(
            what + " space", words, "remove files: at least {} are needed".format(LEAST_FILES)
        )
    return ok(what + " space", words)


def _rename(folder: Path) -> Finding:
    """Replace a file by another; results and manifests are published so."""
    what, old, new = "atomic rename", folder / "published", folder / "draft"
    old.write_text("old")
    new.write_text("new")
    try:
        handle = os.open(str(new), os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(str(new), str(old))
        good = old.read_text() == "new" and not new.exists()
    except OSError as error:
        return missing(what, str(error), _OTHER)
    return ok(what, "works") if good else missing(what, "the old content stayed", _OTHER)


def _lock(folder: Path) -> Finding:
    """Try to replace a folder that has something in it; elements lock themselves so."""
    what, lock, rival = "folder lock", folder / "lock", folder / "rival"
    for each in (lock, rival):
        each.mkdir()
        (each / OWNER).write_text(each.name)
    with contextlib.suppress(OSError):
        os.rename(str(rival), str(lock))
        return missing(what, "a second owner took the lock", _OTHER)
    try:
        lock.mkdir()
    except OSError as error:
        if error.errno == errno.EEXIST:
            return ok(what, "works")
    return missing(what, "a folder could be made twice", _OTHER)


def _flock(folder: Path) -> Finding:
    """HDF5 locks the files that it opens, unless told not to."""
    what = "file lock"
    try:
        with (folder / "locked").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        remedy = "add HDF5_USE_FILE_LOCKING: 'FALSE' to `environment` of the cluster's file"
        if os.environ.get("HDF5_USE_FILE_LOCKING", "").upper() == "FALSE":
            return ok(what, "none, and HDF5 is told so")
        return missing(what, "none here: {}".format(error.strerror), remedy)
    return ok(what, "works")


def _time(folder: Path) -> Finding:
    """Compare the file server's clock with this machine's; housekeeping goes by files' age."""
    path = folder / "now"
    path.touch()
    ahead = path.stat().st_mtime - time.time()
    found = "file server {:+.0f} s against this machine".format(ahead)
    if abs(ahead) > MOST_CLOCK_S:
        return note("file times", found, "nothing breaks; tell the site (NTP)")
    return ok("file times", found)


_OTHER = "put the workspace on another filesystem: jobs publish and lock by renames"
