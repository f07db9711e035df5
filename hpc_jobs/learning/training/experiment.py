"""One training from dataset to published model: fit, train, judge once, draw, publish."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hpc_jobs.contract.answers import derived_names
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.training import Network as NetworkSpec
from hpc_jobs.contract.validation import INTERVAL_LEVEL
from hpc_jobs.dataset.dataset import (
    Dataset,
    Examples,
    open_dataset,
    validation_examples,
    with_noise,
)
from hpc_jobs.dataset.facts import DatasetFacts
from hpc_jobs.learning.evaluation.baselines import Rival
from hpc_jobs.learning.feed.choice import open_source
from hpc_jobs.learning.feed.order import Order
from hpc_jobs.learning.feed.source import Records
from hpc_jobs.learning.models.calibration import require_records
from hpc_jobs.learning.models.inverse_model import InverseModel, trainable
from hpc_jobs.learning.training.checkpoint import Checkpoints
from hpc_jobs.learning.training.completion import Made, Trained, complete
from hpc_jobs.learning.training.settings import Settings
from hpc_jobs.learning.training.state import EpochSpeed, Evaluation
from hpc_jobs.learning.training.team import Team
from hpc_jobs.learning.training.trainer import Trainer
from hpc_jobs.tracking.spool import Spool

NOVELTY_COMPONENTS = 24
NOVELTY_RECORDS = 20_000
_NOVELTY_NOISE = 4  # tag of its noise


@dataclass(frozen=True, slots=True)
class Fitted:
    """A network with the weights of its best epoch, chosen by the validation records."""

    model: InverseModel
    trainer: Trainer
    validation: Examples
    checkpoints: Checkpoints


def train_network(
    run: RunFolder[Path],
    campaign: Campaign,
    spec: NetworkSpec,
    name: str,
    *,
    spool: Spool,
    progress: Callable[[int, int, str], None],
    stop: Callable[[], bool],
    team: Team | None = None,
    rivals: Mapping[str, Rival] | None = None,
) -> Trained | None:
    """Train one network on the run's dataset and publish it as models/<name>.

    rivals: methods that its test report shows beside the regressions. Interrupted, it resumes from
    its checkpoint when called again. Returns None on ranks that do
    not lead their team. Raises CorruptFile, ConfigurationError, Diverged and Interrupted.
    """
    team, folder = team or Team(), run.model(name)
    dataset = open_dataset(run, campaign.training.validation_fraction)
    require_records(len(dataset.calibration_rows), INTERVAL_LEVEL)
    if team.leads:
        (folder / "manifest.json").unlink(missing_ok=True)  # what it vouched for is made anew
    fitted = fit_network(
        dataset, campaign, spec, folder, spool=spool, progress=progress, stop=stop, team=team
    )
    if not team.leads:
        return None
    made, device = _made(name, spec, fitted), fitted.trainer.device
    trained = complete(folder, campaign, made, dataset, fitted.validation, device, rivals)
    fitted.checkpoints.remove()
    return trained


def fit_network(
    dataset: Dataset,
    campaign: Campaign,
    spec: NetworkSpec,
    folder: Path,
    *,
    spool: Spool,
    progress: Callable[[int, int, str], None],
    stop: Callable[[], bool],
    team: Team | None = None,
) -> Fitted:
    """Train one network on the training records alone; the test set is not looked at.

    folder: of the checkpoints; interrupted, it resumes from them when called again, and they stay
    until whoever calls has made use of the network. Raises Diverged and Interrupted.
    """
    _check_same_kind(dataset.facts, campaign)
    team, settings = team or Team(), Settings.of(campaign.training, spec)
    checkpoints = Checkpoints(folder / "checkpoints", _identity(campaign, spec, settings, dataset))
    torch.manual_seed(settings.seed)
    model, validation = fresh_model(spec, dataset), validation_examples(dataset)
    with open_source(
        campaign.training.source,
        _records(dataset, spec, settings, team.device, campaign.training.importance_weights),
    ) as source:
        spool.params(_parameters(spec, settings, dataset, model, source.name))
        compiled = campaign.training.compile
        trainer = Trainer(model.network, source, validation, settings, team, compiled=compiled)

        def report(epoch: int, evaluation: Evaluation | None) -> None:
            progress(epoch, settings.epochs, "epochs")
            if evaluation:
                spool.metrics(_epoch_metrics(evaluation, trainer.speed, dataset), evaluation.epoch)

        trainer.fit(checkpoints, stop, report)
    return Fitted(model=model, trainer=trainer, validation=validation, checkpoints=checkpoints)


def _records(
    dataset: Dataset,
    spec: NetworkSpec,
    settings: Settings,
    device: torch.device,
    weighted: bool,
) -> Records:
    order = Order(
        records=len(dataset.fit_rows),
        batch_size=settings.batch_size,
        seed=settings.seed,
        parts=dataset.fit_parts,
    )
    scaler = dataset.facts.scaler
    given = dataset.facts.given
    return Records(
        dataset.train,
        order,
        scaler,
        device,
        spec.components,
        forces=spec.forces,
        given=given.columns,
        told=bool(given.displacements),
        weighted=weighted,
    )


def _check_same_kind(facts: DatasetFacts, campaign: Campaign) -> None:
    """Refuse a dataset of other targets or another layout than the campaign's."""
    pairs = (
        ("targets", facts.scaler.targets, (*campaign.targets, *derived_names(campaign))),
        ("strains laid out", facts.strain_shape, campaign.specimens.strain_shape),
    )
    for what, held, expected in pairs:
        if held != expected:
            raise ConfigurationError(
                f"dataset/manifest.json: {what} {held}, the campaign has {expected}; publish a "
                "dataset of this campaign's records"
            )


