"""What every model goes through before it leaves: calibrated, judged once, drawn, published."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.training import Network as NetworkSpec
from hpc_jobs.contract.validation import INTERVAL_LEVEL
from hpc_jobs.dataset.dataset import (
    Dataset,
    Examples,
    calibration_examples,
    test_examples,
    with_nothing_known,
)
from hpc_jobs.learning.evaluation.baselines import Rival
from hpc_jobs.learning.evaluation.figures import draw_all
from hpc_jobs.learning.evaluation.test_set import Answers, TestReport, report_on_test_set
from hpc_jobs.learning.evaluation.worst_cases import WORST, write_worst_cases
from hpc_jobs.learning.models.calibration import Calibration, calibrate
from hpc_jobs.learning.models.inverse_model import InverseModel, ModelCard, trainable
from hpc_jobs.learning.training.history import HISTORY, write_history
from hpc_jobs.learning.training.publication import facts_of, publish_network
from hpc_jobs.learning.training.state import Evaluation

CHUNK = 4096

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """A model that was trained or assembled, and not judged yet."""

    name: str
    network: NetworkSpec
    model: InverseModel
    validation_mse: tuple[float, ...]  # per target
    best_epoch: int | None = None
    history: Sequence[Evaluation] = ()
    members: Mapping[str, Sequence[Evaluation]] = field(default_factory=dict)  # a committee's


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training or an assembly."""

    card: ModelCard
    report: TestReport


def complete(
    folder: Path,
    campaign: Campaign,
    made: Made,
    dataset: Dataset,
    validation: Examples,
    device: torch.device,
    rivals: Mapping[str, Rival] | None = None,
) -> Trained:
    """Calibrate, look at the test set, this once, and publish whatever it says.

    Rivals are fitted before the test set is in memory: neither has to wait for room beside the
    other.
    """
    model = made.model.to(device).eval()
    calibration = _calibrated(model, calibration_examples(dataset), device)
    unknown = None
    if model.network.given:
        unknown = _calibrated(model, with_nothing_known(calibration_examples(dataset)), device)
    card = _card(campaign, made, dataset, calibration, unknown)
    forces = made.network.forces
    fitted = {rival: fit(dataset, forces) for rival, fit in (rivals or {}).items()}
    test, scaler = test_examples(dataset), dataset.facts.scaler
    answers = _answers(model, calibration, test, device)
    report = report_on_test_set(answers, dataset, validation, test, forces=forces, rivals=fitted)
    files = draw_all(
        folder / "figures", card.name, made.history, answers, test, scaler, report, made.members
    )
    if made.history:
        write_history(folder / HISTORY, made.history)
        files.append(folder / HISTORY)
    write_worst_cases(folder / WORST, answers, test, scaler)
    facts = facts_of(card, made.validation_mse, report, test, dataset.facts.provenance)
    publish_network(folder, model, card, facts, report, validation, [*files, folder / WORST])
    return Trained(card=card, report=report)


def identified(model: InverseModel, examples: Examples, device: torch.device) -> FloatArray:
    """Physical targets (n, targets) that a model finds behind noisy records."""
    return _ask(model, device, *_inputs(model, examples))


def _calibrated(model: InverseModel, examples: Examples, device: torch.device) -> Calibration:
    errors = examples.physical - identified(model, examples, device)
    deviations = _deviations(model, examples, device)
    return calibrate(errors, deviations, INTERVAL_LEVEL, examples.weight)


def _deviations(model: InverseModel, examples: Examples, device: torch.device) -> FloatArray | None:
    if not model.network.gaussian:
        return None
    return _ask(model.deviations, device, *_inputs(model, examples))


def _inputs(model: InverseModel, examples: Examples) -> tuple[NDArray[np.float32], ...]:
    """Return what is measured, and what is known where the network asks for it."""
    if not model.network.known_values or examples.known is None:
        return examples.strains, examples.forces
    return examples.strains, examples.forces, examples.known


def _answers(
    model: InverseModel, calibration: Calibration, test: Examples, device: torch.device
) -> Answers:
    physical, own = identified(model, test, device), _deviations(model, test, device)
    deviations = np.array(calibration.residuals) if own is None else own
    low, span = model.low.double().cpu().numpy(), model.span.double().cpu().numpy()
    return Answers(
        scaled=(physical - low) / span,
        intervals=calibration.intervals(physical, deviations),
        level=calibration.level,
        novelty=_ask(model.novelty, device, test.strains),
    )


@torch.no_grad()
def _ask(
    part: Callable[..., torch.Tensor], device: torch.device, *values: NDArray[np.float32]
) -> FloatArray:
    chunks = zip(*(torch.split(torch.from_numpy(one), CHUNK) for one in values), strict=True)
    answers = [part(*(one.to(device) for one in chunk)).cpu() for chunk in chunks]
    return torch.cat(answers).double().numpy()


def _card(
    campaign: Campaign,
    made: Made,
    dataset: Dataset,
    calibration: Calibration,
    unknown: Calibration | None,
) -> ModelCard:
    facts = dataset.facts
    return ModelCard(
        name=made.name,
        network=made.network,
        strain_shape=facts.strain_shape,
        scaler=facts.scaler,
        noise_strain=facts.noise_strain,
        noise_force_relative=facts.noise_force_relative,
        given=facts.given,
        novelty_components=made.model.novelty.vectors.shape[1],
        campaign_fingerprint=campaign.fingerprint,
        dataset_sha256=dataset.sha256,
        dataset_generation=facts.generation,
        best_epoch=made.best_epoch,
        validation_loss=sum(made.validation_mse),
        calibration=calibration,
        calibration_unknown=unknown,
        parameters=trainable([made.model.network]),
    )
