"""However workers come, die and are slow: exactly as many trials are complete as are wanted."""

import random
from dataclasses import dataclass, field

import pytest
from optuna.trial import TrialState

from hpc_jobs.learning.search import places
from hpc_jobs.learning.search.places import MOST_DEATHS, Cause, Note

PLACES = 9


@dataclass
class Trial:
    number: int
    state: TrialState = TrialState.RUNNING
    user_attrs: dict = field(default_factory=dict)

    def fail(self, cause):
        if self.state is TrialState.RUNNING:
            self.state, self.user_attrs[Note.CAUSE] = TrialState.FAIL, cause


@dataclass
class Journal:
    """What workers do, one line at a time, in any order."""

    chance: random.Random
    trials: list[Trial] = field(default_factory=list)
    unchecked: list[Trial] = field(default_factory=list)
    working: list[Trial] = field(default_factory=list)
    dead: list[Trial] = field(default_factory=list)
    started: int = 0

    def begin(self):
        waiting = places.may_repeat(self.trials, PLACES)
        new = Trial(len(self.trials))
        if waiting:
            again = self.chance.choice(waiting)
            deaths = again.user_attrs.get(Note.DEATHS, 0)
            deaths += again.user_attrs[Note.CAUSE] == Cause.ORPHANED
            new.user_attrs |= {Note.REPEATS: again.number, Note.DEATHS: deaths}
            new.user_attrs |= {Note.ORIGIN: places.origin_of(again)}
        elif not places.may_begin(self.trials, PLACES):
            return
        self.trials.append(new)
        self.unchecked.append(new)

    def check(self):
        if self.unchecked:
            trial = self.unchecked.pop(self.chance.randrange(len(self.unchecked)))
            if places.refusal(self.trials, trial.number, PLACES):
                trial.fail(Cause.SURPLUS)
            else:
                self.working.append(trial)
                self.started += 1

    def end(self):
        if self.working:
            trial = self.working.pop(self.chance.randrange(len(self.working)))
            what = self.chance.choice(["done"] * 6 + [Cause.DIVERGED, Cause.HANDED_OVER])
            if what != "done":
                trial.fail(what)
            elif trial.state is TrialState.RUNNING:
                trial.state = TrialState.COMPLETE

    def die(self):
        alive = self.working + self.unchecked
        if alive and self.chance.random() < 0.5:
            trial = self.chance.choice(alive)
            (self.working if trial in self.working else self.unchecked).remove(trial)
            self.dead.append(trial)

    def reap(self):
        for trial in self.dead:
            trial.fail(places.cause_of_death(trial))
        self.dead.clear()

    @property
    def complete(self):
        return len(places.complete(self.trials))


@pytest.mark.parametrize("seed", range(120))
def test_exactly_the_wanted_number_is_complete_whatever_happens(seed):
    journal = Journal(random.Random(seed))
    steps = [journal.begin] * 4 + [journal.check] * 3 + [journal.end] * 2 + [journal.die]
    for _ in range(5000):
        if journal.complete == PLACES:
            break
        journal.chance.choice([*steps, journal.reap])()
        assert journal.complete <= PLACES
    assert journal.complete == PLACES
    for _ in range(50):  # latecomers find no place, and those who still work add nothing
        journal.chance.choice([journal.begin, journal.check, journal.end])()
    assert journal.complete == PLACES


@pytest.mark.parametrize("seed", range(60))
def test_no_lost_trial_is_forgotten_and_none_is_done_twice(seed):
    journal = Journal(random.Random(seed))
    steps = [journal.begin, journal.check, journal.end, journal.die, journal.reap]
    while journal.complete < PLACES:
        journal.chance.choice(steps)()
    begun = [t for t in journal.trials if t.user_attrs.get(Note.CAUSE) != Cause.SURPLUS]
    repeated = [t.user_attrs[Note.REPEATS] for t in begun if Note.REPEATS in t.user_attrs]
    settled = [t for t in repeated if journal.trials[t].state is TrialState.FAIL]
    unchecked = {t.number for t in journal.unchecked}
    twice = {n for n in repeated if repeated.count(n) > 1}
    for number in twice:  # told apart as soon as the later one looks
        rivals = [t.number for t in begun if t.user_attrs.get(Note.REPEATS) == number]
        assert len(set(rivals) - unchecked) <= 1
    assert set(settled) == set(repeated)


def test_a_trial_that_kills_its_workers_is_given_up():
    journal = Journal(random.Random(0))
    for death in range(MOST_DEATHS):
        journal.begin()
        journal.check()
        trial = journal.trials[-1]
        assert places.origin_of(trial) == 0
        assert trial.user_attrs.get(Note.DEATHS, 0) == death
        trial.fail(places.cause_of_death(trial))
    assert trial.user_attrs[Note.CAUSE] == Cause.DEADLY
    assert places.to_repeat(journal.trials) == []
    assert places.failures(journal.trials) == [trial]


def test_without_mishaps_nothing_is_begun_in_excess():
    journal = Journal(random.Random(1))
    while journal.complete < PLACES:
        journal.begin()
        journal.check()
        for trial in journal.working:
            trial.state = TrialState.COMPLETE
    assert len(journal.trials) == journal.started == PLACES
