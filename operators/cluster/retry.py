"""Which failed elements get another try, and with what.

An element that exhausts its tries by faults of its own is put into quarantine: given up, and named
in the books. What a node or a more urgent job did to it does not count against it; a node that
failed takes no work until the site returns it to service, so the next try is elsewhere. An element
that hands over at the end of its walltime is continued, however often: that is no fault at all.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from operators.cluster.job import ElementState, Resources, expand
from operators.cluster.submission import SubmissionRecord

Failed = Mapping[int, ElementState]

HANDED_OVER = ElementState.HANDED_OVER
INNOCENT = frozenset({ElementState.NODE_FAIL, ElementState.PREEMPTED, HANDED_OVER})
MOST_TRIES = 10
"""Innocent or not: a cluster that fails so often should be looked at."""


def worth_another_try(
    failed: Failed, records: Sequence[SubmissionRecord], own_faults: int
) -> Failed:
    """Leave out elements that had `own_faults` of their own, or too many tries of any kind."""
    faults = Counter(
        element
        for record in records
        for cause, ranges in record.again.items()
        if ElementState(cause) not in INNOCENT
        for element in expand(ranges)
    )
    tries = Counter(element for record in records for element in record.elements)
    tries.subtract(e for record in records for e in expand(record.again.get(HANDED_OVER, "")))
    return {
        element: cause
        for element, cause in failed.items()
        if cause is HANDED_OVER
        or (faults[element] + (cause not in INNOCENT) < own_faults and tries[element] < MOST_TRIES)
    }


def grouped(
    failed: Failed, records: Sequence[SubmissionRecord]
) -> Iterator[tuple[Resources, Failed]]:
    """Split by what the next try needs: more memory, more time, or the same again."""
    kinds: dict[ElementState | None, dict[int, ElementState]] = {}
    for element, cause in sorted(failed.items()):
        grows = cause in (ElementState.OUT_OF_MEMORY, ElementState.TIMEOUT)
        kinds.setdefault(cause if grows else None, {})[element] = cause
    for kind, members in kinds.items():
        used = [each.resources for each in records if not members.keys().isdisjoint(each.elements)]
        most = max(used, key=lambda resources: (resources.memory_mib, resources.walltime_s))
        yield most.grown([kind] if kind else []), members
