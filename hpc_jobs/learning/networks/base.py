"""What every network is: raw strains in, targets in min-max units out."""

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hpc_jobs.learning.inputs import PrincipalInputs

StrainShape = tuple[int, int, int, int]
"""[component, specimen, patch, time], as contract.specimen lays out a record."""


class Network(nn.Module):
    """Base of the networks; `inputs` is fitted to the training records before the first batch."""

    inputs: PrincipalInputs

    def settle(self) -> None:
        """Freeze the batch statistics: small batches make them noisy, and it shows at the end."""
        for module in self.modules():
            if isinstance(module, _BatchNorm):  # on one GPU or over several
                module.eval()

    def forward(self, strains: Tensor, noise: Tensor | None = None) -> Tensor:
        """(B, strain_values) strain -> (B, targets), 0 to 1 over the training range.

        noise (B, inputs.components), of variance one, makes measured strains of simulated ones.
        """
        raise NotImplementedError


class NetworkType(Protocol):
    """How a network is built from its description in the campaign."""

    def __call__(self, spec: Any, shape: StrainShape, targets: Sequence[str]) -> Network:
        """Build it with fresh weights from torch's random generator."""
        ...
