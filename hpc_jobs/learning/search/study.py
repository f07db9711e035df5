"""A study: trials in a journal that all workers share, of one campaign and one dataset."""

import contextlib
import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.layout import SearchFolder
from hpc_jobs.contract.search import Search
from hpc_jobs.dataset.dataset import Dataset
from hpc_jobs.learning.search import places
from hpc_jobs.learning.search.journal import open_storage
from hpc_jobs.learning.search.owner import Owner
from hpc_jobs.learning.search.places import Cause, Note

LEAST_TRIALS = 20  # for importances that say anything
DIRECTIONS = (StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE)  # validation error, samples/s


@dataclass(frozen=True, slots=True)
class Begun:
    """A trial that this worker may run."""

    trial: Trial
    number: int
    origin: int  # number of the first trial of these parameters
    seed: int  # of the weights: a function of the origin


class Study:
    """The trials of one search, as this process sees and changes them."""

    def __init__(self, storage: JournalStorage, name: str, search: Search) -> None:
        self._storage, self._search = storage, search
        self._id = storage.get_study_id_from_name(name)
        self._study = optuna.load_study(study_name=name, storage=storage)

    def trials(self) -> list[FrozenTrial]:
        """All trials, in the order in which they were begun."""
        return self._storage.get_all_trials(self._id, deepcopy=False)

    @property
    def complete(self) -> int:
        """Number of trials with both objectives."""
        return len(places.complete(self.trials()))

    @property
    def is_complete(self) -> bool:
        """Whether every place has its values."""
        return self.complete >= self._search.trials

    def importance(self) -> dict[str, float]:
        """Share that each searched parameter has in reaching the lowest errors; PED-ANOVA.

        Watanabe et al., IJCAI 2023. With few trials a hint; empty with less than LEAST_TRIALS.
        """
        if self.complete < LEAST_TRIALS:
            return {}
        lowest = PedAnovaImportanceEvaluator(target_quantile=max(0.1, 5 / self.complete))
        with warnings.catch_warnings():  # it always says that low targets are good: they are
            warnings.simplefilter("ignore", UserWarning)
            return get_param_importances(
                self._study, evaluator=lowest, target=lambda trial: trial.values[0]
            )

    def begin(self, owner: Owner) -> Begun | None:
        """Repeat a trial or begin a new one; None where there is no place now."""
        trials = self.trials()
        waiting = places.may_repeat(trials, self._search.trials)
        if waiting:
            again = waiting[owner.element % len(waiting)]
        elif places.may_begin(trials, self._search.trials):
            again = None
        else:
            return None
        begun = self._create(owner, again)
        refusal = places.refusal(self.trials(), begun.number, self._search.trials)
        if refusal:
            self.fail(begun.number, Cause.SURPLUS, refusal)
            return None
        return begun

    def note(self, begun: Begun, key: str, value: Any) -> None:
        """Note something with a trial."""
        self._storage.set_trial_user_attr(begun.trial._trial_id, key, value)

    def finish(self, begun: Begun, error: float, samples_per_s: float) -> bool:
        """Record both objectives; False if the trial was given to somebody else meanwhile."""
        try:
            self._storage.set_trial_state_values(
                begun.trial._trial_id, TrialState.COMPLETE, [error, samples_per_s]
            )
        except UpdateFinishedTrialError:
            return False
        return True

    def fail(self, number: int, cause: Cause, reason: str) -> bool:
        """Record a trial as failed; False if it ended otherwise meanwhile."""
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._id, number)
        try:
            self._storage.set_trial_user_attr(trial_id, Note.CAUSE, cause)
            self._storage.set_trial_user_attr(trial_id, Note.REASON, reason[:1000])
            self._storage.set_trial_state_values(trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return False
        return True

    def reap(self, end: Callable[[Owner], str]) -> list[int]:
        """Record trials as orphaned whose owner has an end; returns their numbers."""
        reaped = []
        for trial in places.running(self.trials()):
            reason = end(Owner.model_validate(trial.user_attrs[Note.OWNER]))
            if reason and self.fail(trial.number, places.cause_of_death(trial), reason):
                reaped.append(trial.number)
        return reaped

    def _create(self, owner: Owner, again: FrozenTrial | None) -> Begun:
        """Begin a trial; it has its owner from its first line in the journal on."""
        notes: dict[str, Any] = {Note.OWNER: owner.model_dump()}
        fixed: Mapping[str, Any] = {}
        if again is not None:
            died = again.user_attrs[Note.CAUSE] == Cause.ORPHANED
            notes |= {
                Note.REPEATS: again.number,
                Note.ORIGIN: places.origin_of(again),
                Note.DEATHS: int(again.user_attrs.get(Note.DEATHS, 0)) + died,
            }
            fixed = again.system_attrs.get("fixed_params", {}) | again.params
        template = create_trial(
            state=TrialState.RUNNING, user_attrs=notes, system_attrs={"fixed_params": fixed}
        )
        trial_id = self._storage.create_new_trial(self._id, template_trial=template)
        found = self._storage.get_trial(trial_id)
        origin = places.origin_of(found)
        seed = _seed(self._search.seed, origin)
        self._study.sampler = TPESampler(seed=seed, multivariate=False)
        return Begun(Trial(self._study, trial_id), found.number, origin, seed)


def open_study(
    folder: SearchFolder[Path], campaign: Campaign, search: Search, dataset: Dataset
) -> Study:
    """Open the study of a search, or make it; every worker may be the first.

    Raises ConfigurationError for a journal of another campaign, space or dataset.
    """
    name = identity_of(campaign, search, dataset)
    storage = open_storage(folder.journal)
    others = {study.study_name for study in storage.get_all_studies()} - {name}
    if others:
        raise ConfigurationError(
            f"{folder.journal}: holds trials of another search or of other records "
            f"({min(others)[:12]}), this is {name[:12]}; give the search a name of its own"
        )
    with contextlib.suppress(DuplicatedStudyError):
        optuna.create_study(study_name=name, storage=storage, directions=DIRECTIONS)
    return Study(storage, name, search)


def identity_of(campaign: Campaign, search: Search, dataset: Dataset) -> str:
    """Name everything that the objectives depend on, but for the node."""
    said = [campaign.fingerprint, search.model_dump_json(), dataset.sha256]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _seed(seed: int, origin: int) -> int:
    return int(np.random.SeedSequence((seed, origin)).generate_state(1)[0] >> 1)
