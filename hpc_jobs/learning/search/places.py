"""Which trials count, which must be done again, and who may begin one: pure of time and files.

A study has as many places as trials are wanted. The journal puts trials into one order, which every
worker sees alike: a trial may run if fewer places than that are taken by trials before it. So no
lock is needed, workers that come at the same moment are told apart, and there are never more
complete trials than wanted. The place of a trial whose worker died stays taken till it is repeated.
"""

from collections.abc import Sequence
from enum import StrEnum

from optuna.trial import FrozenTrial, TrialState

MOST_DEATHS = 3
"""A trial that its worker did not survive so often is not begun once more."""


class Note(StrEnum):
    """What is noted with a trial, beside its parameters and values."""

    OWNER = "owner"
    ORIGIN = "origin"  # number of the first trial of these parameters
    REPEATS = "repeats"  # number of the trial that this one does again
    DEATHS = "deaths"  # of workers, on trials of these parameters before
    CAUSE = "cause"  # why it failed
    REASON = "reason"  # the same, in words
    NETWORK = "network"


class Cause(StrEnum):
    """Why a trial has no values."""

    ORPHANED = "orphaned"  # its worker died: it is repeated
    HANDED_OVER = "handed_over"  # its worker's time was over: it is continued
    DEADLY = "deadly"  # its workers died too often
    DIVERGED = "diverged"
    BROKEN = "broken"
    SURPLUS = "surplus"  # begun at the same moment as another, for one place


TO_REPEAT = (Cause.ORPHANED, Cause.HANDED_OVER)


def complete(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Trials with both objectives."""
    return [trial for trial in trials if trial.state is TrialState.COMPLETE]


def running(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Trials that somebody works on, or worked on when they died."""
    return [trial for trial in trials if trial.state is TrialState.RUNNING]


def failures(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Trials that failed by a fault of their own."""
    own = (Cause.DIVERGED, Cause.BROKEN, Cause.DEADLY)
    return [trial for trial in trials if _cause(trial) in own]


def causes(trials: Sequence[FrozenTrial]) -> list[Cause]:
    """Why trials failed, of those that did."""
    return [cause for trial in trials if (cause := _cause(trial))]


def to_repeat(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Trials without values that nobody has begun again."""
    begun = {
        trial.user_attrs.get(Note.REPEATS) for trial in trials if _cause(trial) is not Cause.SURPLUS
    }
    return [trial for trial in trials if _cause(trial) in TO_REPEAT and trial.number not in begun]


def may_repeat(trials: Sequence[FrozenTrial], places: int) -> list[FrozenTrial]:
    """Trials that may be begun again now: the earliest first, for as many as there are places."""
    return to_repeat(trials)[: max(0, places - len(complete(trials)) - len(running(trials)))]


def may_begin(trials: Sequence[FrozenTrial], places: int) -> bool:
    """Whether a new trial has a place: none that is to be repeated loses its own."""
    return len(complete(trials)) + len(running(trials)) + len(to_repeat(trials)) < places


def refusal(trials: Sequence[FrozenTrial], number: int, places: int) -> str:
    """Say why a trial that was just begun must not run; empty if it may."""
    repeats = trials[number].user_attrs.get(Note.REPEATS)
    before = trials[:number]
    if repeats is not None:
        for other in before:
            if other.user_attrs.get(Note.REPEATS) == repeats and _cause(other) is not Cause.SURPLUS:
                return f"trial {other.number} repeats {repeats} already"
    first = number if repeats is None else repeats
    waiting = [trial for trial in to_repeat(trials) if trial.number < first]
    others = len(complete(before)) + len(running(before)) + len(waiting)
    return f"{places} trials were begun before it" if others >= places else ""


def cause_of_death(trial: FrozenTrial) -> Cause:
    """How a trial is recorded whose worker died: to be repeated, unless it kills its workers."""
    deaths = int(trial.user_attrs.get(Note.DEATHS, 0)) + 1
    return Cause.DEADLY if deaths >= MOST_DEATHS else Cause.ORPHANED


def origin_of(trial: FrozenTrial) -> int:
    """Return the number of the first trial of the same parameters."""
    return int(trial.user_attrs.get(Note.ORIGIN, trial.number))


def _cause(trial: FrozenTrial) -> Cause | None:
    if trial.state is not TrialState.FAIL:
        return None
    return Cause(trial.user_attrs.get(Note.CAUSE, Cause.BROKEN))
