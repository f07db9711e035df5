"""HDF5 from elsewhere: only what lies in the file itself is read, and damage has one name.

An HDF5 file can hold links to other files, columns stored in raw files beside it, and virtual
columns put together of others: a checksum of the file vouches for none of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import h5py

from hpc_jobs.contract.errors import CorruptFile

SIGNATURE = b"\x89HDF\r\n\x1a\n"


@contextmanager
def opened(path: Path, remedy: str, image: Path | BinaryIO | None = None) -> Iterator[h5py.File]:
    """Open a file for reading; whatever HDF5 then stumbles over raises CorruptFile.

    image: where its content is, if not at `path`: it has been read already.
    A missing, a forbidden, a locked, a foreign and a damaged file are told apart.
    """
    try:
        with h5py.File(path if image is None else image, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        raise CorruptFile(f"{path}: {_cause(path, error)}; {remedy}") from None


def _cause(path: Path, error: Exception) -> str:
    """Say why a file cannot be read as HDF5."""
    if path.is_dir():
        return "a folder, not a file"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "you are not permitted to read it"
    if isinstance(error, BlockingIOError):
        return "locked: another program is writing it; wait until it has ended"
    if not h5py.is_hdf5(path):
        return f"no HDF5 file ({error})"
    return f"damaged ({error})"


def column(
    file: h5py.File, name: str, kinds: str, remedy: str, path: Path | None = None
) -> h5py.Dataset:
    """Return a dataset that lies in this very file, of one of NumPy's kinds ("f", "iu", ...).

    path: what errors name, if the file's content is in memory. Raises CorruptFile.
    """
    told = path or file.filename
    link = file.get(name, getlink=True) if name in file.keys() else None  # noqa: SIM118
    if link is None:
        raise CorruptFile(f"{told}: no dataset '{name}'; {remedy}")
    if not isinstance(link, h5py.HardLink):
        raise CorruptFile(
            f"{told}: '{name}' is a link to {getattr(link, 'filename', '')}"
            f"{getattr(link, 'path', '')}, not a dataset of this file; {remedy}"
        )
    found = file[name]
    if not isinstance(found, h5py.Dataset):
        raise CorruptFile(f"{told}: '{name}' is a group, not a dataset; {remedy}")
    if found.external or found.is_virtual:
        raise CorruptFile(f"{told}: '{name}' keeps its values in other files; {remedy}")
    if found.dtype.kind not in kinds:
        raise CorruptFile(
            f"{told}: '{name}' holds {found.dtype}, expected {_spoken(kinds)}; {remedy}"
        )
    return found


def _spoken(kinds: str) -> str:
    names = {"f": "floating point numbers", "i": "integers", "u": "integers", "b": "booleans"}
    return " or ".join(dict.fromkeys(names[kind] for kind in kinds))
