"""What every network is: observed components in, targets in min-max units out.

    components = network.observe(strains, forces)   # raw measurements, once
    scaled = network(components)

A training never sees raw measurements: the components of its records are stored with the dataset,
and independent noise on every strain is, along orthonormal directions, noise of variance one on
every component.
"""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.dataset.spectrum import Spectra
from hpc_jobs.learning.networks.inputs import PrincipalInputs

LOG_VARIANCE = (-18.0, 4.0)
"""From 1e-4 to 7 times the training range: beyond, only rounding or divergence leads."""
StrainShape = tuple[int, int, int, int]
"""[component, specimen, patch, time], as contract.specimen lays out a record."""


class Network(nn.Module):
    """Base of the networks; `fit` comes before the first batch.

    Components (B, k) are those of the strains, then those of the forces if it takes forces.
    """

    inputs: PrincipalInputs
    force_inputs: PrincipalInputs | None
    gaussian: bool

    def __init__(
        self, shape: StrainShape, components: int, *, forces: bool, whitening: float = 1.0
    ) -> None:
        super().__init__()
        self.inputs = PrincipalInputs(math.prod(shape), components, whitening)
        values = force_values(shape)
        self.force_inputs = PrincipalInputs(values, values) if forces else None

    @property
    def components(self) -> int:
        """Components k of a record, those of the forces included."""
        forces = self.force_inputs.components if self.force_inputs else 0
        return self.inputs.components + forces

    def fit(self, spectra: Spectra) -> None:
        """Take over the components of a training set; raises ConfigurationError."""
        self.inputs.fit(spectra.strains)
        if self.force_inputs:
            self.force_inputs.fit(spectra.forces)

    def settle(self) -> None:
        """Freeze the batch statistics: small batches make them noisy, and it shows at the end."""
        for module in self.modules():
            if isinstance(module, _BatchNorm):  # on one GPU or over several
                module.eval()

    def observe(self, strains: Tensor, forces: Tensor | None = None) -> Tensor:
        """Strains (B, strain_values), forces (B, force_values) N -> components (B, k).

        Centred, in units of the noise. Raises BadInput if the forces that it takes are missing.
        """
        seen = self.inputs.observe(strains)
        if self.force_inputs is None:
            return seen
        if forces is None:
            raise BadInput("a network that takes forces was given none; measure them too")
        return torch.cat([seen, self.force_inputs.observe(torch.log(forces))], dim=1)

    def parts(self, components: Tensor) -> tuple[Tensor, Tensor | None]:
        """Components (B, k) of the strains, and scaled inputs from the forces if it takes any."""
        if self.force_inputs is None:
            return components, None
        kept = self.inputs.components
        return components[:, :kept], self.force_inputs(components[:, kept:])

    def outputs(self, components: Tensor) -> Tensor:
        """(B, k) components -> (B, targets, 1), or 2: means, and logarithms of variances."""
        raise NotImplementedError

    def forward(self, components: Tensor) -> Tensor:
        """(B, k) components -> (B, targets), 0 to 1 over the training range."""
        return self.outputs(components)[..., 0]

    def moments(self, components: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance, (B, targets) each; of a Gaussian network only."""
        mean, log_variance = self.outputs(components).unbind(-1)
        return mean, log_variance.clamp(*LOG_VARIANCE)


def force_values(shape: StrainShape) -> int:
    """Count the forces of a record: one per specimen and time."""
    _, specimens, _, times = shape
    return specimens * times


class NetworkType(Protocol):
    """How a network is built from its description in the campaign."""

    def __call__(self, spec: Any, shape: StrainShape, targets: Sequence[str]) -> Network:
        """Build it with fresh weights from torch's random generator."""
        ...
