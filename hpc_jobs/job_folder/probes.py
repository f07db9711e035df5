r"""How the control plane looks at job folders: shell commands, and parsers of what they print.

Each command is an argv for any number of folders or files; POSIX sh does the work, since hundreds
of folders cost a login node next to nothing that way. Names only are listed, and progress is
summed up: results are read once, when all is over. Paths travel as arguments, and no path of a
folder is ever printed: whatever it contains, there is nothing to parse.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from hpc_jobs.job_folder.names import (
    DOCUMENT,
    FAILED,
    FINISHED,
    HANDED_OVER,
    JOBS,
    LOCKS,
    PROGRESS,
    RESULTS,
    SUBMISSION,
    TRY,
)
from hpc_jobs.job_folder.probe_replies import (
    INDEX,
    CutShort,
    documents,
    match_of,
    sections,
    whole,
)

LOST = 17
"""Exit code of first_wins_command for whoever comes second."""

# Lines: "@" a folder begins, "d" a result, "f" one that says failed, "h" one that says handed over,
# "l" a lock, each with its name in the folder; then the files of progress as they are. A last "."
# says that the answer is whole. Folders are numbered by their order. An element that is not done
# says so by a mark before it publishes its result; marks are looked for after the results, so that
# none is ever taken for done, and no result is read. Where many elements report progress, their
# number tells enough.
_SCAN = rf"""
for folder; do
  echo @
  cd "$folder" 2>/dev/null || continue
  printf 'd %s\n' {RESULTS}/*{DOCUMENT}
  printf 'f %s\n' {RESULTS}/*{FAILED}
  printf 'h %s\n' {RESULTS}/*{HANDED_OVER}
  printf 'l %s\n' {LOCKS}/*
  set -- {PROGRESS}/*{DOCUMENT}
  if [ $# -le 500 ] && [ -e "$1" ]; then cat "$@" 2>/dev/null; fi
done
echo .
"""

_COLLECT = rf"""
cd "$1/{RESULTS}" 2>/dev/null || {{ echo .; exit 0; }}
find . -name '[0-9]*{DOCUMENT}' -exec cat {{}} +
echo .
"""

_COLLECT_SOME = rf"""
cd "$1/{RESULTS}" 2>/dev/null || {{ echo .; exit 0; }}
shift
for element; do cat "$element{DOCUMENT}" 2>/dev/null; done
echo .
"""

# Names of records are tried before that of an end: a job that ends in between is counted twice,
# which errs on the safe side.
_BOOKS = rf"""
cd "$1/{JOBS}" 2>/dev/null || {{ echo .; exit 0; }}
for folder in */; do
  if [ -e "$folder/{FINISHED}" ]; then cat "$folder/{FINISHED}"
  else find "$folder" -maxdepth 1 -name '{SUBMISSION}[0-9]*.json' -exec cat {{}} +
  fi
