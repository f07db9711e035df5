"""What the doctor found: one thing, how it is, and what to do about it.

Like all of this package: the standard library only, and nothing newer than Python 3.6, so that an
old or bare interpreter is told what it lacks instead of failing on our syntax.
"""

from typing import NamedTuple

OK, NOTE, MISSING = "ok", "note", "missing"
"""As it should be; works, but worth knowing; jobs would fail."""

Finding = NamedTuple("Finding", [("what", str), ("level", str), ("found", str), ("remedy", str)])


def ok(what: str, found: str) -> Finding:
    """All is well."""
    return Finding(what, OK, found, "")


def note(what: str, found: str, remedy: str) -> Finding:
    """Jobs run, but less well than they could."""
    return Finding(what, NOTE, found, remedy)


def missing(what: str, found: str, remedy: str) -> Finding:
    """Jobs would fail."""
    return Finding(what, MISSING, found, remedy)
