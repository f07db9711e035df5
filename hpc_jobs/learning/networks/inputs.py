"""Strains as a network should see them: in units of their noise, along principal components.

Scaling each feature by its own spread would amplify the features that carry only noise. In units
of the noise every direction has noise of variance one, and the signal's variance in the k-th
principal direction, lambda_k, says what that direction is worth.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Principal components of noise-free records, in units of the noise."""

    mean: NDArray[np.float64]  # (strain_values,) strain
    noise: float  # strain
    vectors: NDArray[np.float64]  # (strain_values, k), orthonormal columns, strongest first
    variances: NDArray[np.float64]  # (k,) of the signal; the noise has variance 1


def spectrum_of(blocks: Iterable[NDArray[np.float32]], noise: float, components: int) -> Spectrum:
    """Principal components of records that come in blocks (n, strain_values)."""
    count, total, square = 0, np.zeros(0), np.zeros((0, 0))
    for block in blocks:
        units = block.astype(np.float64) / noise
        if count == 0:
            shift = units.mean(0)  # near the mean, so that no digits cancel below
            total, square = np.zeros_like(shift), np.zeros((shift.size, shift.size))
        units -= shift
        count += len(units)
        total += units.sum(0)
        square += units.T @ units
    centre = total / count
    covariance = square / count - np.outer(centre, centre)
    values, vectors = np.linalg.eigh(covariance)
    strongest = np.argsort(values)[::-1][:components]
    return Spectrum(
        mean=(shift + centre) * noise,
        noise=noise,
        vectors=vectors[:, strongest],
        variances=np.maximum(values[strongest], 0),
    )


class PrincipalInputs(nn.Module):
    """Raw strains (B, strain_values) -> principal components (B, k), of unit mean square.

    The gain sqrt(lambda / (lambda + 1)) (lambda + 1)^(-w/2) fades what the noise drowns; with
    whitening w = 1 all strong components weigh the same, with w = 0 as much as they vary.
    """

    mean: Tensor
    project: Tensor
    vectors: Tensor
    gain: Tensor

    def __init__(self, strain_values: int, components: int, whitening: float = 1.0) -> None:
        super().__init__()
        self.whitening = whitening
        self.register_buffer("mean", torch.zeros(strain_values))
        self.register_buffer("project", torch.zeros(strain_values, components))
        self.register_buffer("vectors", torch.zeros(strain_values, components))
        self.register_buffer("gain", torch.zeros(components))

    @property
    def components(self) -> int:
        """Components k that are kept."""
        return self.vectors.shape[1]

    def fit(self, spectrum: Spectrum) -> None:
        """Take over the components of a training set; there must be enough of them."""
        kept = self.components
        signal = spectrum.variances[:kept]
        gain = np.sqrt(signal / (signal + 1)) * (signal + 1) ** (-self.whitening / 2)
        gain /= np.sqrt((gain**2 * (signal + 1)).mean())
        vectors = spectrum.vectors[:, :kept]
        self.mean.copy_(torch.from_numpy(spectrum.mean))
        self.vectors.copy_(torch.from_numpy(vectors))
        self.gain.copy_(torch.from_numpy(gain))
        self.project.copy_(torch.from_numpy(vectors * gain / spectrum.noise))

    def forward(self, strains: Tensor, noise: Tensor | None = None) -> Tensor:
        """(B, strain_values) -> (B, k).

        noise (B, k) of variance one stands for independent noise on every strain: seen along
        orthonormal directions it is just that, and there are k values to draw, not strain_values.
        """
        components = self._projected(strains)
        return components if noise is None else components + self.gain * noise

    def _projected(self, strains: Tensor) -> Tensor:
        """In full precision: bfloat16 has eight bits, a signal of 500 times the noise needs ten."""
        device = strains.device.type
        if torch.is_autocast_enabled(device):
            with torch.autocast(device, enabled=False):
                return self._projected(strains)
        return (strains - self.mean) @ self.project

    def field(self, strains: Tensor, noise: Tensor | None = None) -> Tensor:
        """(B, strain_values) -> the same shape: filtered, each value in its place on the sheet.

        Of unit mean square too: k components are spread over all values.
        """
        values, kept = self.vectors.shape
        spread = (values / kept) ** 0.5
        field: Tensor = spread * self.forward(strains, noise) @ self.vectors.T
        return field
