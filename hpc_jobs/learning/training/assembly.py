"""From trained members to a published committee: verified to belong together, judged as one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.training import Network as NetworkSpec
from hpc_jobs.contract.training import members_of
from hpc_jobs.dataset.dataset import open_dataset, validation_examples
from hpc_jobs.learning.evaluation.baselines import Rival
from hpc_jobs.learning.models.inverse_model import InverseModel
from hpc_jobs.learning.models.trained_model import TrainedModel, load_model
from hpc_jobs.learning.networks.committee import Committee
from hpc_jobs.learning.training.completion import Made, Trained, complete, identified
from hpc_jobs.learning.training.history import read_history


def assemble_committee(
    run: RunFolder[Path],
    campaign: Campaign,
    spec: NetworkSpec,
    training: str,
    rivals: Mapping[str, Rival] | None = None,
) -> Trained:
    """Assemble the members models/<training>-<member> and publish models/<training>-<network>.

    Raises CorruptFile for a member that is missing or altered, ConfigurationError for one of
    another dataset.
    """
    dataset = open_dataset(run, campaign.training.validation_fraction)
    names = [f"{training}-{one.name}" for one in members_of(spec)]
    members = [load_model(run.model(name)) for name in names]
    name, device = f"{training}-{spec.name}", torch.device("cpu")
    (run.model(name) / "manifest.json").unlink(missing_ok=True)
    model = committee_of(spec, members, dataset.sha256)
    validation = validation_examples(dataset)
    span = np.array(dataset.facts.scaler.high) - np.array(dataset.facts.scaler.low)
    errors = (identified(model, validation, device) - validation.physical) / span
    mse = np.square(errors).mean(0)
    histories = {one: history for one in names if (history := read_history(run.model(one)))}
    made = Made(
        name=name,
        network=spec,
        model=model,
        validation_mse=tuple(mse.tolist()),
        members=histories,
    )
    return complete(run.model(name), campaign, made, dataset, validation, device, rivals)


def committee_of(
    spec: NetworkSpec, members: Sequence[TrainedModel], dataset_sha256: str
) -> InverseModel:
    """Put trained members together; raises ConfigurationError if they do not belong together."""
    first = members[0]
    for member, wanted in zip(members, members_of(spec), strict=True):
        _check(member, first, wanted, dataset_sha256)
    card = first.card
    beside = len(card.given.names), len(card.given.displacements)
    model = InverseModel(spec, card.strain_shape, card.scaler, card.novelty_components, *beside)
    model.novelty.load_state_dict(first.module.novelty.state_dict())
    assert isinstance(model.network, Committee)
    for place, member in zip(model.network.members, members, strict=True):
        place.load_state_dict(member.module.network.state_dict())
    return model.eval()


def _check(
    member: TrainedModel, first: TrainedModel, wanted: NetworkSpec, dataset_sha256: str
) -> None:
    card = member.card
    if card.dataset_sha256 != dataset_sha256 or card.scaler != first.card.scaler:
        raise ConfigurationError(
            f"{card.name} was trained on dataset {card.dataset_sha256[:12]}, its committee is of "
            f"{dataset_sha256[:12]}; train all members on one dataset"
        )
    if card.network != wanted:
        raise ConfigurationError(
            f"{card.name} is another network than the campaign's '{wanted.name}'; train it again"
        )
    seen, expected = _inputs(member), _inputs(first)
    if not all(torch.equal(seen[name], expected[name]) for name in expected):
        raise ConfigurationError(
            f"{card.name} scales its inputs otherwise than {first.card.name}; train all members "
            "with one version of the code"
        )


def _inputs(member: TrainedModel) -> dict[str, torch.Tensor]:
    weights = member.module.network.state_dict()
    return {name: value for name, value in weights.items() if "inputs." in name}
