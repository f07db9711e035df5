"""Shipping hpc_jobs: what ran is known for ever by the sha256 in its folder's name."""

import hashlib
import io
import secrets
import shlex
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import hpc_jobs
from hpc_jobs.contract.layout import Workspace
from operators.cluster.errors import ClusterError
from operators.hooks.hpc import Session

EPOCH = (2000, 1, 1, 0, 0, 0)
_CACHES = {"__pycache__", "built"}  # of this machine, not of the code
_SUFFIXES = {".pyc", ".nbi", ".nbc", ".o"}

# Runs on the cluster, with any Python since 3.6. All files get one fixed time: numba takes its
# cached kernels for stale when a source's time or size differs. The rename is atomic; whoever
# comes second finds the folder there and leaves.
_UNPACK = """
import hashlib, os, shutil, sys, zipfile
archive, target, sha256 = sys.argv[1:4]
try:
    if not os.path.isdir(target):
        with open(archive, "rb") as file:
            found = hashlib.sha256(file.read()).hexdigest()
        if found != sha256:
            sys.exit("the archive arrived as %s, not as %s" % (found, sha256))
        parent = os.path.dirname(target)
        draft = archive + ".unpacked"  # as unique as the archive
        os.mkdir(draft)  # the umask says who may read it
        try:
            with zipfile.ZipFile(archive) as files:
                files.extractall(draft)
            for folder, _, names in os.walk(draft):
                for name in names:
                    os.utime(os.path.join(folder, name), (946684800, 946684800))
            try:
                os.rename(draft, target)
            except OSError:
                if not os.path.isdir(target):
                    raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
finally:
    os.unlink(archive)
"""


@dataclass(frozen=True, slots=True)
class Code:
    """One version of hpc_jobs: a zip archive and its sha256."""

    archive: bytes
    sha256: str


@cache
def current_code() -> Code:
    """Return hpc_jobs as it is installed here."""
    return pack_code(Path(hpc_jobs.__file__).parent)


def pack_code(package: Path) -> Code:
    """Archive a package; the same files give the same bytes, everywhere.

    Stored, not deflated: zlib's output differs between versions.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(_sources(package)):
            name = PurePosixPath(package.name) / file.relative_to(package).as_posix()
            entry = zipfile.ZipInfo(str(name), EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())
    content = buffer.getvalue()
    return Code(content, hashlib.sha256(content).hexdigest())


def ship_code(session: Session, workspace: str, code: Code | None = None) -> PurePosixPath:
    """Put the code into <workspace>/code/<sha256>/ unless it is there; safe to race.

    Raises ClusterError with the cluster's words.
    """
    code = code or current_code()
    target = Workspace(PurePosixPath(workspace)).code(code.sha256)
    if session.exists(str(target)):
        return target
    upload = target.parent / f".upload-{code.sha256[:12]}-{secrets.token_hex(4)}.zip"
    session.write(str(upload), code.archive)
    argv = (*session.site.interpreter, "-c", _UNPACK, str(upload), str(target), code.sha256)
    reply = session.run(session.profiled(argv, target))
    if not reply.ok:
        raise ClusterError(
            f"{session.cluster}: could not unpack the code into {target}: {reply.words}; "
            f"is '{shlex.join(session.site.interpreter)}' the Python to use there (dags/clusters)?"
        )
    return target


def _sources(package: Path) -> list[Path]:
    return [
        file
        for file in package.rglob("*")
        if file.is_file()
        and file.suffix not in _SUFFIXES
        and not any(
            part in _CACHES or part.startswith(".") for part in file.relative_to(package).parts
        )
    ]
