"""One training from dataset to published model: fit, train, judge once, draw, publish."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.training import Network as NetworkSpec
from hpc_jobs.contract.workspace import RunFolder
from hpc_jobs.learning.data.dataset import (
    Dataset,
    Examples,
    open_dataset,
    test_examples,
    validation_examples,
    with_noise,
)
from hpc_jobs.learning.evaluation.figures import draw_all
from hpc_jobs.learning.evaluation.judge import TestReport, judge
from hpc_jobs.learning.feed.base import Records
from hpc_jobs.learning.feed.choice import open_source
from hpc_jobs.learning.feed.order import Order
from hpc_jobs.learning.models.inverse_model import InverseModel, ModelCard, trainable
from hpc_jobs.learning.training.checkpoint import Checkpoints
from hpc_jobs.learning.training.plan import Plan
from hpc_jobs.learning.training.progress import Evaluation, Pace
from hpc_jobs.learning.training.publication import facts_of, publish_network
from hpc_jobs.learning.training.team import Team
from hpc_jobs.learning.training.trainer import CHUNK, Trainer, observed
from hpc_jobs.tracking.spool import Spool

NOVELTY_COMPONENTS = 24
NOVELTY_RECORDS = 20_000
_NOVELTY_NOISE = 4  # tag of its noise


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training."""

    card: ModelCard
    report: TestReport


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
) -> Trained | None:
    """Train one network on the run's dataset and publish it as models/<name>.

    Interrupted, it resumes from its checkpoint when called again. Returns None on ranks that do
    not lead their team. Raises CorruptFile, Diverged and Interrupted.
    """
    team, folder = team or Team(), run.model(name)
    dataset = open_dataset(run, campaign.training.validation_fraction)
    if team.leads:
        (folder / "manifest.json").unlink(missing_ok=True)  # what it vouched for is made anew
    fitted = fit_network(
        dataset, campaign, spec, folder, spool=spool, progress=progress, stop=stop, team=team
    )
    if not team.leads:
        return None
    model, trainer = fitted.model, fitted.trainer
    card = _card(name, campaign, spec, dataset, model, trainer)
    verdict = _judge_and_publish(folder, model, card, dataset, fitted.validation, trainer)
    fitted.checkpoints.remove()
    return Trained(card=card, report=verdict)


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
    team, plan = team or Team(), Plan.of(campaign.training, spec)
    checkpoints = Checkpoints(folder / "checkpoints", _identity(campaign, spec, plan, dataset))
    torch.manual_seed(plan.seed)
    model, validation = _fresh_model(spec, dataset), validation_examples(dataset)
    with open_source(
        campaign.training.source, _records(dataset, spec, plan, team.device)
    ) as source:
        spool.params(_parameters(spec, plan, dataset, model, source.name))
        compiled = campaign.training.compile
        trainer = Trainer(model.network, source, validation, plan, team, compiled=compiled)

        def report(epoch: int, evaluation: Evaluation | None) -> None:
            progress(epoch, plan.epochs, "epochs")
            if evaluation:
                spool.metrics(_epoch_metrics(evaluation, trainer.pace, dataset), evaluation.epoch)

        trainer.fit(checkpoints, stop, report)
    return Fitted(model=model, trainer=trainer, validation=validation, checkpoints=checkpoints)


def _records(dataset: Dataset, spec: NetworkSpec, plan: Plan, device: torch.device) -> Records:
    order = Order(records=len(dataset.fit_rows), batch_size=plan.batch_size, seed=plan.seed)
    scaler = dataset.facts.scaler
    return Records(dataset.train, order, scaler, device, spec.components, spec.forces)


def _card(
    name: str,
    campaign: Campaign,
    spec: NetworkSpec,
    dataset: Dataset,
    model: InverseModel,
    trainer: Trainer,
) -> ModelCard:
    facts = dataset.facts
    return ModelCard(
        name=name,
        network=spec,
        strain_shape=facts.strain_shape,
        scaler=facts.scaler,
        noise_strain=facts.noise_strain,
        noise_force_relative=facts.noise_force_relative,
        novelty_components=model.novelty.vectors.shape[1],
        campaign_fingerprint=campaign.fingerprint,
        dataset_sha256=dataset.sha256,
        dataset_generation=facts.generation,
        best_epoch=trainer.progress.best_epoch,
        validation_loss=trainer.progress.best_loss,
        parameters=trainable([model.network]),
    )