done
echo .
"""

# An element gets a new try: its lock and its failed result make room, but stay to be read.
_SET_ASIDE = rf"""
cd "$1" || exit; shift
for pair; do
  element=${{pair%%:*}} try=${{pair##*:}}
  for path in "{RESULTS}/$element{FAILED}" "{RESULTS}/$element{HANDED_OVER}" \
    "{RESULTS}/$element{DOCUMENT}" "{LOCKS}/$element"; do
    if [ -e "$path" ]; then mv -f "$path" "$path{TRY}$try" || exit; fi
  done
done
"""

_INDICES = r"""
for path; do echo @; cat -- "$path" 2>/dev/null || echo '!'; done
echo .
"""

# A hard link is made by one process only; where a filesystem has none, renaming comes close.
_FIRST_WINS = rf"""
ln -- "$1" "$2" 2>/dev/null && {{ rm -f -- "$1"; exit 0; }}
if [ -e "$2" ]; then rm -f -- "$1"; exit {LOST}; fi
mv -- "$1" "$2"
"""

_LISTED = {
    "d": (f"{RESULTS}/", DOCUMENT),
    "f": (f"{RESULTS}/", FAILED),
    "h": (f"{RESULTS}/", HANDED_OVER),
    "l": (f"{LOCKS}/", ""),
}
"""Kind of line -> what stands around the element's number."""
_PROGRESS_LINE = re.compile(
    r' ?"(?:(done|total)": *([0-9]{1,15})|(unit)": *(".*?")|(name)": *"([\w.-]{1,60})"),?'
)


@dataclass(frozen=True, slots=True)
class Scan:
    """What lies in one job folder."""

    done: frozenset[int] = frozenset()
    failed: frozenset[int] = frozenset()
    handed_over: frozenset[int] = frozenset()
    locked: frozenset[int] = frozenset()
    progress: tuple[int, int, str] | None = field(default=None)
    """done, total, unit: over the elements that said something"""
    speakers: int = 0
    """how many elements those are"""
    named: tuple[tuple[str, int, int], ...] = ()
    """of what has a name: name, done, total"""

    def work(self, elements: int) -> tuple[int, int, str] | None:
        """Return done, total, unit of all elements; None while nobody said anything.

        One that has not spoken yet has as much to do as the others on average.
        """
        if self.progress is None:
            return None
        done, total, unit = self.progress
        return done, round(total * max(1.0, elements / self.speakers)), unit


def scan_command(folders: Sequence[PurePosixPath]) -> tuple[str, ...]:
    """Look at job folders."""
    return ("sh", "-c", _SCAN, "scan", *map(str, folders))


def parse_scan(stdout: str, folders: int) -> list[Scan]:
    """One Scan a folder; raises CutShort when the answer is not whole, NoAnswer for another."""
    lines = whole(stdout, "looking at the job folders")
    if sum(line == "@" for line in lines) != folders:
        raise CutShort("looking at the job folders was cut short")
    return [_scan(chunk) for chunk in sections(lines)]


def indices_command(paths: Sequence[PurePosixPath]) -> tuple[str, ...]:
    """Read index files."""
    return ("sh", "-c", _INDICES, "indices", *map(str, paths))


def parse_indices(stdout: str, files: int) -> list[tuple[int, ...] | None]:
    """Elements by file; None for one that cannot be read. Raises CutShort, NoAnswer."""
    lines = whole(stdout, "reading index files")
    if lines.count("@") != files:
        raise CutShort("reading index files was cut short")
    return [
        None if "!" in each else tuple(int(match_of(INDEX.fullmatch(i) or i)[0]) for i in each)
        for each in sections(lines)
    ]


def results_command(folder: PurePosixPath) -> tuple[str, ...]:
    """Read all results, one JSON document after the other."""
    return ("sh", "-c", _COLLECT, "results", str(folder))


def results_of_command(folder: PurePosixPath, elements: Iterable[int]) -> tuple[str, ...]:
    """Read some elements' results, one JSON document after the other; one without is left out."""
    return ("sh", "-c", _COLLECT_SOME, "results", str(folder), *map(str, elements))


def parse_results(stdout: str) -> list[dict[str, Any]]:
    """All results as the elements wrote them; raises CutShort, NoAnswer."""
    if not stdout.endswith(".\n"):
        raise CutShort("reading the results was cut short")
    return list(documents(stdout[:-2]))


def books_command(run: PurePosixPath) -> tuple[str, ...]:
    """Read how each job of a run ended, or the records of its submissions where it has not."""
    return ("sh", "-c", _BOOKS, "books", str(run))


def parse_books(stdout: str) -> list[dict[str, Any]]:
    """Read ends and records, in no order; raises CutShort, NoAnswer."""
    if not stdout.endswith(".\n"):
        raise CutShort("reading the books was cut short")
    return list(documents(stdout[:-2]))


def first_wins_command(draft: PurePosixPath, path: PurePosixPath) -> tuple[str, ...]:
    """Publish a draft unless the file is there already; then exit LOST."""
    return ("sh", "-c", _FIRST_WINS, "first", str(draft), str(path))


def set_aside_command(folder: PurePosixPath, tries: Iterable[tuple[int, int]]) -> tuple[str, ...]:
    """Make room for another try of elements; pairs of element and the try that failed."""
    return ("sh", "-c", _SET_ASIDE, "aside", str(folder), *(f"{e}:{t}" for e, t in tries))


def _scan(lines: Iterable[str]) -> Scan:
    found: dict[str, set[int]] = {kind: set() for kind in _LISTED}
    said: dict[str, list[str]] = {"done": [], "total": [], "unit": []}
    named: list[tuple[str, int, int]] = []
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind in _LISTED:
            before, after = _LISTED[kind]
            name = rest.removeprefix(before).removesuffix(after)
            if INDEX.fullmatch(name) and len(rest) == len(before) + len(name) + len(after):
                found[kind].add(int(name))
        elif match := _PROGRESS_LINE.fullmatch(line):
            if match[5]:  # the last line of its file: the counts are those read just now
                if said["done"] and said["total"]:
                    named.append((match[6], int(said["done"][-1]), int(said["total"][-1])))
            else:
                said[match[1] or match[3]].append(match[2] or match[4])
    return Scan(
        done=frozenset(found["d"] - found["f"] - found["h"]),
        failed=frozenset(found["f"]),
        handed_over=frozenset(found["h"]),
        locked=frozenset(found["l"]),
        progress=_progress(**said),
        speakers=len(said["total"]),
        named=tuple(sorted(named)),
    )


def _progress(done: list[str], total: list[str], unit: list[str]) -> tuple[int, int, str] | None:
    whole = sum(map(int, total))
    return (sum(map(int, done)), whole, unit[-1].strip('"') if unit else "") if whole else None
