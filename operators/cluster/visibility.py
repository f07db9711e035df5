"""Is what a manifest promises visible from here? Asked by plain commands on the reading cluster.

A check is a generator of argv that is sent replies, so that the worker's blocking transport and
the triggerer's asynchronous one drive the same code.
"""

import hashlib
import json
import posixpath
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from operators.cluster.reply import Reply

FILES_PER_COMMAND = 500
SIZES = 'cd "$1" || exit; shift; for f; do stat -L -c %s -- "$f" 2>/dev/null || echo missing; done'
HASHES = 'cd "$1" || exit; shift; for f; do sha256sum < "$f" || exit; done'

Check = Generator[tuple[str, ...], Reply, "Visibility"]


@dataclass(frozen=True, slots=True)
class Visibility:
    """What is there, and what is still missing (empty when all is well)."""

    missing: str = ""
    files: int = 0
    size_bytes: int = 0

    @property
    def complete(self) -> bool:
        """Whether everything was found as promised."""
        return not self.missing


def check(manifests: Sequence[str], hash_bytes: float) -> Check:
    """Find every file of every manifest, with its size, and its sha256 up to so many bytes.

    Beyond that, files are sampled: those whose names hash lowest, at least one a manifest.
    """
    files = size_bytes = 0
    for path in manifests:
        reply = yield ("cat", "--", path)
        if not reply.ok:
            return Visibility(f"{path} is not visible yet")
        try:
            entries = _entries(json.loads(reply.stdout))
        except (ValueError, KeyError, TypeError):
            return Visibility(f"{path} cannot be read as a manifest yet")
        folder = posixpath.dirname(path)
        complaint = yield from _sizes(folder, entries)
        complaint = complaint or (yield from _hashes(folder, _sample(entries, hash_bytes)))
        if complaint:
            return Visibility(complaint)
        files += len(entries)
        size_bytes += sum(size for _, size, _ in entries)
    return Visibility("", files, size_bytes)


def drive(steps: Check, run: Callable[[tuple[str, ...]], Reply]) -> Visibility:
    """Answer a check's commands, blocking."""
    reply: Any = None
    while True:
        try:
            reply = run(steps.send(reply))
        except StopIteration as stop:
            result: Visibility = stop.value
            return result


Entry = tuple[str, int, str]  # path, bytes, sha256


def _entries(manifest: Any) -> list[Entry]:
    return [(str(f["path"]), int(f["bytes"]), str(f["sha256"])) for f in manifest["files"]]


def _sizes(folder: str, entries: Sequence[Entry]) -> Generator[tuple[str, ...], Reply, str]:
    for start in range(0, len(entries), FILES_PER_COMMAND):
        chunk = entries[start : start + FILES_PER_COMMAND]
        reply = yield ("sh", "-c", SIZES, "sizes", folder, *(path for path, _, _ in chunk))
        found = reply.stdout.split()
        if len(found) != len(chunk):
            return f"{folder} cannot be looked at: {reply.words[-200:]}"
        for (path, size, _), here in zip(chunk, found, strict=True):
            if here == "missing":
                return f"{folder}/{path} is not visible yet"
            if int(here) != size:
                return f"{folder}/{path} shows {here} bytes, its manifest says {size}"
    return ""


def _hashes(folder: str, entries: Sequence[Entry]) -> Generator[tuple[str, ...], Reply, str]:
    for path, _, sha256 in entries:
        reply = yield ("sh", "-c", HASHES, "hashes", folder, path)
        here = reply.stdout.partition(" ")[0]
        if not reply.ok or here != sha256:
            return f"{folder}/{path} shows sha256 {here[:12]}..., not {sha256[:12]}..."
    return ""


def _sample(entries: Sequence[Entry], hash_bytes: float) -> list[Entry]:
    chosen: list[Entry] = []
    for entry in sorted(entries, key=lambda e: hashlib.sha256(e[0].encode()).digest()):
        hash_bytes -= entry[1]
        if chosen and hash_bytes < 0:
            break
        chosen.append(entry)
    return chosen