def _made(name: str, spec: NetworkSpec, fitted: Fitted) -> Made:
    progress = fitted.trainer.state
    chosen = next(one for one in progress.history if one.epoch == progress.best_epoch)
    return Made(
        name=name,
        network=spec,
        model=fitted.model,
        validation_mse=chosen.val_mse,
        best_epoch=progress.best_epoch,
        history=progress.history,
    )


def fresh_model(spec: NetworkSpec, dataset: Dataset) -> InverseModel:
    """Make new weights, with inputs and novelty fitted to the training records."""
    facts = dataset.facts
    spectrum = dataset.spectra.strains
    components = min(NOVELTY_COMPONENTS, spectrum.vectors.shape[1])
    scaler, given = facts.scaler, facts.given
    beside = len(given.names), len(given.displacements)
    model = InverseModel(spec, facts.strain_shape, scaler, components, *beside)
    span = [high - low for low, high in zip(scaler.low, scaler.high, strict=True)]
    strains, _ = dataset.train.take(dataset.fit_sample(NOVELTY_RECORDS))
    model.network.fit(dataset.spectra, given, span, strains)
    seeds = [facts.noise_seed, _NOVELTY_NOISE]
    model.novelty.fit(spectrum, with_noise(strains, facts.noise_strain, seeds))
    return model


def _identity(campaign: Campaign, spec: NetworkSpec, settings: Settings, dataset: Dataset) -> str:
    """Name everything that the weights depend on."""
    said = [spec.model_dump_json(), repr(settings), dataset.sha256, campaign.fingerprint]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _parameters(
    spec: NetworkSpec, settings: Settings, dataset: Dataset, model: InverseModel, source: str
) -> dict[str, Any]:
    own = {f"network.{key}": value for key, value in spec.model_dump(mode="json").items()}
    return {
        **{key: value for key, value in own.items() if value is not None},
        "epochs": settings.epochs,
        "batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "weight_decay": settings.weight_decay,
        "schedule": settings.schedule.kind,
        "seed": settings.seed,
        "weights": trainable([model.network]),
        "source": source,
        "train_records": len(dataset.fit_rows),
        "validation_records": len(dataset.validation_rows),
        "calibration_records": len(dataset.calibration_rows),
        "test_records": len(dataset.test),
        "dataset_generation": dataset.facts.generation,
    }


def _epoch_metrics(evaluation: Evaluation, speed: EpochSpeed, dataset: Dataset) -> dict[str, float]:
    targets = dataset.facts.scaler.targets
    each = {
        f"val_{target.lower()}/mse": value
        for target, value in zip(targets, evaluation.val_mse, strict=True)
    }
    return {
        "loss/train": evaluation.train_loss,
        "loss/validation": evaluation.val_loss,
        "rate/learning": evaluation.rate,
        "speed/samples_per_s": speed.samples_per_s,
        "speed/input_wait_share": speed.input_wait,
        **each,
    }
