"""How unlike the training records a measurement is.

Two distances, in units of the noise: outside the training records' principal subspace, where
only noise should be, and inside it, from the cloud that they form (Mahalanobis). Each is divided
by its limit, and the larger one counts: above 1 a measurement is not like what was trained.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hpc_jobs.dataset.spectrum import Spectrum
from hpc_jobs.learning.networks.network import StrainShape

LIMIT = 1.0
QUANTILE = 0.999
MARGIN = 1.05
"""On that quantile: records that the components were not fitted to lie a little farther out."""


class Novelty(nn.Module):
    """Scores raw strains (B, strain_values); above LIMIT they are unlike the training records."""

    mean: Tensor
    vectors: Tensor
    deviations: Tensor
    noise: Tensor
    largest: Tensor

    def __init__(self, shape: StrainShape, components: int) -> None:
        super().__init__()
        values = math.prod(shape)
        self.register_buffer("mean", torch.zeros(values))
        self.register_buffer("vectors", torch.zeros(values, components))
        self.register_buffer("deviations", torch.ones(components))
        self.register_buffer("noise", torch.ones(()))
        self.register_buffer("largest", torch.ones(2))

    def fit(self, spectrum: Spectrum, noisy: NDArray[np.float32]) -> None:
        """Take over the training records' cloud; `noisy` (n, strain_values) set the limits."""
        kept = self.vectors.shape[1]
        self.mean.copy_(torch.from_numpy(spectrum.mean))
        self.vectors.copy_(torch.from_numpy(spectrum.vectors[:, :kept]))
        self.deviations.copy_(torch.from_numpy(np.sqrt(spectrum.variances[:kept] + 1)))
        self.noise.fill_(spectrum.noise)
        distances = self.distances(torch.from_numpy(noisy))
        self.largest.copy_(MARGIN * torch.quantile(distances, QUANTILE, dim=0))

    def distances(self, strains: Tensor) -> Tensor:
        """(B, strain_values) -> (B, 2): rms outside the subspace, rms Mahalanobis inside."""
        units = (strains - self.mean) / self.noise
        inside = units @ self.vectors
        outside = units.square().sum(1) - inside.square().sum(1)
        free = units.shape[1] - inside.shape[1]
        return torch.stack(
            [
                (outside.clamp(min=0) / free).sqrt(),
                (inside / self.deviations).square().mean(1).sqrt(),
            ],
            dim=1,
        )

    def forward(self, strains: Tensor) -> Tensor:
        """(B, strain_values) -> (B,)."""
        return (self.distances(strains) / self.largest).amax(1)
