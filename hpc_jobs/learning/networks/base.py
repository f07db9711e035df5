"""What every network is: raw strains in, targets in min-max units out."""

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hpc_jobs.learning.networks.inputs import PrincipalInputs

LOG_VARIANCE = (-18.0, 4.0)
"""From 1e-4 to 7 times the training range: beyond, only rounding or divergence leads."""
StrainShape = tuple[int, int, int, int]
"""[component, specimen, patch, time], as contract.specimen lays out a record."""


class Network(nn.Module):
    """Base of the networks; `inputs` is fitted to the training records before the first batch."""

    inputs: PrincipalInputs
    gaussian: bool

    def settle(self) -> None:
        """Freeze the batch statistics: small batches make them noisy, and it shows at the end."""
        for module in self.modules():
            if isinstance(module, _BatchNorm):  # on one GPU or over several
                module.eval()

    def outputs(self, strains: Tensor, noise: Tensor | None) -> Tensor:
        """(B, strain_values) strain -> (B, targets, 1), or 2: means, and logarithms of variances.

        noise (B, inputs.components), of variance one, makes measured strains of simulated ones.
        """
        raise NotImplementedError

    def forward(self, strains: Tensor, noise: Tensor | None = None) -> Tensor:
        """(B, strain_values) strain -> (B, targets), 0 to 1 over the training range."""
        return self.outputs(strains, noise)[..., 0]

    def moments(self, strains: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance, (B, targets) each; of a Gaussian network only."""
        mean, log_variance = self.outputs(strains, noise).unbind(-1)
        return mean, log_variance.clamp(*LOG_VARIANCE)


class NetworkType(Protocol):
    """How a network is built from its description in the campaign."""

    def __call__(self, spec: Any, shape: StrainShape, targets: Sequence[str]) -> Network:
        """Build it with fresh weights from torch's random generator."""
        ...
