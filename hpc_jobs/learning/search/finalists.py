"""Who comes into the final: the Pareto front's best by error, and the present network."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from optuna.trial import FrozenTrial
from pydantic import TypeAdapter

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.layout import RunFolder, SearchFolder
from hpc_jobs.contract.model import ModelFacts, model_facts
from hpc_jobs.contract.records import publish_model, read_manifest
from hpc_jobs.contract.search import Search
from hpc_jobs.contract.study import Finalist, Finalists, TrialFacts
from hpc_jobs.contract.training import Network
from hpc_jobs.dataset.dataset import Dataset
from hpc_jobs.learning.search import places
from hpc_jobs.learning.search.places import Note
from hpc_jobs.learning.search.study import Study, identity_of

_NETWORK: TypeAdapter[Network] = TypeAdapter(Network)
_SEEDS = 7  # tag that keeps the finalists' seeds apart from the trials'


def name_finalists(
    run: RunFolder[Path],
    folder: SearchFolder[Path],
    campaign: Campaign,
    search: Search,
    dataset: Dataset,
    study: Study,
) -> None:
    """Write finalists.json, unless another worker has."""
    if folder.finalists.exists():
        return
    trials = study.trials()
    facts = trial_facts(trials)
    best = [trial for trial in facts if trial.on_front][: search.finalists]
    present = present_network(run, campaign, dataset)
    finalists = Finalists(
        study=identity_of(campaign, search, dataset),
        dataset_sha256=dataset.sha256,
        trials=tuple(facts),
        failed=dict(Counter(places.causes(trials))),
        importance=study.importance(),
        present=present.name,
        finalists=(
            Finalist(network=present),
            *(_finalist(one, campaign, search) for one in best),
        ),
        seeds=_seeds(search),
    )
    publish_model(folder.finalists, finalists)


def trial_facts(trials: Sequence[FrozenTrial]) -> list[TrialFacts]:
    """Complete trials, lowest error first, the Pareto front marked."""
    found, fastest = [], -np.inf
    for trial in sorted(places.complete(trials), key=_by_error):
        error, speed = trial.values
        found.append(
            TrialFacts(
                number=trial.number,
                network=_NETWORK.validate_python(trial.user_attrs[Note.NETWORK]),
                error=error,
                samples_per_s=speed,
                weights=trial.user_attrs["weights"],
                on_front=speed > fastest,
            )
        )
        fastest = max(fastest, speed)
    return found


def present_network(run: RunFolder[Path], campaign: Campaign, dataset: Dataset) -> Network:
    """Look up the best network that this run has trained on these records, by validation error.

    Members of committees count one by one. Where it has trained none, it is the campaign's first.
    """
    networks = {network.name: network for network in campaign.training.trainings}
    errors: dict[str, float] = {}
    for manifest in sorted(run.model("x").parent.glob("*/manifest.json")):
        facts = _facts(manifest)
        if facts and facts.network in networks and facts.dataset_sha256 == dataset.sha256:
            known = errors.get(facts.network, np.inf)
            errors[facts.network] = min(known, facts.validation_error)
    if not errors:
        return campaign.training.trainings[0]
    return networks[min(errors, key=lambda name: errors[name])]


def _facts(manifest: Path) -> ModelFacts | None:
    try:
        return model_facts(read_manifest(manifest, "model", verify=False))
    except (CorruptFile, ValueError):  # of another version: no rival
        return None


def _finalist(trial: TrialFacts, campaign: Campaign, search: Search) -> Finalist:
    """Train it as the campaign would, but no shorter than its trial; seeds come from outside."""
    epochs = search.epochs if search.epochs > campaign.training.epochs else None
    network = trial.network.model_copy(update={"epochs": epochs, "seed": None})
    return Finalist(network=network, trial=trial.number)


def _seeds(search: Search) -> tuple[int, ...]:
    states = np.random.SeedSequence((search.seed, _SEEDS, 1)).generate_state(search.seeds)
    return tuple(int(state >> 1) for state in states)


def _by_error(trial: FrozenTrial) -> tuple[float, float]:
    error, speed = trial.values
    return error, -speed
