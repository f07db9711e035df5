"""How the control plane looks at locks: who holds them, since when, which are left over.

Commands and parsers, as in hpc_jobs.job_folder.probes.
"""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from hpc_jobs.job_folder.names import DOCUMENT, FINISHED, LOCKS, OWNER, RESULTS
from hpc_jobs.job_folder.probe_replies import INDEX, NoAnswer, match_of, whole

# Locks whose owner is not among the known jobs tell of a submit whose reply was lost.
_OWNERS = rf"""
echo @
cd "$1" 2>/dev/null || {{ echo .; exit 0; }}
find {LOCKS} -name {OWNER} -exec cat {{}} + 2>/dev/null |
  grep -oE '"job_id": *"[^"]*"' | sed 's/.*"\([^"]*\)"$/\1/' | sort -u
echo .
"""

# By the cluster's own clock. An element that has published its result works no more.
_LOCK_AGES = rf"""
cd "$1" || exit; shift
echo @; now=$(date +%s)
for element; do
  [ ! -e "{RESULTS}/$element{DOCUMENT}" ] || continue
  made=$(stat -c %Y "{LOCKS}/$element/{OWNER}" 2>/dev/null) || continue
  echo "$element $((now - made))"
done
echo .
"""

# Locks of elements without a result, in job folders that have been history for long enough.
_STALE_LOCKS = rf"""
minutes=$2 removed=0
for job in "$1"/*/; do
  [ -n "$(find "$job" -maxdepth 1 -name {FINISHED} -mmin "+$minutes" 2>/dev/null)" ] || continue
  for lock in "$job"{LOCKS}/*/; do
    element=$(basename "$lock")
    case $element in *[!0-9]*) continue ;; esac
    [ -e "$job/{RESULTS}/$element{DOCUMENT}" ] || {{ rm -rf "$lock" && removed=$((removed + 1)); }}
  done
done
echo "$removed"; echo .
"""


def owners_command(folder: PurePosixPath) -> tuple[str, ...]:
    """Ask who holds the locks."""
    return ("sh", "-c", _OWNERS, "owners", str(folder))


def parse_owners(stdout: str) -> set[str]:
    """Job ids; an element's own index is cut off. Raises CutShort, NoAnswer."""
    lines = whole(stdout, "looking for owners of locks")
    if lines[:1] != ["@"] or "@" in lines[1:]:
        raise NoAnswer("".join(lines[:1]))
    return {line.rpartition("_")[0] or line for line in lines[1:] if line}


def lock_ages_command(folder: PurePosixPath, elements: Iterable[int]) -> tuple[str, ...]:
    """Ask for how long elements without a result have been locked."""
    return ("sh", "-c", _LOCK_AGES, "ages", str(folder), *map(str, elements))


def parse_lock_ages(stdout: str) -> dict[int, float]:
    """Element -> age of its lock, s; raises CutShort, NoAnswer."""
    lines = whole(stdout, "looking at the locks")
    if lines[:1] != ["@"]:
        raise NoAnswer("".join(lines[:1]))
    pairs = (re.fullmatch(r"([0-9]{1,9}) (-?[0-9]{1,12})", line) or line for line in lines[1:])
    return {int(pair[1]): float(pair[2]) for pair in map(match_of, pairs)}


def stale_locks_command(jobs: PurePosixPath, older_than_s: float) -> tuple[str, ...]:
    """Remove locks that killed elements left in job folders which are history for so long."""
    return ("sh", "-c", _STALE_LOCKS, "stale", str(jobs), str(int(older_than_s // 60)))


def parse_stale_locks(stdout: str) -> int:
    """How many were removed; raises CutShort, NoAnswer."""
    lines = whole(stdout, "removing stale locks")
    if len(lines) != 1:
        raise NoAnswer("".join(lines[:1]))
    return int(match_of(INDEX.fullmatch(lines[0]) or lines[0])[0])