def _judge_and_publish(
    folder: Path,
    model: InverseModel,
    card: ModelCard,
    dataset: Dataset,
    validation: Examples,
    trainer: Trainer,
) -> TestReport:
    """Look at the test set, this once, and publish whatever it says."""
    test, history = test_examples(dataset), trainer.progress.history
    estimates, novel = _answers(model.to(trainer.device), test, trainer.device)
    saw_forces = card.network.forces
    verdict = judge(estimates, novel, dataset, validation, test, forces=saw_forces)
    figures = draw_all(
        folder / "figures", card.name, history, estimates, test, card.scaler, verdict
    )
    chosen = next(one for one in history if one.epoch == card.best_epoch)
    facts = facts_of(card, chosen, verdict, test)
    publish_network(folder, model, card, facts, verdict, validation, figures)
    return verdict


def _fresh_model(spec: NetworkSpec, dataset: Dataset) -> InverseModel:
    """Make new weights, with inputs and novelty fitted to the training records."""
    facts = dataset.facts
    spectrum = dataset.spectra.strains
    components = min(NOVELTY_COMPONENTS, spectrum.vectors.shape[1])
    model = InverseModel(spec, facts.strain_shape, facts.scaler, components)
    model.network.fit(dataset.spectra)
    rows = dataset.fit_rows[:NOVELTY_RECORDS]
    strains, _ = dataset.train.take(rows)
    seeds = [facts.noise_seed, _NOVELTY_NOISE]
    model.novelty.fit(spectrum, with_noise(strains, facts.noise_strain, seeds))
    return model


def _identity(campaign: Campaign, spec: NetworkSpec, plan: Plan, dataset: Dataset) -> str:
    """Name everything that the weights depend on."""
    said = [spec.model_dump_json(), repr(plan), dataset.sha256, campaign.fingerprint]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _parameters(
    spec: NetworkSpec, plan: Plan, dataset: Dataset, model: InverseModel, source: str
) -> dict[str, Any]:
    settings = {f"network.{key}": value for key, value in spec.model_dump(mode="json").items()}
    return {
        **{key: value for key, value in settings.items() if value is not None},
        "epochs": plan.epochs,
        "batch_size": plan.batch_size,
        "learning_rate": plan.learning_rate,
        "weight_decay": plan.weight_decay,
        "schedule": plan.schedule.kind,
        "seed": plan.seed,
        "weights": trainable([model.network]),
        "source": source,
        "train_records": len(dataset.fit_rows),
        "validation_records": len(dataset.validation_rows),
        "test_records": len(dataset.test),
        "dataset_generation": dataset.facts.generation,
    }


def _epoch_metrics(evaluation: Evaluation, pace: Pace, dataset: Dataset) -> dict[str, float]:
    targets = dataset.facts.scaler.targets
    each = {
        f"val_{target.lower()}/mse": value
        for target, value in zip(targets, evaluation.val_mse, strict=True)
    }
    return {
        "train/loss": evaluation.train_loss,
        "val/loss": evaluation.val_loss,
        "train/learning_rate": evaluation.rate,
        "io/samples_per_s": pace.samples_per_s,
        "io/input_wait": pace.input_wait,
        **each,
    }


@torch.no_grad()
def _answers(
    model: InverseModel, test: Examples, device: torch.device
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Estimates (n, targets) in min-max units, and which records look novel."""
    model.eval()
    seen = torch.split(observed(model.network, test, device), CHUNK)
    scaled = torch.cat([model.network(chunk) for chunk in seen])
    strains = torch.split(torch.from_numpy(test.strains), CHUNK)
    novel = torch.cat([model.novelty(chunk.to(device)) for chunk in strains]) > 1
    return scaled.cpu().numpy(), novel.cpu().numpy()
