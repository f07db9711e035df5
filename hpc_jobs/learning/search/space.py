"""From a search space to a network that the contract has validated."""

import json
from collections.abc import Sequence
from typing import Any

from optuna.trial import BaseTrial

from hpc_jobs.contract.search import KindSpace, Search
from hpc_jobs.contract.training import Network

KIND = "kind"


def suggest(trial: BaseTrial, search: Search, name: str, seed: int) -> Network:
    """Draw every searched field, and build the network of it; raises ValidationError."""
    kinds = search.space.kinds
    kind = str(trial.suggest_categorical(KIND, list(kinds)))
    space = kinds[kind]
    values = {
        field: _draw(trial, f"{kind}.{field}", space, field, allowed)
        for field, allowed in space.searched.items()
    }
    return space.network(values, name=name, seed=seed, epochs=search.epochs)


def _draw(
    trial: BaseTrial, parameter: str, space: KindSpace, field: str, allowed: Sequence[Any]
) -> Any:
    if not space.is_range(field):
        return _choose(trial, parameter, allowed)
    low, high, log = *allowed, space.is_logarithmic(field)
    if isinstance(low, int):
        return trial.suggest_int(parameter, low, high, log=log)
    return trial.suggest_float(parameter, low, high, log=log)


def _choose(trial: BaseTrial, parameter: str, choices: Sequence[Any]) -> Any:
    """One of the choices; in the journal it stands as JSON, for it may be a list."""
    by_text = {json.dumps(choice): choice for choice in choices}
    return by_text[str(trial.suggest_categorical(parameter, list(by_text)))]
