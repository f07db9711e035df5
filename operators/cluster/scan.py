"""What the elements have written, seen by one command for any number of array jobs.

Names only, and a sum of the progress files: results are read once, when all is over.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Protocol

from operators.cluster.errors import TransportError
from operators.cluster.reply import Reply

# Lines: "@" a folder begins, "d" a result, "f" one that says failed, "h" one that says handed over,
# "l" a lock, each with its name in the folder; then the files of progress as they are. A last "."
# says that the answer is whole. Folders are numbered by their order, so that no name of a folder is
# ever parsed. An element that is not done says so by a name of its own before it publishes its
# result; that name is looked for after the results, so that none is ever taken for done, and no
# result is read.
# The shell does it all by itself: hundreds of folders cost a login node next to nothing. Where many
# elements report progress, their number tells enough.
SCAN = r"""
for folder; do
  echo @
  cd "$folder" 2>/dev/null || continue
  printf 'd %s\n' results/*.json
  printf 'f %s\n' results/*.failed
  printf 'h %s\n' results/*.handed-over
  printf 'l %s\n' locks/*
  set -- progress/*.json
  if [ $# -le 500 ] && [ -e "$1" ]; then cat "$@" 2>/dev/null; fi
done
echo .
"""

# Locks whose owner is not among the known jobs tell of a submit whose reply was lost.
OWNERS = r"""
cd "$1" 2>/dev/null || exit 0
find locks -name owner.json -exec cat {} + 2>/dev/null |
  grep -oE '"job_id": *"[^"]*"' | sed 's/.*"\([^"]*\)"$/\1/' | sort -u
"""

RESULTS = r"""
cd "$1/results" 2>/dev/null || { echo .; exit 0; }
find . -name '[0-9]*.json' -exec cat {} +
echo .
"""

# An element gets a new try: its lock and its failed result make room, but stay to be read.
SET_ASIDE = r"""
cd "$1" || exit; shift
for pair; do
  element=${pair%%:*} try=${pair##*:}
  for path in "results/$element.failed" "results/$element.handed-over" \
    "results/$element.json" "locks/$element"; do
    if [ -e "$path" ]; then mv -f "$path" "$path.try-$try" || exit; fi
  done
done
"""

INDICES = r"""
for path; do echo @; cat -- "$path" 2>/dev/null || echo '!'; done
echo .
"""

# A hard link is made by one process only; where a filesystem has none, renaming comes close.
FIRST_WINS = r"""
ln -- "$1" "$2" 2>/dev/null && { rm -f -- "$1"; exit 0; }
if [ -e "$2" ]; then rm -f -- "$1"; exit 17; fi
mv -- "$1" "$2"
"""


class Folder(Protocol):
    """Where an array job's files are; hpc_jobs.contract.layout.JobFolder is one."""

    @property
    def root(self) -> PurePosixPath:
        """The folder itself."""
        ...

    @property
    def logs(self) -> PurePosixPath:
        """Folder of the elements' output."""
        ...

    @property
    def finished(self) -> PurePosixPath:
        """Written when nothing more will be done about the job."""
        ...

    def script(self, number: int) -> PurePosixPath:
        """Script of a submission."""
        ...

    def elements(self, number: int) -> PurePosixPath:
        """Index file of a submission."""
        ...

    def submission(self, number: int) -> PurePosixPath:
        """Record of a submission."""
        ...


NAMES = {
    "d": ("results/", ".json"),
    "f": ("results/", ".failed"),
    "h": ("results/", ".handed-over"),
    "l": ("locks/", ""),
}
"""Kind of line -> what stands around the element's number."""
PROGRESS = re.compile(r' ?"(done|total|unit)": *(\d+|".*?"),?')


@dataclass(frozen=True, slots=True)
class Scan:
    """What lies in one job folder."""

    done: frozenset[int] = frozenset()
    failed: frozenset[int] = frozenset()
    handed_over: frozenset[int] = frozenset()
    locked: frozenset[int] = frozenset()
    progress: tuple[int, int, str] | None = field(default=None)
    """done, total, unit: over the elements that said something"""


def scan_command(folders: Sequence[PurePosixPath]) -> tuple[str, ...]:
    """Look at job folders."""
    return ("sh", "-c", SCAN, "scan", *map(str, folders))


def parse_scan(reply: Reply, folders: int) -> list[Scan]:
    """One Scan a folder; raises TransportError when the answer is not whole."""
    lines = reply.stdout.splitlines()
    if lines[-1:] != ["."] or sum(line == "@" for line in lines) != folders:
        raise TransportError(f"looking at the job folders was cut short: {reply.words[-200:]}")
    chunks: list[list[str]] = []
    for line in lines[:-1]:
        if line == "@":
            chunks.append([])
        else:
            chunks[-1].append(line)
    return [_scan(chunk) for chunk in chunks]


def indices_command(paths: Sequence[PurePosixPath]) -> tuple[str, ...]:
    """Read index files."""
    return ("sh", "-c", INDICES, "indices", *map(str, paths))


def parse_indices(reply: Reply, files: int) -> list[tuple[int, ...] | None]:
    """Elements by file; None for one that cannot be read. Raises TransportError if cut short."""
    lines = reply.stdout.split()
    if lines[-1:] != ["."] or lines.count("@") != files:
        raise TransportError(f"reading index files was cut short: {reply.words[-200:]}")
    found: list[list[str]] = []
    for line in lines[:-1]:
        if line == "@":
            found.append([])
        else:
            found[-1].append(line)
    return [None if "!" in each else tuple(map(int, each)) for each in found]


def owners_command(folder: PurePosixPath) -> tuple[str, ...]:
    """Ask who holds the locks."""
    return ("sh", "-c", OWNERS, "owners", str(folder))


def parse_owners(reply: Reply) -> set[str]:
    """Job ids; an element's own index is cut off."""
    return {line.rpartition("_")[0] or line for line in reply.stdout.split()}


def results_command(folder: PurePosixPath) -> tuple[str, ...]:
    """Read all results, one JSON document after the other."""
    return ("sh", "-c", RESULTS, "results", str(folder))


def first_wins_command(draft: PurePosixPath, path: PurePosixPath) -> tuple[str, ...]:
    """Publish a draft unless the file is there already; then exit 17."""
    return ("sh", "-c", FIRST_WINS, "first", str(draft), str(path))


def set_aside_command(folder: PurePosixPath, tries: Iterable[tuple[int, int]]) -> tuple[str, ...]:
    """Make room for another try of elements; pairs of element and the try that failed."""
    return ("sh", "-c", SET_ASIDE, "aside", str(folder), *(f"{e}:{t}" for e, t in tries))


def _scan(lines: Iterable[str]) -> Scan:
    found: dict[str, set[int]] = {kind: set() for kind in NAMES}
    said: dict[str, list[str]] = {"done": [], "total": [], "unit": []}
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind in NAMES:
            before, after = NAMES[kind]
            name = rest.removeprefix(before).removesuffix(after)
            if name.isdecimal() and len(rest) == len(before) + len(name) + len(after):
                found[kind].add(int(name))
        elif match := PROGRESS.fullmatch(line):
            said[match[1]].append(match[2])
    return Scan(
        done=frozenset(found["d"] - found["f"] - found["h"]),
        failed=frozenset(found["f"]),
        handed_over=frozenset(found["h"]),
        locked=frozenset(found["l"]),
        progress=_progress(**said),
    )


def _progress(done: list[str], total: list[str], unit: list[str]) -> tuple[int, int, str] | None:
    whole = sum(map(int, total))
    return (sum(map(int, done)), whole, unit[-1].strip('"') if unit else "") if whole else None
