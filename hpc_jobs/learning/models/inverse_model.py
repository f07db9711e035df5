"""A trained network with everything it needs to answer: scaling, range, novelty."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from hpc_jobs.contract.frozen import Frozen, Positive
from hpc_jobs.contract.training import Network as NetworkSpec
from hpc_jobs.dataset.facts import GivenValues, TargetScaler
from hpc_jobs.learning.models.calibration import Calibration
from hpc_jobs.learning.models.novelty import Novelty
from hpc_jobs.learning.networks.committee import network_of
from hpc_jobs.learning.networks.network import Network, StrainShape, force_values

WEIGHTS = "weights.pt"
CARD = "model.json"
METRICS = "metrics.json"
EXAMPLE = "input_example.json"
FORCE_LIMIT = 4.0
"""Standard deviations from the mean of the training records: those of a box stay below three."""


class ModelCard(Frozen):
    """model.json: what a trained network is, and what it was made from."""

    schema_version: Literal[1] = 1
    name: str
    network: NetworkSpec
    strain_shape: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]
    scaler: TargetScaler
    noise_strain: Annotated[Positive, Field(description="noise that it was trained with")]
    noise_force_relative: Annotated[Positive, Field(description="looked at if network.forces")]
    given: GivenValues = GivenValues()
    novelty_components: NonNegativeInt
    campaign_fingerprint: str
    dataset_sha256: str
    dataset_generation: int
    best_epoch: Annotated[int | None, Field(description="none of a committee")]
    validation_loss: float
    calibration: Annotated[Calibration, Field(description="of its intervals")]
    calibration_unknown: Annotated[
        Calibration | None, Field(description="where none of the given values is known")
    ] = None
    parameters: Annotated[int, Field(description="trained weights")]

    @property
    def force_values(self) -> int:
        """Length of a force record, whether the network takes it or not."""
        return force_values(self.strain_shape)


class InverseModel(nn.Module):
    """Raw measurements (B, ...) -> physical targets (B, targets); all scaling inside.

    Strains (B, strain_values); if the network takes them forces (B, force_values) in N, and what is
    known (B, 2 g + d): g given values, their standard deviations, d displacements of output times.
    """

    low: Tensor
    span: Tensor

    def __init__(
        self,
        spec: NetworkSpec,
        shape: StrainShape,
        scaler: TargetScaler,
        novelty_components: int,
        given: int = 0,
        told: int = 0,
    ) -> None:
        super().__init__()
        self.network: Network = network_of(spec, shape, scaler.targets, given, told)
        self.novelty = Novelty(shape, novelty_components)
        low, high = torch.tensor(scaler.low), torch.tensor(scaler.high)
        self.register_buffer("low", low)
        self.register_buffer("span", high - low)

    def forward(
        self, strains: Tensor, forces: Tensor | None = None, known: Tensor | None = None
    ) -> Tensor:
        """Raw measurements -> (B, targets), physical.

        Inputs by their position are those that the network takes: what is known comes second
        where it takes no forces.
        """
        components = self._observed(strains, forces, known)
        physical: Tensor = self.low + self.span * self.network(components)
        return physical

    def force_novelty(self, forces: Tensor) -> Tensor:
        """(B, force_values) N -> (B,): above 1 they are unlike those trained on.

        The largest component counts, in standard deviations of the training records.
        """
        inputs = self.network.force_inputs
        assert inputs is not None
        seen = inputs.observe(forces.log()) * inputs.inverse_deviations
        return seen.abs().amax(1) / FORCE_LIMIT

    def deviations(
        self, strains: Tensor, forces: Tensor | None = None, known: Tensor | None = None
    ) -> Tensor:
        """Raw measurements -> (B, targets): standard deviations of a Gaussian network."""
        components = self._observed(strains, forces, known)
        return self.span * torch.exp(0.5 * self.network.moments(components)[1])

    def _observed(self, strains: Tensor, second: Tensor | None, third: Tensor | None) -> Tensor:
        if self.network.force_inputs is None and third is None:
            return self.network.observe(strains, None, second)
        return self.network.observe(strains, second, third)


def model_of(card: ModelCard) -> InverseModel:
    """Build the architecture that a card describes, its weights still to be loaded."""
    return InverseModel(
        card.network,
        card.strain_shape,
        card.scaler,
        card.novelty_components,
        len(card.given.names),
        len(card.given.displacements),
    )


def trainable(modules: Sequence[nn.Module]) -> int:
    """Count the trained weights."""
    return sum(weight.numel() for module in modules for weight in module.parameters())
