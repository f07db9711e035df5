"""The final: each finalist over several seeds, and which is better than the present network.

Welch's one-sided t-test on the validation errors over the seeds, Holm's correction over the
finalists. The test set stays closed: the gate opens it, once a campaign has trained the choice.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.layout import SearchFolder
from hpc_jobs.contract.records import read_model
from hpc_jobs.contract.search import Search
from hpc_jobs.contract.study import Choice, Contender, Finalist, Finalists, SeedResult
from hpc_jobs.contract.training import Network
from hpc_jobs.dataset.dataset import Dataset
from hpc_jobs.learning.evaluation.model_choice import LEVEL, Sample, WelchTest, better_than
from hpc_jobs.learning.search.throughput import samples_per_s
from hpc_jobs.learning.training.experiment import fit_network
from hpc_jobs.learning.training.team import Team
from hpc_jobs.tracking.spool import Spool


def train_finalist(
    finalist: Finalist,
    seed: int,
    folder: Path,
    *,
    campaign: Campaign,
    search: Search,
    dataset: Dataset,
    spool: Spool,
    progress: Callable[[int, int, str], None],
    stop: Callable[[], bool],
    team: Team,
) -> SeedResult:
    """Train one finalist with one seed, for as long as the network says.

    folder: of the checkpoints. Raises Diverged and Interrupted.
    """
    network = finalist.network.model_copy(update={"seed": seed})
    fitted = fit_network(
        dataset, campaign, network, folder, spool=spool, progress=progress, stop=stop, team=team
    )
    best = fitted.trainer.state
    result = SeedResult(
        network=network.name,
        seed=seed,
        error=best.best_loss,
        samples_per_s=samples_per_s(fitted.model, fitted.validation, search.batch, team.device),
        best_epoch=best.best_epoch,
    )
    shutil.rmtree(folder, ignore_errors=True)
    return result


def require_same_records(finalists: Finalists, dataset: Dataset) -> None:
    """Raise ConfigurationError if the dataset is no longer the one that was searched on."""
    if finalists.dataset_sha256 != dataset.sha256:
        raise ConfigurationError(
            f"the dataset is {dataset.sha256[:12]}, but the search was on "
            f"{finalists.dataset_sha256[:12]}; it has grown since: search again"
        )


def read_results(folder: SearchFolder[Path], finalists: Finalists) -> list[SeedResult]:
    """Read what came of the trainings; one that was lost is missing."""
    paths = map(folder.trained, range(len(finalists.trainings)))
    return [read_model(SeedResult, path) for path in paths if path.exists()]


def choose(name: str, finalists: Finalists, results: Sequence[SeedResult]) -> Choice:
    """Compare the finalists with the present network; raises TooFewSeeds."""
    by_name: dict[str, list[SeedResult]] = {one.network.name: [] for one in finalists.finalists}
    for result in results:
        by_name[result.network].append(result)
    errors = {network: [one.error for one in some] for network, some in by_name.items()}
    compared = better_than(finalists.present, errors)
    contenders = {
        one.network.name: _contender(one, by_name[one.network.name], compared)
        for one in finalists.finalists
    }
    better = [network for network, one in contenders.items() if one.better]
    recommended = min(better, key=lambda network: contenders[network].mean, default=None)
    return Choice(
        name=name,
        trials=len(finalists.trials),
        failed=finalists.failed,
        importance=finalists.importance,
        front=tuple(trial for trial in finalists.trials if trial.on_front),
        present=finalists.present,
        contenders=contenders,
        level=LEVEL,
        recommended=recommended,
        networks_yaml=networks_yaml(
            [one.network for one in finalists.finalists if one.network.name == recommended]
            + [finalists.finalists[0].network]
        ),
    )


def networks_yaml(networks: Sequence[Network]) -> str:
    """Write networks as they stand below `training` in a campaign's file."""
    entries = []
    for network in networks:
        said = network.model_dump(mode="json", exclude_defaults=True)
        entries.append({"kind": network.kind, "name": network.name} | said)
    return yaml.safe_dump({"networks": entries}, sort_keys=False, default_flow_style=None)


def _contender(
    finalist: Finalist,
    results: Sequence[SeedResult],
    compared: Mapping[str, tuple[WelchTest, float]],
) -> Contender:
    errors = tuple(result.error for result in results)
    sample = Sample.of(finalist.network.name, errors)
    contender = Contender(
        trial=finalist.trial,
        errors=errors,
        mean=sample.mean,
        deviation=sample.deviation,
        samples_per_s=float(np.median([result.samples_per_s for result in results])),
    )
    if finalist.network.name not in compared:
        return contender
    comparison, p = compared[finalist.network.name]
    return contender.model_copy(
        update={
            "p": p,
            "effect_size": comparison.effect_size,
            "interval": comparison.interval,
            "better": p < LEVEL,
        }
    )
